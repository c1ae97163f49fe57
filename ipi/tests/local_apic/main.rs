//! The local APIC's register sequences, in both modes, against a fake that faults where the hardware does.

mod enable;
mod fake;
mod send;
mod service;
mod timer;
