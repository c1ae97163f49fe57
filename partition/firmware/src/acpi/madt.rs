//! The multiple APIC description table (5.2.12): CPUs and interrupt controllers.

use alloc::vec::Vec;

use super::ApicId;
use super::cpus::Cpus;
use super::root::HEADER_BYTES;
use crate::physical::{Block, InputError, Problem};

/// Address of the local APIC's registers, flags; then the entries.
const ENTRIES: usize = HEADER_BYTES + 8;

const LOCAL_APIC: u8 = 0;
const IO_APIC: u8 = 1;
const INTERRUPT_OVERRIDE: u8 = 2;
const LOCAL_APIC_ADDRESS: u8 = 5;
const LOCAL_X2APIC: u8 = 9;

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Its id.
    pub id: u8,
    /// Physical address of its registers.
    pub address: u64,
    /// The global interrupt that its first input is.
    pub global_interrupt_base: u32,
}

/// An ISA interrupt that does not go where its number says, or does not signal as ISA interrupts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptOverride {
    /// The ISA interrupt.
    pub isa_irq: u8,
    /// Where and how it arrives.
    pub to: IsaInterrupt,
}

/// Where and how an ISA interrupt arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsaInterrupt {
    /// The global interrupt.
    pub global_interrupt: u32,
    /// Whether low means active; else high does.
    pub active_low: bool,
    /// Whether it is level triggered; else by edge.
    pub level: bool,
}

#[derive(Debug, Default)]
pub(super) struct Madt {
    pub cpus: Cpus,
    pub local_apic_address: u64,
    pub has_8259: bool,
    pub io_apics: Vec<IoApic>,
    pub overrides: Vec<InterruptOverride>,
}

/// Reads the table; what can be passed over is added to `notes`.
pub(super) fn parse(
    table: &Block,
    bsp: ApicId,
    notes: &mut Vec<InputError>,
) -> Result<Madt, InputError> {
    let mut madt = Madt {
        local_apic_address: table.u32(HEADER_BYTES, "local APIC address")?.into(),
        has_8259: table.u32(HEADER_BYTES + 4, "flags")? & 1 != 0,
        ..Madt::default()
    };
    let mut offset = ENTRIES;
    while offset < table.bytes.len() {
        let length = usize::from(table.u8(offset + 1, "entry length")?);
        // An entry shorter than its own header would be read for ever.
        if length < 2 {
            return Err(table.error("entry length", Problem::Value(length as u64, "at least 2")));
        }
        let Some(bytes) = table.bytes.get(offset..offset + length) else {
            let left = table.bytes.len() - offset;
            return Err(table.error("entry length", Problem::TooShort(left as u64)));
        };
        let entry = Block {
            name: table.name,
            bytes: bytes.to_vec(),
        };
        madt.take(&entry, notes)?;
        offset += length;
    }
    madt.cpus.begin_with(bsp);
    Ok(madt)
}

impl Madt {
    fn take(&mut self, entry: &Block, notes: &mut Vec<InputError>) -> Result<(), InputError> {
        match entry.u8(0, "entry type")? {
            LOCAL_APIC => {
                let id = entry.u8(3, "local APIC: APIC id")?;
                let flags = entry.u32(4, "local APIC: flags")?;
                self.cpus
                    .take(ApicId(id.into()), flags, ApicId(u8::MAX.into()));
            }
            LOCAL_X2APIC => {
                let id = entry.u32(4, "local x2APIC: x2APIC id")?;
                let flags = entry.u32(8, "local x2APIC: flags")?;
                self.cpus.take(ApicId(id), flags, ApicId(u32::MAX));
            }
            IO_APIC => self.io_apics.push(IoApic {
                id: entry.u8(2, "I/O APIC: id")?,
                address: entry.u32(4, "I/O APIC: address")?.into(),
                global_interrupt_base: entry.u32(8, "I/O APIC: interrupt base")?,
            }),
            INTERRUPT_OVERRIDE => self.take_override(entry, notes)?,
            LOCAL_APIC_ADDRESS => {
                self.local_apic_address = entry.u64(4, "local APIC address override: address")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in an interrupt source override (5.2.12.5). "As the bus has it" is, for ISA: active high, by edge. Of two
    /// that contradict each other the later counts, as in Linux (`acpi_isa_irq_to_gsi`).
    fn take_override(
        &mut self,
        entry: &Block,
        notes: &mut Vec<InputError>,
    ) -> Result<(), InputError> {
        let flags = entry.u16(8, "interrupt override: flags")?;
        let isa_irq = entry.u8(3, "interrupt override: source")?;
        let to = IsaInterrupt {
            global_interrupt: entry.u32(4, "interrupt override: global interrupt")?,
            active_low: flags & 0b11 == 0b11,
            level: (flags >> 2) & 0b11 == 0b11,
        };
        match self
            .overrides
            .iter_mut()
            .find(|other| other.isa_irq == isa_irq)
        {
            Some(same) if same.to == to => {}
            Some(earlier) => {
                earlier.to = to;
                let problem = Problem::Duplicate(isa_irq.into());
                notes.push(entry.error("interrupt override: source", problem));
            }
            None => self.overrides.push(InterruptOverride { isa_irq, to }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{machine, madt, read};
    use super::*;
    use alloc::vec;

    #[test]
    fn an_interrupt_arrives_at_the_io_apic_with_the_next_lower_base() {
        let bases = [0_u32, 24, 96, 32, 200, 232];
        let entries: Vec<Vec<u8>> = (0_u32..)
            .zip(bases)
            .map(|(number, base)| {
                // Two in each page.
                let address = 0xfec0_0000 + number * 0x800;
                let head = [1, 12, number as u8, 0];
                [&head[..], &address.to_le_bytes(), &base.to_le_bytes()].concat()
            })
            .collect();
        let info = read(&machine(&[madt(&entries)])).unwrap();
        assert_eq!(info.io_apics.len(), bases.len());
        for (interrupt, expected) in [
            (4, (0xfec0_0000, 4)),
            (24, (0xfec0_0800, 0)),
            (95, (0xfec0_1800, 63)),
            (96, (0xfec0_1000, 0)),
            (240, (0xfec0_2800, 8)),
        ] {
            let (io_apic, pin) = info.pin_of(interrupt).unwrap();
            assert_eq!((io_apic.address, pin), expected, "interrupt {interrupt}");
        }
        let later = read(&machine(&[madt(&[vec![
            1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,
        ]])]))
        .unwrap();
        assert_eq!(later.pin_of(4), None);
    }
}
