//! Interrupt controllers: the local APIC in x2APIC and xAPIC mode, inter-processor interrupts, the I/O APIC, the 8259,
//! and messages (MSI, MSI-X).
//!
//! Hardware stands behind three small traits: [`Registers`] (local APIC), [`Mmio`] (I/O APIC, MSI-X table) and
//! [`PicPorts`] (8259), so that every register sequence runs on the host against hostile fakes. Only `cpu`, `mmio` and
//! `pic` touch the machine; all else is safe code above them.
//!
//! **Why the `x2apic` crate is not used.** It reaches MSRs and memory directly, so no fake can stand behind it. Its
//! faults (ICR and id in xAPIC mode, unmasked LINT pins, mode transitions, the latch of the error register, the TSC
//! deadline, OR-ing redirection entries, a panic on a reserved delivery mode) would each have to be worked around; what
//! is left to wrap then is single register writes.
//!
//! The crate keeps no time: it never waits longer than a bounded number of polls, and its caller makes the pause
//! between INIT and SIPI.
//!
//! The editions that the comments cite are listed in `docs/references.md`.
//!
//! # Example
//! A fence stops a core by INIT, and starts it at page 8 by SIPI. Here the registers are a fake that records what is
//! written to the interrupt command register:
//!
//! ```
//! use std::cell::RefCell;
//!
//! use ipi::{Ipi, LocalApic, Mode, Register, Registers};
//!
//! #[derive(Default)]
//! struct Recorder(RefCell<Vec<(Register, u64)>>);
//!
//! impl Registers for &Recorder {
//!     fn write_msr(&self, register: Register, value: u64) {
//!         self.0.borrow_mut().push((register, value));
//!     }
//!     // The others do nothing.
//! #   fn apic_base(&self) -> u64 { 0 }
//! #   fn set_apic_base(&self, _: u64) {}
//! #   fn xapic_is_locked(&self) -> bool { false }
//! #   fn read_msr(&self, _: Register) -> u64 { 0 }
//! #   fn read_mmio(&self, _: Register) -> u32 { 0 }
//! #   fn write_mmio(&self, _: Register, _: u32) {}
//! #   fn set_tsc_deadline(&self, _: u64) {}
//! #   fn fence(&self) {}
//! #   fn relax(&self) {}
//! }
//!
//! let registers = Recorder::default();
//! let apic = LocalApic::with_registers(Mode::X2Apic, &registers);
//! apic.send(3, Ipi::Init)?;
//! apic.send(3, Ipi::Startup { page: 8 })?;
//!
//! // Destination 3 in the high half; delivery modes 5 (INIT) and 6 (start-up) with level "assert" in the low half.
//! let expected = [(Register::Icr, 0x3_0000_4500), (Register::Icr, 0x3_0000_4608)];
//! assert_eq!(*registers.0.borrow(), expected);
//!
//! // A vector that belongs to an exception is refused, and nothing is sent.
//! assert!(apic.send(3, Ipi::Fixed(14)).is_err());
//! assert_eq!(registers.0.borrow().len(), 2);
//! # Ok::<(), ipi::SendError>(())
//! ```
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
