//! The table of events, and what depends on it outside of the compiler's sight: the document, shell scripts, and who
//! logs what.

mod document;
mod scripts;
mod sources;
mod tree;
