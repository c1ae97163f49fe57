//! The local APIC of the processor that runs the call.
//!
//! Every method takes `&self`, and a [`LocalApic`] may be shared between cores and with interrupt handlers. That is
//! sound because its only state is the mode. Each access reaches the running core's own registers, and each method is
//! one of three kinds:
//! - One access (`id`, `end_of_interrupt`, `send` in x2APIC mode). Nothing can interrupt it.
//! - A send in xAPIC mode, which writes two registers. It leaves the first as it found it, so a handler may send in the
//!   middle ([`icr`]).
//! - A sequence of accesses (`enable`, `drain`, timer set-up), which a handler may interrupt and mix with its own. That
//!   cannot corrupt memory, but it can corrupt settings: call these with interrupts off, or do not use the timer from
//!   handlers.
//!
//! The local APIC is never disabled as a whole: a core in that state receives no INIT, so it could not be fenced.

pub(crate) mod error_status;
pub(crate) mod icr;
pub(crate) mod timer;

use core::error::Error;
use core::fmt;

use crate::VECTOR_MIN;
use crate::cpu::CpuRegisters;
use crate::mode::Mode;
use crate::registers::{Register, Registers};

/// Bits of IA32_APIC_BASE (Intel SDM vol. 3A, 11.4.4, 11.12.1): boot processor; x2APIC mode; enabled.
const BASE_BSP: u64 = 1 << 8;
const BASE_EXTD: u64 = 1 << 10;
const BASE_EN: u64 = 1 << 11;

/// The software-enable bit of the spurious-vector register.
const SOFTWARE_ENABLE: u32 = 1 << 8;

/// The mask bit and the delivery mode of a local vector.
const LVT_MASKED: u32 = 1 << 16;
const LVT_DELIVERY: u32 = 7 << 8;
const LVT_DELIVERY_SMI: u32 = 2 << 8;

/// Lowest version number of an integrated local APIC; lower ones are an 82489DX (Intel SDM vol. 3A, 11.4.8).
const VERSION_MIN: u32 = 0x10;

/// Local vectors that every integrated APIC has.
const LOCAL_VECTORS: [Register; 4] = [
    Register::LvtTimer,
    Register::LvtLint0,
    Register::LvtLint1,
    Register::LvtError,
];

/// Local vectors that not every integrated APIC has, each with the lowest "Max LVT Entry" that includes it (Intel SDM
/// vol. 3A, 11.4.8).
const LATER_LOCAL_VECTORS: [(u32, Register); 3] = [
    (4, Register::LvtPerformance),
    (5, Register::LvtThermal),
    (6, Register::LvtCmci),
];

/// Maximum number of end-of-interrupts that [`LocalApic::drain`] sends: one for each vector.
pub const DRAIN_EOIS_MAX: u32 = 256;

/// Why the local APIC could not be enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnableError {
    /// The spurious vector belongs to an exception.
    Vector(u8),
    /// The processor is in x2APIC mode and locked there.
    Locked,
    /// IA32_APIC_BASE does not show the mode after it was entered.
    Refused {
        /// The mode that was to be entered.
        mode: Mode,
        /// What IA32_APIC_BASE reads.
        apic_base: u64,
    },
    /// The version register, whose value this is, is not that of an integrated local APIC, or nothing is mapped there.
    Version(u32),
}

impl fmt::Display for EnableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local APIC: ")?;
        match self {
            Self::Vector(vector) => {
                write!(
                    f,
                    "spurious vector {vector} belongs to an exception; {VECTOR_MIN} to 255 would work"
                )
            }
            Self::Locked => f.write_str(
                "the firmware has locked this processor in x2APIC mode; x2APIC mode would work",
            ),
            Self::Refused { mode, apic_base } => {
                write!(
                    f,
                    "{mode} mode cannot be entered: IA32_APIC_BASE reads {apic_base:#x}"
                )
            }
            Self::Version(version) => {
                write!(
                    f,
                    "its version register reads {version:#010x}: it is not mapped, or not an integrated one"
                )
            }
        }
    }
}

impl Error for EnableError {}

/// What [`LocalApic::drain`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Interrupts that were in service and have got their end-of-interrupt.
    pub acknowledged: u32,
    /// Whether nothing is in service any more.
    pub is_clear: bool,
}

/// The local APIC of whichever core runs the call. Cheap to make; see the module about sharing.
#[derive(Clone, Copy, Debug)]
pub struct LocalApic<R: Registers = CpuRegisters> {
    mode: Mode,
    registers: R,
}

impl LocalApic {
    /// Makes a handle of the machine's local APIC. Touches no register.
    ///
    /// # Safety
    /// From the first call of a method to the last, the caller runs in ring 0 on processors that have `mode`, and is
    /// responsible for the interrupts it sends and receives. In xAPIC mode, `xapic_base` is where the local APIC's page
    /// (IA32_APIC_BASE, the same on all cores) is mapped uncached, in every address space the handle is used from. In
    /// x2APIC mode, `xapic_base` is not used.
    pub unsafe fn new(mode: Mode, xapic_base: *mut u8) -> Self {
        // SAFETY: the caller promises what `CpuRegisters::new` demands.
        Self::with_registers(mode, unsafe { CpuRegisters::new(mode, xapic_base) })
    }
}

impl<R: Registers> LocalApic<R> {
    /// Makes a handle over other registers than the machine's, such as a fake.
    pub const fn with_registers(mode: Mode, registers: R) -> Self {
        Self { mode, registers }
    }

    /// Returns the mode it is used in.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Brings the local APIC from any state to a known one: mode entered, timer stopped, every local vector masked
    /// (except those the firmware uses as SMI), task priority 0, software-enabled with `spurious` as spurious vector,
    /// errors cleared.
    ///
    /// Interrupts in service stay in service: see [`drain`](Self::drain). Call it with interrupts off.
    ///
    /// # Errors
    /// [`EnableError`]. [`EnableError::Vector`] and [`EnableError::Locked`] are returned before anything is changed.
    pub fn enable(&self, spurious: u8) -> Result<(), EnableError> {
        if spurious < VECTOR_MIN {
            return Err(EnableError::Vector(spurious));
        }
        self.enter_mode()?;
        self.mask_local_vectors(spurious)?;
        self.set_count(0);
        self.write(Register::TaskPriority, 0);
        self.write(
            Register::SpuriousVector,
            SOFTWARE_ENABLE | u32::from(spurious),
        );
        // The first write makes the errors so far readable; the second replaces them by those since the first: none.
        self.write(Register::ErrorStatus, 0);
        self.write(Register::ErrorStatus, 0);
        Ok(())
    }

    /// Enters the mode by legal transitions only (Intel SDM vol. 3A, 11.12.5): x2APIC mode is entered from xAPIC mode
    /// and left by disabling; any other transition is a #GP.
    fn enter_mode(&self) -> Result<(), EnableError> {
        let wanted = match self.mode {
            Mode::XApic => BASE_EN,
            Mode::X2Apic => BASE_EN | BASE_EXTD,
        };
        let base = self.registers.apic_base();
        let disabled = base & !(BASE_EN | BASE_EXTD);
        let mut state = base & (BASE_EN | BASE_EXTD);
        if state == wanted {
            return Ok(());
        }
        if state & BASE_EXTD != 0 {
            if self.registers.xapic_is_locked() {
                return Err(EnableError::Locked);
            }
            self.registers.set_apic_base(disabled);
            state = 0;
        }
        if state == 0 {
            self.registers.set_apic_base(disabled | BASE_EN);
        }
        if wanted != BASE_EN {
            self.registers.set_apic_base(disabled | wanted);
        }
        let apic_base = self.registers.apic_base();
        if apic_base & (BASE_EN | BASE_EXTD) != wanted {
            return Err(EnableError::Refused {
                mode: self.mode,
                apic_base,
            });
        }
        Ok(())
    }

    /// Masks every local vector. The masked entries hold a legal vector, because some processors log an error for
    /// vector 0 even in a masked one.
    fn mask_local_vectors(&self, vector: u8) -> Result<(), EnableError> {
        let version = self.read(Register::Version);
        if !(VERSION_MIN..0xff).contains(&(version & 0xff)) {
            return Err(EnableError::Version(version));
        }
        let masked = LVT_MASKED | u32::from(vector);
        for register in LOCAL_VECTORS {
            self.write(register, masked);
        }
        let last_entry = version >> 16 & 0xff;
        for (entry, register) in LATER_LOCAL_VECTORS {
            // An SMI belongs to the firmware, typically to cool the processor.
            if entry <= last_entry && self.read(register) & LVT_DELIVERY != LVT_DELIVERY_SMI {
                self.write(register, masked);
            }
        }
        Ok(())
    }

    /// Returns this core's APIC id.
    pub fn id(&self) -> u32 {
        match self.mode {
            Mode::XApic => self.registers.read_mmio(Register::Id) >> 24,
            Mode::X2Apic => self.registers.x2apic_id(),
        }
    }

    /// Returns whether this core is the boot processor, which restarts in the firmware when it gets INIT.
    pub fn is_bsp(&self) -> bool {
        self.registers.apic_base() & BASE_BSP != 0
    }

    /// Ends the interrupt of highest priority that is in service. Not to be called for spurious interrupts, NMI, SMI
    /// and INIT.
    pub fn end_of_interrupt(&self) {
        match self.mode {
            Mode::XApic => self.registers.write_mmio(Register::EndOfInterrupt, 0),
            Mode::X2Apic => self.registers.x2apic_end_of_interrupt(),
        }
    }

    /// Returns the vectors in service: bit v % 32 of word v / 32.
    pub fn in_service(&self) -> [u32; 8] {
        core::array::from_fn(|n| self.read(Register::InService(n as u8)))
    }

    /// Returns the vectors that are requested, in the same order. They cannot be withdrawn: each is delivered as soon
    /// as interrupts are enabled.
    pub fn requested(&self) -> [u32; 8] {
        core::array::from_fn(|n| self.read(Register::Request(n as u8)))
    }

    /// Ends every interrupt that a dead kernel left in service on this core. Each would block those of lower priority
    /// for ever.
    ///
    /// Sends at most [`DRAIN_EOIS_MAX`] end-of-interrupts. Call it with interrupts off, and not from an interrupt
    /// handler, because it would end the handler's own interrupt.
    pub fn drain(&self) -> Drained {
        let is_clear = || self.in_service() == [0; 8];
        for acknowledged in 0..DRAIN_EOIS_MAX {
            if is_clear() {
                return Drained {
                    acknowledged,
                    is_clear: true,
                };
            }
            self.end_of_interrupt();
        }
        Drained {
            acknowledged: DRAIN_EOIS_MAX,
            is_clear: is_clear(),
        }
    }

    fn read(&self, register: Register) -> u32 {
        match self.mode {
            Mode::XApic => self.registers.read_mmio(register),
            // All registers but the ICR have 32 bits in x2APIC mode too; the upper half is reserved.
            Mode::X2Apic => self.registers.read_msr(register) as u32,
        }
    }

    fn write(&self, register: Register, value: u32) {
        match self.mode {
            Mode::XApic => self.registers.write_mmio(register, value),
            Mode::X2Apic => self.registers.write_msr(register, value.into()),
        }
    }
}
