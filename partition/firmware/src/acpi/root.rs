//! From the RSDP (5.2.5) over the RSDT or XSDT (5.2.7, 5.2.8) to the tables that matter here.

use alloc::vec::Vec;

use crate::physical::{Block, InputError, PhysicalMemory, Problem};

/// No table is longer; a MADT with 8192 CPUs has 128 KiB.
const TABLE_BYTES_MAX: u32 = 1 << 20;

/// Length of the header every table begins with (5.2.6).
pub(super) const HEADER_BYTES: usize = 36;

const RSDP_SIGNATURE: &[u8; 8] = b"RSD PTR ";
const RSDP_V1_BYTES: usize = 20;
const RSDP_V2_BYTES: usize = 36;

/// Where the root pointer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rsdp {
    /// At this physical address.
    Address(u64),
    /// The boot loader gave a copy of its bytes.
    Copy(Vec<u8>),
    /// Nobody said: search where a BIOS puts it (5.2.5.1).
    Search,
}

/// The tables that are read.
pub(super) struct Tables {
    pub madt: Block,
    pub fadt: Option<Block>,
    /// What reads the devices, and no more, must not keep a machine from booting.
    pub hpet: Option<Result<Block, InputError>>,
    pub mcfg: Option<Result<Block, InputError>>,
    pub dmar: Option<Result<Block, InputError>>,
    pub ivrs: Option<Result<Block, InputError>>,
    pub wdat: Option<Result<Block, InputError>>,
    /// What is wrong with them and does not keep Linux from using them.
    pub notes: Vec<InputError>,
    /// Addresses of DMAR and IVRS.
    pub iommu: Vec<u64>,
    /// Addresses of all tables but those and MADT and FADT.
    pub others: Vec<u64>,
}

pub(super) fn tables(rsdp: &Rsdp, memory: &dyn PhysicalMemory) -> Result<Tables, InputError> {
    let root = match rsdp {
        Rsdp::Address(address) => read_rsdp(*address, memory)?,
        Rsdp::Copy(bytes) => Block {
            name: "RSDP",
            bytes: bytes.clone(),
        },
        Rsdp::Search => read_rsdp(search(memory)?, memory)?,
    };
    let mut notes = Vec::new();
    let (root_table, entry_bytes) = read_root_table(&root, memory, &mut notes)?;

    let (mut madt, mut fadt) = (None, None);
    let (mut hpet, mut mcfg, mut dmar, mut ivrs, mut wdat) = (None, None, None, None, None);
    let (mut iommu, mut others) = (Vec::new(), Vec::new());
    for entry in root_table.bytes[HEADER_BYTES..].chunks_exact(entry_bytes) {
        let mut wide = [0; 8];
        wide[..entry_bytes].copy_from_slice(entry);
        let address = u64::from_le_bytes(wide);
        // Empty entries exist in the wild.
        if address == 0 {
            continue;
        }
        let header = match Block::read(memory, address, HEADER_BYTES, root_table.name) {
            Ok(header) => header,
            // One that leads nowhere is passed over, as in Linux.
            Err(error) => {
                notes.push(error);
                continue;
            }
        };
        match &header.bytes[..4] {
            b"APIC" | b"FACP" => {}
            b"DMAR" | b"IVRS" => iommu.push(address),
            _ => others.push(address),
        }
        let optional = match &header.bytes[..4] {
            b"HPET" => Some((&mut hpet, "HPET")),
            b"MCFG" => Some((&mut mcfg, "MCFG")),
            b"DMAR" => Some((&mut dmar, "DMAR")),
            b"IVRS" => Some((&mut ivrs, "IVRS")),
            b"WDAT" => Some((&mut wdat, "WDAT")),
            _ => None,
        };
        if let Some((slot @ None, name)) = optional {
            *slot = Some(read_table(address, name, memory, &mut notes));
        }
        let (slot, name) = match &header.bytes[..4] {
            b"APIC" => (&mut madt, "MADT"),
            b"FACP" => (&mut fadt, "FADT"),
            _ => continue,
        };
        // Of several tables of one kind the first counts, as in Linux.
        if slot.is_none() {
            *slot = Some(read_table(address, name, memory, &mut notes)?);
        }
    }
    Ok(Tables {
        madt: madt.ok_or(InputError::new(
            root_table.name,
            "entry for the MADT",
            Problem::Missing,
        ))?,
        fadt,
        hpet,
        mcfg,
        dmar,
        ivrs,
        wdat,
        notes,
        iommu,
        others,
    })
}

/// Looks through the first KiB of the extended BIOS data area and the BIOS's read-only memory, on 16-byte boundaries.
fn search(memory: &dyn PhysicalMemory) -> Result<u64, InputError> {
    let mut segment = [0; 2];
    let ebda = match memory.read(0x40e, &mut segment) {
        true => u64::from(u16::from_le_bytes(segment)) << 4,
        false => 0,
    };
    let ebda = match ebda {
        0x400..0xa_0000 => ebda..ebda + 1024,
        _ => 0..0,
    };
    let is_rsdp = |address: &u64| {
        let mut signature = [0; 8];
        memory.read(*address, &mut signature)
            && signature == *RSDP_SIGNATURE
            && read_rsdp(*address, memory).is_ok_and(|rsdp| check_rsdp(&rsdp).is_ok())
    };
    ebda.step_by(16)
        .chain((0xe_0000..0x10_0000).step_by(16))
        .find(is_rsdp)
        .ok_or(InputError::new("RSDP", "signature", Problem::Missing))
}

fn read_rsdp(address: u64, memory: &dyn PhysicalMemory) -> Result<Block, InputError> {
    let short = Block::read(memory, address, RSDP_V1_BYTES, "RSDP")?;
    match short.u8(15, "revision")? {
        0 | 1 => Ok(short),
        _ => Block::read(memory, address, RSDP_V2_BYTES, "RSDP"),
    }
}

fn check_rsdp(rsdp: &Block) -> Result<(), InputError> {
    if !rsdp.bytes.starts_with(RSDP_SIGNATURE) {
        let found = rsdp.u64(0, "signature")?;
        return Err(rsdp.error("signature", Problem::Value(found, "\"RSD PTR \"")));
    }
    let revision = rsdp.u8(15, "revision")?;
    let first = rsdp.bytes.get(..RSDP_V1_BYTES);
    let first = first.ok_or(rsdp.error("checksum", Problem::TooShort(rsdp.bytes.len() as u64)))?;
    if sum(first) != 0 {
        return Err(rsdp.error("checksum", Problem::Checksum));
    }
    if revision >= 2 {
        let all = rsdp.bytes.get(..RSDP_V2_BYTES).ok_or(rsdp.error(
            "extended checksum",
            Problem::TooShort(rsdp.bytes.len() as u64),
        ))?;
        // Nothing behind these 36 bytes is defined, so the sum over them is the one that is checked, whatever the field
        // for the length says.
        if sum(all) != 0 {
            return Err(rsdp.error("extended checksum", Problem::Checksum));
        }
    }
    Ok(())
}

/// Reads the XSDT where there is one, else the RSDT; with the size of an entry.
fn read_root_table(
    rsdp: &Block,
    memory: &dyn PhysicalMemory,
    notes: &mut Vec<InputError>,
) -> Result<(Block, usize), InputError> {
    check_rsdp(rsdp)?;
    let xsdt = match rsdp.u8(15, "revision")? {
        0 | 1 => 0,
        _ => rsdp.u64(24, "XSDT address")?,
    };
    let (address, name, signature, entry_bytes) = if xsdt != 0 {
        (xsdt, "XSDT", b"XSDT", 8)
    } else {
        let rsdt = rsdp.u32(16, "RSDT address")?;
        (u64::from(rsdt), "RSDT", b"RSDT", 4)
    };
    let table = read_table(address, name, memory, notes)?;
    if !table.bytes.starts_with(signature) {
        let found = table.u32(0, "signature")?;
        return Err(table.error("signature", Problem::Value(found.into(), name)));
    }
    Ok((table, entry_bytes))
}

/// Copies a table. A wrong checksum is noted, no more: firmware that changes a table after it was sealed is common, and
/// Linux (ACPICA, `acpi_ut_verify_checksum`) uses the table as well.
pub(super) fn read_table(
    address: u64,
    name: &'static str,
    memory: &dyn PhysicalMemory,
    notes: &mut Vec<InputError>,
) -> Result<Block, InputError> {
    let header = Block::read(memory, address, HEADER_BYTES, name)?;
    let length = header.u32(4, "length")?;
    if (length as usize) < HEADER_BYTES {
        return Err(header.error("length", Problem::Value(length.into(), "at least 36")));
    }
    if length > TABLE_BYTES_MAX {
        return Err(header.error("length", Problem::TooLong(TABLE_BYTES_MAX.into())));
    }
    let table = Block::read(memory, address, length as usize, name)?;
    if sum(&table.bytes) != 0 {
        notes.push(table.error("checksum", Problem::Checksum));
    }
    Ok(table)
}

fn sum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}
