//! An I/O APIC that records every access and panics on a sequence that could misroute an interrupt.

use std::cell::{Cell, RefCell};

use ipi::Mmio;

pub const MASKED: u64 = 1 << 16;
pub const LEVEL: u64 = 1 << 15;
pub const REMOTE_IRR: u64 = 1 << 14;
pub const SEND_PENDING: u64 = 1 << 12;
pub const SMI: u64 = 2 << 8;

/// Bits 17 to 55 are reserved.
pub const RESERVED: u64 = 0x00ff_ffff_fffe_0000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A read of the register with this index.
    Read(u32),
    /// A write of the register with this index.
    Write(u32, u32),
    /// An end-of-interrupt.
    Eoi(u32),
}

#[derive(Debug)]
pub struct FakeIoApic {
    pub version_register: u32,
    pub entries: RefCell<Vec<u64>>,
    /// The end-of-interrupt register has no effect.
    pub ignores_eoi: Cell<bool>,
    /// An edge entry keeps its Remote IRR.
    pub ignores_edge: Cell<bool>,
    /// An interrupt is accepted on this pin at the moment before it is masked.
    pub accepts_before_mask: Cell<Option<usize>>,
    index: Cell<Option<u32>>,
    log: RefCell<Vec<Event>>,
}

impl FakeIoApic {
    /// Makes one with this version and these entries.
    pub fn new(version: u8, entries: &[u64]) -> Self {
        Self::answering(
            u32::from(version) | (entries.len() as u32 - 1) << 16,
            entries,
        )
    }

    /// Makes one with this version register, whatever entries there are.
    pub fn answering(version_register: u32, entries: &[u64]) -> Self {
        Self {
            version_register,
            entries: RefCell::new(entries.to_vec()),
            ignores_eoi: Cell::default(),
            ignores_edge: Cell::default(),
            accepts_before_mask: Cell::default(),
            index: Cell::default(),
            log: RefCell::default(),
        }
    }

    pub fn take_log(&self) -> Vec<Event> {
        self.log.take()
    }

    pub fn writes(&self) -> Vec<Event> {
        self.take_log()
            .into_iter()
            .filter(|event| !matches!(event, Event::Read(_)))
            .collect()
    }

    pub fn entry(&self, pin: usize) -> u64 {
        self.entries.borrow()[pin]
    }

    fn write_low(&self, pin: usize, value: u32) {
        let mut entries = self.entries.borrow_mut();
        let entry = &mut entries[pin];
        let new = u64::from(value);
        assert_eq!(
            new & (REMOTE_IRR | SEND_PENDING),
            0,
            "pin {pin}: read-only bits are written"
        );
        if self.accepts_before_mask.get() == Some(pin) && new & MASKED != 0 {
            self.accepts_before_mask.set(None);
            *entry |= REMOTE_IRR;
        }
        let was_open = *entry & MASKED == 0;
        let is_changed = (*entry ^ new) & 0xafff != 0;
        assert!(
            !(was_open && is_changed && new & MASKED == 0),
            "pin {pin} is changed while it is open"
        );
        let keeps_irr = new & LEVEL != 0 || self.ignores_edge.get();
        let irr = if keeps_irr { *entry & REMOTE_IRR } else { 0 };
        *entry = *entry & !0xffff_ffff | new | irr;
    }

    fn write_high(&self, pin: usize, value: u32) {
        let mut entries = self.entries.borrow_mut();
        let entry = &mut entries[pin];
        assert_ne!(
            *entry & MASKED,
            0,
            "pin {pin} gets a destination while it is open"
        );
        *entry = *entry & 0xffff_ffff | u64::from(value) << 32;
    }

    fn end_of_interrupt(&self, vector: u32) {
        assert!(
            self.version_register & 0xff >= 0x20,
            "this version has no end-of-interrupt register"
        );
        self.log.borrow_mut().push(Event::Eoi(vector));
        for entry in self
            .entries
            .borrow_mut()
            .iter_mut()
            .filter(|_| !self.ignores_eoi.get())
        {
            if *entry & 0xff == u64::from(vector) && *entry & LEVEL != 0 {
                *entry &= !REMOTE_IRR;
            }
        }
    }
}

impl Mmio for &FakeIoApic {
    fn read(&self, offset: usize) -> u32 {
        assert_eq!(offset, 0x10, "only the data register is read");
        let index = self
            .index
            .take()
            .expect("the index is written before each access");
        self.log.borrow_mut().push(Event::Read(index));
        match index {
            1 => self.version_register,
            0x10.. => {
                let entry = self.entries.borrow()[(index as usize - 0x10) / 2];
                if index.is_multiple_of(2) {
                    entry as u32
                } else {
                    (entry >> 32) as u32
                }
            }
            _ => panic!("register {index:#x} is of no interest"),
        }
    }

    fn write(&self, offset: usize, value: u32) {
        match offset {
            0x00 => {
                assert!(value <= 0xff, "an index has 8 bits");
                self.index.set(Some(value));
            }
            0x10 => {
                let index = self
                    .index
                    .take()
                    .expect("the index is written before each access");
                self.log.borrow_mut().push(Event::Write(index, value));
                let pin = (index as usize)
                    .checked_sub(0x10)
                    .expect("only the table is written")
                    / 2;
                if index.is_multiple_of(2) {
                    self.write_low(pin, value)
                } else {
                    self.write_high(pin, value)
                }
            }
            0x40 => self.end_of_interrupt(value),
            _ => panic!("there is no register at {offset:#x}"),
        }
    }
}
