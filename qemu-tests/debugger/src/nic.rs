//! The machine's virtio network card, as a debugger sees it: its registers and its rings.
//!
//! Source: "Virtual I/O Device (VIRTIO) Version 1.2", 4.1 (PCI) and 2.7 (split virtqueues).

use super::{Debugger, Space};
use harness::problem::Problem;

/// Vendor and device of a modern virtio network card.
const NIC_ID: u32 = 0x1041_1af4;
/// Offsets in PCI's configuration space.
const COMMAND: u32 = 0x04;
const FIRST_BAR: u32 = 0x10;
const CAPABILITIES: u32 = 0x34;
/// A capability of the vendor, and the kind that says where the common registers are.
const VENDOR_CAPABILITY: u32 = 0x09;
const COMMON_REGISTERS: u32 = 1;
/// A chain of capabilities is no longer than this.
const CAPABILITIES_MAX: u32 = 48;
/// Offsets in the common registers.
const DEVICE_STATUS: u64 = 0x14;
const QUEUE_SELECT: u64 = 0x16;
const QUEUE_DESCRIPTORS: u64 = 0x20;
const QUEUE_DRIVER: u64 = 0x28;
const QUEUE_DEVICE: u64 = 0x30;
/// Offset of the index in the ring that the device writes.
const USED_INDEX: u64 = 2;

/// Where the card is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioNic {
    /// Its device number on bus 0.
    slot: u32,
    /// Physical address of its common registers.
    pub common: u64,
}

/// Where a queue's areas are, in physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueAreas {
    /// The descriptors.
    pub descriptors: u64,
    /// The ring that the driver writes.
    pub driver: u64,
    /// The ring in which the card says what it has used.
    pub device: u64,
}

impl VirtioNic {
    /// Looks for the card.
    ///
    /// # Errors
    /// There is none, or QEMU does not answer.
    pub fn find(debugger: &mut Debugger) -> Result<Self, Problem> {
        for slot in 0..32 {
            if config(debugger, slot, 0)? == NIC_ID {
                let common = common_registers(debugger, slot)?;
                return Ok(Self { slot, common });
            }
        }
        Err(Problem::Failed(
            "the machine has no virtio network card".into(),
        ))
    }

    /// Writes 0 to the device's status, which resets it.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn reset(&self, debugger: &mut Debugger) -> Result<(), Problem> {
        debugger.write(Space::Physical, self.common + DEVICE_STATUS, &[0])
    }

    /// Switches the card's memory space off.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn switch_off_memory(&self, debugger: &mut Debugger) -> Result<(), Problem> {
        const MEMORY_SPACE: u32 = 1 << 1;
        let command = config(debugger, self.slot, COMMAND)? & 0xffff & !MEMORY_SPACE;
        debugger.monitor(&format!("o/h 0xcfc {command:#x}"))?;
        Ok(())
    }

    /// Returns the physical addresses of the areas of queue `queue`.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn areas(&self, debugger: &mut Debugger, queue: u16) -> Result<QueueAreas, Problem> {
        let select = self.common + QUEUE_SELECT;
        let selected = debugger.read(Space::Physical, select, 2)?;
        debugger.write(Space::Physical, select, &queue.to_le_bytes())?;
        let mut area = |offset| {
            // A register is read 32 bits at a time.
            let low = debugger.read(Space::Physical, self.common + offset, 4)?;
            let high = debugger.read(Space::Physical, self.common + offset + 4, 4)?;
            Ok(u64::from(number(&high)) << 32 | u64::from(number(&low)))
        };
        let areas = QueueAreas {
            descriptors: area(QUEUE_DESCRIPTORS)?,
            driver: area(QUEUE_DRIVER)?,
            device: area(QUEUE_DEVICE)?,
        };
        debugger.write(Space::Physical, select, &selected)?;
        Ok(areas)
    }

    /// Adds `difference` to the used index of queue `queue`: 0 receives, 1 transmits.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn move_used_index(
        &self,
        debugger: &mut Debugger,
        queue: u16,
        difference: u16,
    ) -> Result<(), Problem> {
        let ring = self.areas(debugger, queue)?.device;
        let index = debugger.read(Space::Physical, ring + USED_INDEX, 2)?;
        let index = (number(&index) as u16).wrapping_add(difference);
        debugger.write(Space::Physical, ring + USED_INDEX, &index.to_le_bytes())
    }
}

fn common_registers(debugger: &mut Debugger, slot: u32) -> Result<u64, Problem> {
    let mut at = config(debugger, slot, CAPABILITIES)? & 0xff;
    for _ in 0..CAPABILITIES_MAX {
        let head = config(debugger, slot, at)?;
        if at == 0 {
            break;
        }
        if head & 0xff == VENDOR_CAPABILITY && head >> 24 == COMMON_REGISTERS {
            let bar = config(debugger, slot, at + 4)? & 0xff;
            let offset = config(debugger, slot, at + 8)?;
            let low = config(debugger, slot, FIRST_BAR + 4 * bar)?;
            let high = config(debugger, slot, FIRST_BAR + 4 * (bar + 1))?;
            return Ok((u64::from(high) << 32 | u64::from(low & !0xf)) + u64::from(offset));
        }
        at = head >> 8 & 0xff;
    }
    Err(Problem::Failed(
        "the network card has no common registers".into(),
    ))
}

/// Reads configuration space through the ports, which the guest does not use any more once it serves.
fn config(debugger: &mut Debugger, slot: u32, offset: u32) -> Result<u32, Problem> {
    let address = 1 << 31 | slot << 11 | offset & !3;
    debugger.monitor(&format!("o/w 0xcf8 {address:#x}"))?;
    let answer = debugger.monitor("i/w 0xcfc")?;
    parse_port(&answer)
        .ok_or_else(|| Problem::of_host("debugger", format!("a port is read as {answer:?}")))
}

/// Reads the answer of the monitor's `i`: `portw[0x0cfc] = 0x29c08086`.
fn parse_port(answer: &str) -> Option<u32> {
    let (_, digits) = answer.rsplit_once("0x")?;
    u32::from_str_radix(digits.trim(), 16).ok()
}

fn number(bytes: &[u8]) -> u32 {
    let bytes = bytes.iter().rev().take(4);
    bytes.fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_from_what_the_monitor_prints() {
        assert_eq!(
            parse_port("portw[0x0cfc] = 0x29c08086\r\n"),
            Some(0x29c0_8086)
        );
        assert_eq!(parse_port(""), None);
        assert_eq!(parse_port("portw[0x0cfc] = nothing"), None);
        assert_eq!(number(&[0x34, 0x12]), 0x1234);
    }
}
