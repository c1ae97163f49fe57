//! Interrupt controllers: the local APIC in x2APIC and xAPIC mode, inter-processor interrupts, the I/O APIC, the 8259, and messages (MSI,
//! MSI-X).
//!
//! Hardware stands behind three small traits: [`Registers`] (local APIC), [`Mmio`] (I/O APIC, MSI-X table) and [`PicPorts`] (8259), so that
//! every register sequence runs on the host against hostile fakes. What touches the machine is in `cpu`, `mmio` and `pic`; all else is
//! safe code above them.
//!
//! **Why the `x2apic` crate is not used.** It reaches MSRs and memory directly, so no fake can stand behind it, and the parts that were left
//! to wrap after its faults are mended (ICR and id in xAPIC mode, unmasked LINT pins, mode transitions, the latch of the error register, the
//! TSC deadline, OR-ing redirection entries, a panic on a reserved delivery mode) would have been single register writes.
//!
//! Time is the caller's: nothing here waits longer than a bounded number of polls, and the pause between INIT and SIPI is not made here.
//!
//! The editions that the comments cite are in `docs/references.md`.
#![no_std]

mod cpu;
mod destination;
mod io_apic;
mod local_apic;
mod mmio;
mod mode;
mod msi;
mod msix;
mod pic;
mod registers;

pub use cpu::CpuRegisters;
pub use destination::DestinationError;
pub use io_apic::redirection::{Delivery, DestinationMode, Polarity, Redirection, Trigger};
pub use io_apic::{IoApic, NoIoApic, RemoteIrr, RouteError, Seized};
pub use local_apic::error_status::ErrorStatus;
pub use local_apic::icr::{IDLE_POLLS_MAX, Ipi, SendError};
pub use local_apic::timer::TIMER_DIVIDE;
pub use local_apic::{DRAIN_EOIS_MAX, Drained, EnableError, LocalApic};
pub use mmio::{Mmio, MmioRegion};
pub use mode::{Mode, NoLocalApic, TscDeadline, detect};
pub use msi::{MessageError, MsiMessage};
pub use msix::{MsixTable, TableError};
pub use pic::{PicPort, PicPorts, mask_legacy_pic, mask_pics};
pub use registers::{Register, Registers};

/// Lowest vector an interrupt may have: 0 to 31 belong to exceptions (Intel SDM vol. 3A, 6.2).
pub const VECTOR_MIN: u8 = 32;
