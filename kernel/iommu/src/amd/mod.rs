//! A unit of AMD-Vi. Sections and offsets are those of AMD I/O Virtualization Technology (IOMMU) 3.07.

mod commands;
pub(crate) mod tables;

use alloc::vec::Vec;

use commands::Commands;

use crate::domain::{Format, Shape};
use crate::memory::{Frames, NoFrames, PAGE_BYTES, TableMemory, Tables};
use crate::unit::{Access, Change, DmaFault, Found, Registers, Stuck, wait};

const DEVICE_TABLE: u64 = 0x00;
const EVENT_LOG: u64 = 0x10;
const CONTROL: u64 = 0x18;
const EXCLUSION_BASE: u64 = 0x20;
const EVENT_HEAD: u64 = 0x2010;
const EVENT_TAIL: u64 = 0x2018;
const STATUS: u64 = 0x2020;

/// Bits of the control register (3.4.1) that are set; all others are off: no interrupts, no log of page requests, no
/// guest's tables, no virtual interrupts. Coherent: the unit looks into caches.
const ENABLE: u64 = 1;
const EVENT_LOG_ENABLE: u64 = 1 << 2;
const COHERENT: u64 = 1 << 10;
const COMMANDS_ENABLE: u64 = 1 << 12;
const OURS: u64 = ENABLE | EVENT_LOG_ENABLE | COHERENT | COMMANDS_ENABLE;

/// Bits of the status register (3.4.15): the log is full; log and commands are used.
const EVENT_OVERFLOW: u64 = 1;
const EVENTS_RUN: u64 = 1 << 3;
const COMMANDS_RUN: u64 = 1 << 4;

/// A log of one page: 256 entries of 16 bytes (2.5.2).
const LENGTH_256: u64 = 8 << 56;
const EVENT_BYTES: u64 = 16;

/// The unit's registers.
pub(crate) const REGISTER_BYTES: u64 = 0x4000;

/// Events that an access causes: a device table's or a page table's entry that cannot be, a page that is not there, and
/// tables that cannot be read.
const ACCESS_EVENTS: core::ops::RangeInclusive<u8> = 1..=4;
const EVENT_IS_WRITE: u64 = 1 << 53;

/// A unit.
#[derive(Debug)]
pub struct Unit<R> {
    registers: R,
    commands: Option<Commands>,
    events: u64,
    head: u64,
    segment: u16,
}

/// Which tables all units understand.
pub(crate) const SHAPE: Shape = Shape {
    format: Format::Amd,
    levels: 4,
    page_level: 3,
    is_coherent: true,
};

impl<R: Registers> Unit<R> {
    /// Makes the unit.
    pub fn new(registers: R, segment: u16) -> Self {
        Self {
            registers,
            commands: None,
            events: 0,
            head: 0,
            segment,
        }
    }

    /// Returns the PCI segment it is in front of.
    pub(crate) fn segment(&self) -> u16 {
        self.segment
    }

    /// Takes the pages for commands and events.
    pub(crate) fn prepare(&mut self, frames: &mut Frames) -> Result<(), NoFrames> {
        self.commands = Some(Commands::new(frames)?);
        self.events = frames.take(1, 1)?;
        Ok(())
    }

    /// Puts the device table in the place of the one that there is, if any, and translates from then on. Interrupts are
    /// not remapped any more: the table's entries say so. At no time does an access pass untranslated that did not
    /// before.
    pub(crate) fn take_over(
        &mut self,
        memory: &mut impl TableMemory,
        device_table: u64,
    ) -> Result<Found, Stuck> {
        let control = self.registers.read64(CONTROL);
        let was_translating = control & ENABLE != 0;
        let found = Found {
            was_translating,
            was_remapping: was_translating,
            was_off: false,
        };
        // Only what ends a log or a list of commands: translation stays as it is.
        let still = control & !(EVENT_LOG_ENABLE | COMMANDS_ENABLE);
        self.registers.write64(CONTROL, still);
        wait("end its commands and events", || {
            self.registers.read64(STATUS) & (EVENTS_RUN | COMMANDS_RUN) == 0
        })?;
        let mut tables = Tables {
            memory,
            is_coherent: true,
        };
        tables.fill(self.events, PAGE_BYTES, 0);
        self.registers.write64(DEVICE_TABLE, device_table);
        if let Some(commands) = &mut self.commands {
            commands.begin(&mut self.registers, memory);
        }
        self.registers.write64(EVENT_LOG, self.events | LENGTH_256);
        self.registers.write64(EVENT_HEAD, 0);
        self.registers.write64(EVENT_TAIL, 0);
        self.head = 0;
        // Memory that is excluded from translation would be reached by all.
        self.registers.write64(EXCLUSION_BASE, 0);
        self.registers.write64(CONTROL, OURS);
        wait("begin with commands", || {
            self.registers.read64(STATUS) & COMMANDS_RUN != 0
        })?;
        self.invalidate(memory, Change::Root)?;
        Ok(found)
    }

    /// Lets the unit forget what changed, and waits for accesses under way.
    pub(crate) fn invalidate(
        &mut self,
        memory: &mut impl TableMemory,
        change: Change<'_>,
    ) -> Result<(), Stuck> {
        match &mut self.commands {
            Some(commands) => commands.invalidate(&mut self.registers, memory, change),
            None => Err(Stuck {
                step: "have a list of commands",
            }),
        }
    }

    /// Returns the accesses that were stopped since the last call, and whether there were more than there was room for.
    ///
    /// An entry is there when its code is: it is read until one that is empty, and emptied. The tail register is not
    /// asked, as QEMU never moves it, and as it may move before the entry is written (Linux works around that, too).
    pub(crate) fn take_faults(&mut self, memory: &mut impl TableMemory) -> (Vec<DmaFault>, bool) {
        let mut faults = Vec::new();
        let status = self.registers.read64(STATUS);
        if status == u64::MAX || self.events == 0 {
            return (faults, false);
        }
        for _ in 0..PAGE_BYTES / EVENT_BYTES {
            let place = self.events + self.head;
            let (low, address) = (memory.read(place), memory.read(place + 8));
            let reason = (low >> 60) as u8;
            if reason == 0 {
                break;
            }
            if ACCESS_EVENTS.contains(&reason) {
                faults.push(DmaFault {
                    function: u32::from(self.segment) << 16 | (low & 0xffff) as u32,
                    address: address & !0xfff,
                    access: match low & EVENT_IS_WRITE {
                        0 => Access::Read,
                        _ => Access::Write,
                    },
                    reason,
                });
            }
            memory.write(place, 0);
            memory.write(place + 8, 0);
            self.head = (self.head + EVENT_BYTES) % PAGE_BYTES;
        }
        self.registers.write64(EVENT_HEAD, self.head);
        let has_more = status & EVENT_OVERFLOW != 0;
        if has_more {
            self.restart_events();
        }
        (faults, has_more)
    }

    /// Begins a log that was full anew (2.5.1): it stays off until it was switched off and on.
    fn restart_events(&mut self) {
        self.registers.write64(CONTROL, OURS & !EVENT_LOG_ENABLE);
        // If it does not end, it is full for ever, and every look says so.
        let _ = wait("end its events", || {
            self.registers.read64(STATUS) & EVENTS_RUN == 0
        });
        self.registers.write64(STATUS, EVENT_OVERFLOW);
        self.registers.write64(CONTROL, OURS);
    }
}
