//! What the monitor tells an instance of each kind: where it is, and what the machine has.

pub mod linux;
pub mod native;
