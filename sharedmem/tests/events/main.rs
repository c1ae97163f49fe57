//! The table of events, and what depends on it without the compiler's knowledge: the document, shell scripts, and the
//! kernels and programs that log.

mod document;
mod scripts;
mod sources;
mod tree;
