use super::*;
use alloc::vec;
use bootfiles::testing::archive;
use compute_slice::SLICE_REVISION;
use proptest::prelude::*;

const BASE: u64 = WINDOW.start;

/// A segment of the test image: flags, virtual address, file size, memory size. Its bytes lie at file offset 0x1000 +
/// 0x1000 * index.
type Load = (u32, u64, u64, u64);

const RX: u32 = abi::PF_R | abi::PF_X;
const RW: u32 = abi::PF_R | abi::PF_W;

fn note(descriptor: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    for field in [NOTE_NAME.len() as u32 + 1, descriptor.len() as u32, 1] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(b"Understudy\0\0");
    bytes.extend(descriptor);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn program_header(kind: u32, flags: u32, offset: u64, virt: u64, sizes: (u64, u64)) -> Vec<u8> {
    let mut bytes = vec![];
    bytes.extend(kind.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    for field in [offset, virt, virt, sizes.0, sizes.1, 4] {
        bytes.extend(field.to_le_bytes());
    }
    bytes
}

fn image_with(kind: u16, entry: u64, descriptor: &[u8], loads: &[Load]) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(abi::EM_X86_64.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    for field in [entry, 64, 0] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(0u32.to_le_bytes());
    for field in [64, 56, loads.len() as u16 + 1, 64, 0, 0] {
        bytes.extend(field.to_le_bytes());
    }
    let note = note(descriptor);
    let note_size = note.len() as u64;
    bytes.extend(program_header(
        abi::PT_NOTE,
        4,
        0x800,
        0,
        (note_size, note_size),
    ));
    for (index, (flags, virt, in_file, in_memory)) in loads.iter().enumerate() {
        let offset = 0x1000 + 0x1000 * index as u64;
        bytes.extend(program_header(
            abi::PT_LOAD,
            *flags,
            offset,
            *virt,
            (*in_file, *in_memory),
        ));
    }
    bytes.resize(0x800, 0);
    bytes.extend(note);
    bytes.resize(0x1000 + 0x1000 * loads.len(), 0xcc);
    bytes
}

const GOOD: [Load; 3] = [
    (RX, BASE, 0x1000, 0x1000),
    (RW, BASE + 0x2000, 0x10, 0x3001),
    (abi::PF_R, BASE + 0x1000, 0x800, 0x800),
];

fn good() -> Vec<u8> {
    image_with(2, BASE + 0x10, b"\x01\0\0\0\x02\0\0\x001.2.3\0", &GOOD)
}

/// Makes a compute image with this much memory to be zeroed.
pub fn compute_image(zeroed_bytes: u64) -> Vec<u8> {
    let descriptor = [&SLICE_REVISION.to_le_bytes()[..], &[0; 4], b"1.2.3\0\0\0"].concat();
    let loads = [
        (RX, BASE, 0x1000, 0x1000),
        (RW, BASE + 0x1000, 0x10, zeroed_bytes),
    ];
    let mut bytes = image_with(2, BASE + 0x10, &descriptor, &loads);
    // The note's type.
    bytes[0x808..0x80c].copy_from_slice(&SLICE_NOTE_TYPE.to_le_bytes());
    bytes
}

fn problem(bytes: &[u8]) -> ImageProblem {
    Image::parse("/boot/a", bytes).unwrap_err().problem
}

fn problem_of(loads: &[Load]) -> ImageProblem {
    problem(&image_with(2, BASE, &[0; 8], loads))
}

#[test]
fn a_sound_image_is_described() {
    let image = Image::parse("/boot/a", &good()).unwrap();
    assert_eq!(image.revisions, Revisions { abi: 1, journal: 2 });
    assert_eq!(
        (image.version.as_str(), image.entry),
        ("1.2.3", BASE + 0x10)
    );
    assert_eq!(image.size_bytes(), 0x6000);
    let virt: Vec<u64> = image.segments.iter().map(|s| s.virt - BASE).collect();
    assert_eq!(virt, [0, 0x1000, 0x2000]);
    let data = &image.segments[2];
    assert_eq!(
        (data.file_range.clone(), data.mem_size),
        (0x2000..0x2010, 0x3001)
    );
    assert_eq!((data.writable, data.executable), (true, false));
    assert!(image.segments[0].executable && !image.segments[1].writable);
}

#[test]
fn other_revisions_are_named() {
    let image = Image::parse("/boot/a", &good()).unwrap();
    let check = |abi, journal| image.check_revisions(Revisions { abi, journal });
    assert_eq!(check(1, 2), Ok(()));
    assert!(check(2, 2).is_err());
    assert_eq!(
        check(1, 3).unwrap_err().to_string(),
        "/boot/a: built with ABI revision 1 and journal revision 2; \
         this machine speaks ABI revision 1 and journal revision 3"
    );
}

#[test]
fn a_foreign_image_is_named() {
    let mut linux = vec![0; 0x300];
    linux[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    linux[0x202..0x206].copy_from_slice(b"HdrS");
    assert_eq!(
        Image::parse("/vmlinuz", &linux).unwrap_err().to_string(),
        "/vmlinuz: not a kernel image but a Linux bzImage; should be an ELF instance"
    );
    assert_eq!(
        Image::parse("/a", b"\x1f\x8b").unwrap_err().to_string(),
        "/a: not a kernel image but gzip-compressed; should be an ELF instance"
    );
    let mut other_name = good();
    other_name[0x80c] = b'u';
    assert_eq!(problem(&other_name), ImageProblem::NoNote);
    for (offset, value) in [(4, 1), (5, 2), (18, 3)] {
        let mut foreign = good();
        foreign[offset] = value;
        assert_eq!(problem(&foreign), ImageProblem::Foreign, "byte {offset}");
    }
    let pie = image_with(3, BASE, &[0; 8], &GOOD);
    assert_eq!(problem(&pie), ImageProblem::NotExecutable);
    let short_note = image_with(2, BASE, &[0; 7], &GOOD);
    assert_eq!(problem(&short_note), ImageProblem::BadNote);
    let odd_version = image_with(2, BASE, b"\0\0\0\0\0\0\0\0\xff\xfe", &GOOD);
    assert_eq!(problem(&odd_version), ImageProblem::BadNote);
    assert_eq!(
        problem(b"\x7fELF"),
        ImageProblem::Elf("cut off in its header".into())
    );
    assert!(matches!(problem(&good()[..100]), ImageProblem::Elf(_)));
}

#[test]
fn a_segment_that_cannot_be_loaded_is_named() {
    let outside = [
        (RX, BASE - 0x1000, 0x1000, 0x1000),
        (RX, WINDOW.end - 0x1000, 0x1000, 0x1001),
        (RX, u64::MAX - 10, 0, 0x1000),
        (RX, BASE, 0, u64::MAX),
        (RX, 0x10_0000, 0x1000, 0x1000),
    ];
    for load in outside {
        assert_eq!(problem_of(&[load]), ImageProblem::Window(1), "{load:x?}");
    }
    let segment = |load: Load| match problem_of(&[load]) {
        ImageProblem::Segment(1, what) => what,
        other => panic!("{other:?}"),
    };
    assert!(segment((RX, BASE, 0x800, 0x7ff)).contains("larger in the file"));
    assert!(segment((RX, BASE, 0x1001, 0x2000)).contains("end of the file"));
    assert!(segment((RX | RW, BASE, 0x1000, 0x1000)).contains("both writable and executable"));
    assert_eq!(problem_of(&[]), ImageProblem::Entry(BASE));
    assert_eq!(
        problem_of(&[(RW, BASE, 0, 0x1000)]),
        ImageProblem::Entry(BASE)
    );
    assert_eq!(
        problem_of(&[(RX, BASE, 0x1000, 0x1001), (RW, BASE + 0x1000, 0, 1)]),
        ImageProblem::Overlap(BASE, BASE + 0x1000)
    );
    assert_eq!(
        problem_of(&[(RX, BASE, 0x800, 0x800), (RW, BASE + 0x800, 0, 1)]),
        ImageProblem::SharedPage(BASE, BASE + 0x800)
    );
    assert_eq!(
        problem_of(&[(RX, BASE + 1, 0xfff, 0xfff)]),
        ImageProblem::Entry(BASE)
    );
    let many = vec![(RX, BASE, 0, 0); 64];
    assert_eq!(problem_of(&many), ImageProblem::TooManySegments(65));
    // Of one protection, two may share a page.
    assert!(
        Image::parse(
            "/a",
            &image_with(2, BASE, &[0; 8], &[(RX, BASE, 8, 8), (RX, BASE + 8, 8, 8)])
        )
        .is_ok()
    );
}

#[test]
fn a_checksum_beside_the_image_must_match() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    let bytes = good();
    let load = |checksum: Option<&str>| {
        let mut entries = vec![("boot/a", bytes.as_slice())];
        entries.extend(checksum.map(|text| ("boot/a.crc32c", text.as_bytes())));
        let archived = archive(&entries);
        let files = BootFiles::new([("", archived.as_slice())]).unwrap();
        Image::load(&files, "/boot/a").map(|(image, _)| image.version)
    };
    let right = format!("{:08X}\n", crc32c(&bytes));
    assert_eq!(load(None).unwrap(), "1.2.3");
    assert_eq!(load(Some(&right)).unwrap(), "1.2.3");
    let damaged = load(Some("00000001")).unwrap_err().to_string();
    let found = format!("{:08x}", crc32c(&bytes));
    assert_eq!(
        damaged,
        format!("/boot/a: damaged: its CRC-32C is {found}, /boot/a.crc32c says 00000001")
    );
    for text in ["", "1234567", "+1234567", "123456789", "xyzw1234"] {
        let problem = load(Some(text)).unwrap_err().problem;
        assert_eq!(problem, ImageProblem::BadChecksumFile, "{text:?}");
    }
}

#[test]
fn an_image_that_is_not_there_is_named() {
    let archived = archive(&[("boot/b", b"")]);
    let files = BootFiles::new([("", archived.as_slice())]).unwrap();
    assert_eq!(
        Image::load(&files, "/boot/a").unwrap_err().to_string(),
        "/boot/a: there is no /boot/a in the boot archive; it has boot/b"
    );
    assert_eq!(
        Image::load(&files, "boot/b").unwrap_err().to_string(),
        "boot/b: not a kernel image but empty; should be an ELF instance"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Checks that whatever is done to an image there is an answer, and that an accepted image can be loaded blindly.
    #[test]
    fn a_damaged_image_gets_an_answer(
        changes in proptest::collection::vec((prop_oneof![0usize..300, 0x800usize..0x830], any::<u8>()), 1..8),
        cut in proptest::option::of(0usize..0x4000),
    ) {
        let mut bytes = good();
        for (offset, value) in changes {
            bytes[offset] = value;
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        let Ok(image) = Image::parse("/a", &bytes) else { return Ok(()) };
        let mut end = WINDOW.start;
        for segment in &image.segments {
            prop_assert!(segment.virt >= end && WINDOW.contains(segment.range()));
            prop_assert!(bytes.get(segment.file_range.clone()).is_some());
            prop_assert!(segment.file_range.len() as u64 <= segment.mem_size);
            prop_assert!(!(segment.writable && segment.executable));
            end = segment.range().end;
        }
        prop_assert!(image.size_bytes() <= WINDOW.len());
        let entry = Range::new(image.entry, image.entry + 1);
        prop_assert!(image.segments.iter().any(|s| s.executable && s.range().contains(entry)));
    }
}

#[test]
fn a_checksum_that_the_monitors_table_spoils_is_computed_a_second_time() {
    let bytes = b"123456789";
    // The check value of CRC-32C.
    assert_eq!(
        (crc32c(bytes), crc32c_bitwise(bytes)),
        (0xe306_9283, 0xe306_9283)
    );
    let spoilt = |bytes: &[u8]| crc32c(bytes) ^ 1;
    assert_eq!(check_against(0xe306_9283, bytes, spoilt), Ok(()));
    let damaged = check_against(0xe306_9282, bytes, crc32c);
    assert!(matches!(
        damaged,
        Err(ImageProblem::Damaged {
            found: 0xe306_9283,
            ..
        })
    ));
}
