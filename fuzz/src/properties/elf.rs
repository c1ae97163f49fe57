//! An accepted image of a native instance can be loaded as it is described, without another look at the file's headers.

use partition::image::WINDOW;
use partition::{BootFiles, Image};

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    match Image::parse("/boot/image", data) {
        Ok(image) => is_sound(&image, data),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    // A boot finds it so, beside a checksum that does not match.
    let files = [("/boot/image", data), ("/boot/image.crc32c", b"00000000")];
    if let Ok(files) = BootFiles::new(files) {
        let _ = Image::load(&files, "/boot/image");
    }
}

fn is_sound(image: &Image, file: &[u8]) {
    assert!(image.version.len() <= 128 && !image.version.chars().any(char::is_control));
    for segment in &image.segments {
        assert!(WINDOW.contains(segment.range()) && !segment.range().is_empty());
        assert!(WINDOW.contains(segment.pages()) && segment.pages().contains(segment.range()));
        let content = file.get(segment.file_range.clone()).expect("in the file");
        assert!(content.len() as u64 <= segment.mem_size);
        assert!(!(segment.writable && segment.executable));
    }
    for pair in image.segments.windows(2) {
        let (low, high) = (&pair[0], &pair[1]);
        assert!(low.range().end <= high.virt);
        let share_a_page = low.pages().overlaps(high.pages());
        let are_alike = (low.writable, low.executable) == (high.writable, high.executable);
        assert!(!share_a_page || are_alike);
    }
    let mut code = image.segments.iter().filter(|segment| segment.executable);
    assert!(code.any(|segment| (segment.virt..segment.range().end).contains(&image.entry)));
    assert!(image.size_bytes() <= WINDOW.len());
    let _ = image
        .check_revisions(sharedmem::Revisions::OWN)
        .map_err(|error| error.to_string());
}
