//! A deliberate bug: one replacement in one source file.

/// A deliberate bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// What is wrong, in words.
    pub what: &'static str,
    /// The file, from the workspace's root.
    pub file: &'static str,
    /// The text that is replaced; it occurs exactly once.
    pub right: &'static str,
    /// The text that replaces it.
    pub wrong: &'static str,
}

/// A deliberate bug that a test on the host has to find.
#[derive(Clone, Copy, Debug)]
pub struct HostMutant {
    /// What follows `cargo test -p`.
    pub test: &'static str,
    /// The bug.
    pub mutant: Mutant,
}
