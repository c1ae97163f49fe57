//! The ELF note that marks this file as a compute image.

use arch::note::Note;
use compute_slice::{SLICE_NOTE_TYPE, SLICE_REVISION};

#[used]
#[unsafe(link_section = ".note.understudy")]
static NOTE: Note = Note::new(
    SLICE_NOTE_TYPE,
    [SLICE_REVISION, 0],
    env!("CARGO_PKG_VERSION"),
);
