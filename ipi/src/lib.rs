//! Interrupt controllers: the local APIC in x2APIC and xAPIC mode, inter-processor interrupts, the I/O APIC, the 8259,
//! and messages (MSI, MSI-X).
//!
//! Hardware stands behind small traits: [`Registers`] with [`X2ApicOps`] (local APIC), [`Mmio`] (I/O APIC, MSI-X table)
//! and [`PicPorts`] (8259), so that every register sequence runs on the host against hostile fakes. Only `cpu`, `mmio`,
//! `pic` and `x2apic_ops` touch the machine; all else is safe code above them.
//!
//! In x2APIC mode the crate `x2apic` does what it is right about: [`X2ApicOps`]. The rest is done here;
//! docs/ARCHITECTURE.md has the table of its methods, and says for what fault each other one is not used.
//!
//! The crate keeps no time: it never waits longer than a bounded number of polls, and its caller makes the pause
//! between INIT and SIPI.
//!
//! The editions that the comments cite are listed in `docs/references.md`.
//!
//! # Example
//! A fence stops a core by INIT, and starts it at page 8 by SIPI. Here the registers are a fake that records what is
//! sent:
//!
//! ```
//! use std::cell::RefCell;
//!
//! use ipi::{Ipi, LocalApic, Mode, Register, Registers, X2ApicOps};
//!
//! #[derive(Default)]
//! struct Recorder(RefCell<Vec<(u32, Ipi)>>);
//!
//! impl X2ApicOps for &Recorder {
//!     fn x2apic_send_init(&self, destination: u32) {
//!         self.0.borrow_mut().push((destination, Ipi::Init));
//!     }
//!     fn x2apic_send_startup(&self, destination: u32, page: u8) {
//!         self.0.borrow_mut().push((destination, Ipi::Startup { page }));
//!     }
//!     // The others do nothing.
//! #   fn x2apic_id(&self) -> u32 { 0 }
//! #   fn x2apic_end_of_interrupt(&self) {}
//! #   fn x2apic_send(&self, _: u32, _: u8) {}
//! #   fn x2apic_send_nmi(&self, _: u32) {}
//! #   fn x2apic_set_timer_count(&self, _: u32) {}
//! #   fn x2apic_timer_count(&self) -> u32 { 0 }
//! }
//!
//! impl Registers for &Recorder {
//!     // Nothing here is needed for a send.
//! #   fn write_msr(&self, _: Register, _: u64) {}
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
//! assert_eq!(*registers.0.borrow(), [(3, Ipi::Init), (3, Ipi::Startup { page: 8 })]);
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
mod x2apic_ops;

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
pub use x2apic_ops::X2ApicOps;

/// Lowest vector an interrupt may have: 0 to 31 belong to exceptions (Intel SDM vol. 3A, 6.2).
pub const VECTOR_MIN: u8 = 32;
