//! A local APIC that records every access, faults where the hardware does, and misbehaves on demand.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};

use ipi::{Ipi, LocalApic, Mode, Register, Registers, X2ApicOps};

pub const BSP: u64 = 1 << 8;
pub const EXTD: u64 = 1 << 10;
pub const EN: u64 = 1 << 11;
pub const ADDRESS: u64 = 0xfee0_0000;

/// QEMU's: version 0x14, 6 local vectors.
pub const VERSION: u32 = 0x0005_0014;

/// For [`FakeApic::busy_polls`]: never idle again.
pub const STUCK: u32 = u32::MAX;

const SEND_PENDING: u32 = 1 << 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    ReadBase,
    WriteBase(u64),
    Read(Register),
    Write(Register, u64),
    Deadline(u64),
    Fence,
    Relax,
}

pub struct FakeApic {
    pub base: Cell<u64>,
    /// The processor is locked in x2APIC mode.
    pub is_locked: Cell<bool>,
    /// Writes of IA32_APIC_BASE have no effect.
    pub ignores_base: Cell<bool>,
    pub registers: RefCell<HashMap<Register, u32>>,
    pub in_service: RefCell<BTreeSet<u8>>,
    /// An end-of-interrupt has no effect.
    pub ignores_eoi: Cell<bool>,
    /// Errors that the next write of the error status shows.
    pub errors: Cell<u32>,
    /// Reads of the ICR that still show "pending".
    pub busy_polls: Cell<u32>,
    /// The same, counted from each send.
    pub busy_polls_after_send: Cell<u32>,
    /// After this number of accesses, a handler sends an NMI to this APIC id.
    pub handler: Cell<Option<(usize, u32)>>,
    pub sent: RefCell<Vec<(u32, u32)>>,
    log: RefCell<Vec<Event>>,
}

impl FakeApic {
    /// Makes one in the given state of IA32_APIC_BASE's two bits.
    pub fn new(state: u64) -> Self {
        Self {
            base: Cell::new(ADDRESS | state),
            is_locked: Cell::default(),
            ignores_base: Cell::default(),
            registers: RefCell::new(HashMap::from([(Register::Version, VERSION)])),
            in_service: RefCell::default(),
            ignores_eoi: Cell::default(),
            errors: Cell::default(),
            busy_polls: Cell::default(),
            busy_polls_after_send: Cell::default(),
            handler: Cell::default(),
            sent: RefCell::default(),
            log: RefCell::default(),
        }
    }

    /// Makes one that is already in `mode`.
    pub fn running(mode: Mode) -> Self {
        Self::new(match mode {
            Mode::XApic => EN,
            Mode::X2Apic => EN | EXTD,
        })
    }

    pub fn set(&self, register: Register, value: u32) {
        self.registers.borrow_mut().insert(register, value);
    }

    pub fn get(&self, register: Register) -> u32 {
        self.registers.borrow().get(&register).copied().unwrap_or(0)
    }

    pub fn take_log(&self) -> Vec<Event> {
        self.log.take()
    }

    pub fn writes(&self) -> Vec<Event> {
        let is_write = |event: &Event| !matches!(event, Event::Read(_) | Event::ReadBase);
        self.take_log().into_iter().filter(is_write).collect()
    }

    fn note(&self, event: Event) {
        self.log.borrow_mut().push(event);
        match self.handler.take() {
            Some((0, destination)) => {
                LocalApic::with_registers(Mode::XApic, self)
                    .send(destination, Ipi::Nmi)
                    .unwrap();
            }
            Some((accesses, destination)) => self.handler.set(Some((accesses - 1, destination))),
            None => {}
        }
    }

    fn expect_state(&self, state: u64, what: Register) {
        assert_eq!(
            self.base.get() & (EN | EXTD),
            state,
            "#GP or nothing there: {what:?} in the wrong mode"
        );
    }

    fn is_pending(&self) -> bool {
        let polls = self.busy_polls.get();
        if polls != STUCK {
            self.busy_polls.set(polls.saturating_sub(1));
        }
        polls != 0
    }

    fn load(&self, register: Register) -> u32 {
        let bits = |n: u8| {
            let set = self.in_service.borrow();
            set.iter()
                .filter(|vector| **vector / 32 == n)
                .fold(0, |word, vector| word | 1 << (vector % 32))
        };
        match register {
            Register::InService(n) => bits(n),
            register => self.get(register),
        }
    }

    fn store(&self, register: Register, value: u32) {
        let last_entry = self.get(Register::Version) >> 16 & 0xff;
        let is_there = match register {
            Register::LvtPerformance => last_entry >= 4,
            Register::LvtThermal => last_entry >= 5,
            Register::LvtCmci => last_entry >= 6,
            _ => true,
        };
        assert!(is_there, "#GP: {register:?} does not exist in this version");
        match register {
            Register::Id
            | Register::Version
            | Register::InService(_)
            | Register::Request(_)
            | Register::CurrentCount => {
                panic!("#GP: {register:?} is read-only")
            }
            Register::EndOfInterrupt | Register::ErrorStatus => {
                assert_eq!(value, 0, "#GP: only 0 may be written to {register:?}");
            }
            _ => {}
        }
        match register {
            Register::EndOfInterrupt if !self.ignores_eoi.get() => {
                self.in_service.borrow_mut().pop_last();
            }
            Register::ErrorStatus => self.set(register, self.errors.take()),
            register => self.set(register, value),
        }
    }

    fn command(&self, destination: u32, low: u32) {
        (&self).write_msr(Register::Icr, u64::from(destination) << 32 | u64::from(low));
    }

    fn deliver(&self, destination: u32, low: u32) {
        assert_eq!(
            low & !0xc7ff,
            0,
            "#GP: reserved bits in the ICR, or an option that was not asked for: {low:#x}"
        );
        self.sent.borrow_mut().push((destination, low));
        self.busy_polls.set(self.busy_polls_after_send.get());
    }
}

/// The registers that the operations access (Intel SDM vol. 3A, 11.12.9 and figure 11-28).
impl X2ApicOps for &FakeApic {
    fn x2apic_id(&self) -> u32 {
        self.read_msr(Register::Id) as u32
    }

    fn x2apic_end_of_interrupt(&self) {
        self.write_msr(Register::EndOfInterrupt, 0);
    }

    fn x2apic_send(&self, destination: u32, vector: u8) {
        self.command(destination, 0x4000 | u32::from(vector));
    }

    fn x2apic_send_nmi(&self, destination: u32) {
        self.command(destination, 0x4400);
    }

    fn x2apic_send_init(&self, destination: u32) {
        self.command(destination, 0x4500);
    }

    fn x2apic_send_startup(&self, destination: u32, page: u8) {
        self.command(destination, 0x4600 | u32::from(page));
    }

    fn x2apic_set_timer_count(&self, count: u32) {
        self.write_msr(Register::InitialCount, count.into());
    }

    fn x2apic_timer_count(&self) -> u32 {
        self.read_msr(Register::CurrentCount) as u32
    }
}

impl Registers for &FakeApic {
    fn apic_base(&self) -> u64 {
        self.note(Event::ReadBase);
        self.base.get()
    }

    fn set_apic_base(&self, value: u64) {
        let states = |value: u64| value & (EN | EXTD);
        let is_legal = match (states(self.base.get()), states(value)) {
            (from, to) if from == to => true,
            (0, to) => to == EN,
            (EN, to) => to == 0 || to == EN | EXTD,
            (_, to) => to == 0,
        };
        assert!(
            is_legal,
            "#GP: illegal transition from {:#x} to {value:#x}",
            self.base.get()
        );
        let kept = !(EN | EXTD);
        assert_eq!(
            value & kept,
            self.base.get() & kept,
            "the address or the boot-processor bit has changed"
        );
        if !self.ignores_base.get() {
            self.base.set(value);
        }
        self.note(Event::WriteBase(value));
    }

    fn xapic_is_locked(&self) -> bool {
        self.is_locked.get()
    }

    fn read_msr(&self, register: Register) -> u64 {
        self.expect_state(EN | EXTD, register);
        assert_ne!(register, Register::IcrHigh, "#GP: no such MSR");
        self.note(Event::Read(register));
        self.load(register).into()
    }

    fn write_msr(&self, register: Register, value: u64) {
        self.expect_state(EN | EXTD, register);
        assert_ne!(register, Register::IcrHigh, "#GP: no such MSR");
        if register == Register::Icr {
            self.deliver((value >> 32) as u32, value as u32);
        } else {
            self.store(
                register,
                u32::try_from(value).expect("#GP: reserved upper half"),
            );
        }
        self.note(Event::Write(register, value));
    }

    fn read_mmio(&self, register: Register) -> u32 {
        self.expect_state(EN, register);
        let pending = if register == Register::Icr && self.is_pending() {
            SEND_PENDING
        } else {
            0
        };
        let value = self.load(register) | pending;
        self.note(Event::Read(register));
        value
    }

    fn write_mmio(&self, register: Register, value: u32) {
        self.expect_state(EN, register);
        if matches!(register, Register::Icr | Register::IcrHigh) {
            assert_eq!(
                self.busy_polls.get(),
                0,
                "{register:?} is written while an interrupt is pending"
            );
        }
        self.store(register, value);
        if register == Register::Icr {
            self.deliver(self.get(Register::IcrHigh) >> 24, value);
        }
        self.note(Event::Write(register, value.into()));
    }

    fn set_tsc_deadline(&self, tsc: u64) {
        self.note(Event::Deadline(tsc));
    }

    fn fence(&self) {
        self.note(Event::Fence);
    }

    fn relax(&self) {
        self.note(Event::Relax);
    }
}
