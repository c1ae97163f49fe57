//! The ELF note that marks this file as an instance image.

use arch::note::Note;
use sharedmem::abi::{ABI_REVISION, JOURNAL_REVISION, NOTE_TYPE};

#[used]
#[unsafe(link_section = ".note.understudy")]
static NOTE: Note = Note::new(
    NOTE_TYPE,
    [ABI_REVISION, JOURNAL_REVISION],
    env!("CARGO_PKG_VERSION"),
);

/// Returns this image's version, as the note has it.
pub fn version() -> &'static str {
    // The volatile read returns what the file has, which tests change after compilation.
    // SAFETY: the note is a static that nobody writes.
    let note: &'static Note = unsafe { &*core::ptr::read_volatile(&&raw const NOTE) };
    note.version()
}
