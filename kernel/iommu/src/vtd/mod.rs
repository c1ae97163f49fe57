//! A unit of VT-d. Sections and offsets are those of Intel Virtualization Technology for Directed I/O, 4.1.

mod queue;
pub(crate) mod tables;

use alloc::vec::Vec;

use queue::Queue;

use crate::domain::{Format, Shape};
use crate::memory::{Frames, NoFrames, TableMemory};
use crate::unit::{Access, DmaFault, Found, Registers, Stuck, wait};

const CAPABILITY: u64 = 0x08;
const EXTENDED_CAPABILITY: u64 = 0x10;
const GLOBAL_COMMAND: u64 = 0x18;
const GLOBAL_STATUS: u64 = 0x1c;
const ROOT_TABLE: u64 = 0x20;
const CONTEXT_COMMAND: u64 = 0x28;
const FAULT_STATUS: u64 = 0x34;
const FAULT_CONTROL: u64 = 0x38;
const PROTECTED_MEMORY: u64 = 0x64;

/// Bits of command and status (11.4.4).
const TRANSLATION: u32 = 1 << 31;
const SET_ROOT: u32 = 1 << 30;
const FLUSH_WRITE_BUFFER: u32 = 1 << 27;
const QUEUED_INVALIDATION: u32 = 1 << 26;
const INTERRUPT_REMAPPING: u32 = 1 << 25;
/// Commands that are carried out once: a command for anything else must leave them out.
const ONCE: u32 = SET_ROOT | 1 << 29 | FLUSH_WRITE_BUFFER | 1 << 24;

/// The mode of the root table (11.4.5): others than legacy have tables of another form.
const ROOT_MODE: u64 = 0b11 << 10;

/// Fault status (11.4.9): overflow, and the errors of the queue, which stop it.
const FAULT_OVERFLOW: u32 = 1;
const QUEUE_ERRORS: u32 = 0b111 << 4;
/// Fault control: no interrupts.
const FAULT_MASK: u32 = 1 << 31;

/// Protected memory (11.4.16): on, and whether it is.
const PROTECTED_ENABLE: u32 = 1 << 31;
const PROTECTED_STATUS: u32 = 1;

/// Invalidation by registers (11.4.6, 11.4.8): of everything, and that the unit is at it.
const CONTEXT_BUSY: u64 = 1 << 63;
const CONTEXT_GLOBAL: u64 = 1 << 61;
const IOTLB_BUSY: u64 = 1 << 63;
const IOTLB_GLOBAL: u64 = 1 << 60;
const IOTLB_DRAIN_READS: u64 = 1 << 49;
const IOTLB_DRAIN_WRITES: u64 = 1 << 48;

/// A word of a fault record is its own, and it must be written to be cleared (11.4.14).
const RECORD_BYTES: u64 = 16;
const RECORD_VALID: u64 = 1 << 63;
const RECORD_IS_READ: u64 = 1 << 62;

/// What a unit can do (11.4.2, 11.4.3).
#[derive(Clone, Copy, Debug)]
struct Abilities {
    capability: u64,
    extended: u64,
}

impl Abilities {
    fn has(self, bit: u32) -> bool {
        self.capability >> bit & 1 != 0
    }

    fn needs_write_buffer_flush(self) -> bool {
        self.has(4)
    }

    fn has_protected_memory(self) -> bool {
        self.has(5) || self.has(6)
    }

    /// Returns what to add to an invalidation, so that it waits for accesses under way.
    fn drains(self) -> (bool, bool) {
        (self.has(55), self.has(54))
    }

    fn has_queue(self) -> bool {
        self.extended >> 1 & 1 != 0
    }

    /// Returns where the register of the IOTLB is, behind the one for an address.
    fn iotlb(self) -> u64 {
        (self.extended >> 8 & 0x3ff) * 16 + 8
    }

    fn fault_records(self) -> (u64, u64) {
        let first = (self.capability >> 24 & 0x3ff) * 16;
        (first, (self.capability >> 40 & 0xff) + 1)
    }

    fn shape(self) -> Option<Shape> {
        let levels = match self.capability >> 8 & 0x1f {
            widths if widths & 1 << 2 != 0 => 4,
            widths if widths & 1 << 1 != 0 => 3,
            _ => return None,
        };
        let page_level = match self.capability >> 34 & 0b11 {
            0b11 => 3,
            0b01 => 2,
            _ => 1,
        };
        Some(Shape {
            format: Format::Intel,
            levels,
            page_level,
            is_coherent: self.extended & 1 != 0,
        })
    }
}

/// A unit.
#[derive(Debug)]
pub struct Unit<R> {
    registers: R,
    abilities: Abilities,
    queue: Option<Queue>,
    segment: u16,
}

impl<R: Registers> Unit<R> {
    /// Makes the unit. Reads only.
    pub fn new(mut registers: R, segment: u16) -> Self {
        let abilities = Abilities {
            capability: registers.read64(CAPABILITY),
            extended: registers.read64(EXTENDED_CAPABILITY),
        };
        Self {
            registers,
            abilities,
            queue: None,
            segment,
        }
    }

    /// Returns which tables it understands; `None` if none that this crate makes.
    pub fn shape(&self) -> Option<Shape> {
        self.abilities.shape()
    }

    /// Returns how many bytes of registers it has.
    pub fn register_bytes(&self) -> u64 {
        let (first, count) = self.abilities.fault_records();
        let ends = [first + count * RECORD_BYTES, self.abilities.iotlb() + 8];
        ends.into_iter().fold(0xc0, u64::max)
    }

    /// Returns the PCI segment it is in front of.
    pub(crate) fn segment(&self) -> u16 {
        self.segment
    }

    /// Takes the pages that its commands need.
    pub(crate) fn prepare(&mut self, frames: &mut Frames) -> Result<(), NoFrames> {
        if self.abilities.has_queue() {
            self.queue = Some(Queue::new(frames)?);
        }
        Ok(())
    }

    /// Puts the root table in the place of the one that there is, if any, and translates from then on. Interrupts are
    /// not remapped any more. At no time does an access pass untranslated that did not before; an exception is in
    /// [`Found::was_off`].
    pub(crate) fn take_over(
        &mut self,
        memory: &mut impl TableMemory,
        root: u64,
    ) -> Result<Found, Stuck> {
        self.registers.write32(FAULT_CONTROL, FAULT_MASK);
        let status = self.registers.read32(GLOBAL_STATUS);
        let mut found = Found {
            was_translating: status & TRANSLATION != 0,
            was_remapping: status & INTERRUPT_REMAPPING != 0,
            was_off: false,
        };
        if found.was_translating && self.registers.read64(ROOT_TABLE) & ROOT_MODE != 0 {
            found.was_off = true;
            self.switch_off(TRANSLATION, "switch off, to change the form of its tables")?;
        }
        self.flush_write_buffer()?;
        self.start_queue(memory)?;
        self.registers.write64(ROOT_TABLE, root);
        self.command(SET_ROOT, "take the root table")?;
        self.invalidate(memory)?;
        self.switch_on(TRANSLATION, "begin to translate")?;
        if found.was_remapping {
            self.switch_off(INTERRUPT_REMAPPING, "end to remap interrupts")?;
        }
        self.open_protected_memory()?;
        Ok(found)
    }

    /// Ends what another owner's queue is at, and begins with our own.
    fn start_queue(&mut self, memory: &mut impl TableMemory) -> Result<(), Stuck> {
        if self.registers.read32(GLOBAL_STATUS) & QUEUED_INVALIDATION != 0 {
            // A queue that an error stopped has nothing under way.
            self.registers.write32(FAULT_STATUS, QUEUE_ERRORS);
            self.switch_off(QUEUED_INVALIDATION, "end its queue")?;
        }
        if let Some(queue) = &mut self.queue {
            queue.begin(
                &mut self.registers,
                memory,
                self.abilities.extended & 1 != 0,
            );
            self.switch_on(QUEUED_INVALIDATION, "begin with a queue")?;
        }
        Ok(())
    }

    /// Lets the unit forget everything that it has read from tables, and waits for accesses under way. Entries that
    /// were not present are forgotten too (caching mode).
    pub(crate) fn invalidate(&mut self, memory: &mut impl TableMemory) -> Result<(), Stuck> {
        let drains = self.abilities.drains();
        if let Some(queue) = &mut self.queue {
            queue.put(memory, self.abilities.extended & 1 != 0, drains);
        }
        self.flush_write_buffer()?;
        if let Some(queue) = &mut self.queue {
            return queue.run(&mut self.registers, memory);
        }
        let registers = &mut self.registers;
        let idle = |registers: &mut R| registers.read64(CONTEXT_COMMAND) & CONTEXT_BUSY == 0;
        wait("be ready to forget contexts", || idle(registers))?;
        registers.write64(CONTEXT_COMMAND, CONTEXT_BUSY | CONTEXT_GLOBAL);
        wait("forget contexts", || idle(registers))?;
        let at = self.abilities.iotlb();
        let idle = |registers: &mut R| registers.read64(at) & IOTLB_BUSY == 0;
        let drain = |bit, does| if does { bit } else { 0 };
        let drain = drain(IOTLB_DRAIN_READS, drains.0) | drain(IOTLB_DRAIN_WRITES, drains.1);
        wait("be ready to forget translations", || idle(registers))?;
        registers.write64(at, IOTLB_BUSY | IOTLB_GLOBAL | drain);
        wait("forget translations", || idle(registers))
    }

    /// Returns the accesses that were stopped since the last call, and whether there were more than it could note.
    pub(crate) fn take_faults(&mut self) -> (Vec<DmaFault>, bool) {
        let mut faults = Vec::new();
        let (first, count) = self.abilities.fault_records();
        for at in (first..)
            .step_by(RECORD_BYTES as usize)
            .take(count as usize)
        {
            let high = self.registers.read64(at + 8);
            // All ones are no record: nobody answers.
            if high & RECORD_VALID == 0 || high == u64::MAX {
                continue;
            }
            let low = self.registers.read64(at);
            faults.push(DmaFault {
                function: u32::from(self.segment) << 16 | (high & 0xffff) as u32,
                address: low & !0xfff,
                access: match high & RECORD_IS_READ {
                    0 => Access::Write,
                    _ => Access::Read,
                },
                reason: (high >> 32) as u8,
            });
            self.registers.write64(at + 8, RECORD_VALID);
        }
        let status = self.registers.read32(FAULT_STATUS);
        let has_more = status & FAULT_OVERFLOW != 0 && status != u32::MAX;
        if has_more {
            self.registers.write32(FAULT_STATUS, FAULT_OVERFLOW);
        }
        (faults, has_more)
    }

    fn flush_write_buffer(&mut self) -> Result<(), Stuck> {
        if !self.abilities.needs_write_buffer_flush() {
            return Ok(());
        }
        self.send(FLUSH_WRITE_BUFFER);
        let step = "flush its write buffer";
        wait(step, || self.has_status(FLUSH_WRITE_BUFFER, false))
    }

    /// Lets devices reach what the firmware had barred by other means: from now on the tables decide.
    fn open_protected_memory(&mut self) -> Result<(), Stuck> {
        if !self.abilities.has_protected_memory() {
            return Ok(());
        }
        let value = self.registers.read32(PROTECTED_MEMORY);
        if value & (PROTECTED_ENABLE | PROTECTED_STATUS) == 0 {
            return Ok(());
        }
        self.registers
            .write32(PROTECTED_MEMORY, value & !PROTECTED_ENABLE);
        wait("open protected memory", || {
            self.registers.read32(PROTECTED_MEMORY) & PROTECTED_STATUS == 0
        })
    }

    fn has_status(&mut self, bit: u32, is_set: bool) -> bool {
        (self.registers.read32(GLOBAL_STATUS) & bit != 0) == is_set
    }

    /// Sends a command beside what is on.
    fn send(&mut self, bit: u32) {
        let on = self.registers.read32(GLOBAL_STATUS) & !ONCE;
        self.registers.write32(GLOBAL_COMMAND, on | bit);
    }

    fn command(&mut self, bit: u32, step: &'static str) -> Result<(), Stuck> {
        self.send(bit);
        wait(step, || self.has_status(bit, true))
    }

    fn switch_on(&mut self, bit: u32, step: &'static str) -> Result<(), Stuck> {
        match self.has_status(bit, true) {
            true => Ok(()),
            false => self.command(bit, step),
        }
    }

    fn switch_off(&mut self, bit: u32, step: &'static str) -> Result<(), Stuck> {
        let on = self.registers.read32(GLOBAL_STATUS) & !ONCE & !bit;
        self.registers.write32(GLOBAL_COMMAND, on);
        wait(step, || self.has_status(bit, false))
    }
}
