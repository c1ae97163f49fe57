//! A Linux' own ACPI tables: for the owner copies of the firmware's with what it may not have taken out, for a backup
//! in its slot just enough to know its processors. Sections and offsets are those of the ACPI specification 6.5.

#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;

use super::LinuxError;
use super::layout::TABLES_BYTES;
use crate::acpi::{ApicId, Originals};

const HEADER_BYTES: usize = 36;
const CHECKSUM: usize = 9;
const RSDP_BYTES: usize = 36;
const RSDP_V1_BYTES: usize = 20;

/// FADT (5.2.9): size and revision from which on it has the extended fields, and the places that matter.
const FADT_BYTES: usize = 244;
const FADT_REVISION: u8 = 3;
const FADT_REVISION_OFFSET: usize = 8;
const FADT_DSDT: usize = 40;
const FADT_BOOT_ARCH: usize = 109;
const FADT_FLAGS: usize = 112;
const FADT_RESET_REG: usize = 116;
const FADT_RESET_VALUE: usize = 128;
const FADT_X_DSDT: usize = 140;
const FLAG_WBINVD: u32 = 1 << 0;
const FLAG_POWER_BUTTON: u32 = 1 << 4;
const FLAG_SLEEP_BUTTON: u32 = 1 << 5;
const FLAG_RESET: u32 = 1 << 10;
const FLAG_HARDWARE_REDUCED: u32 = 1 << 20;
/// Legacy devices and a keyboard controller: what an old table, which cannot say, has (5.2.9.3).
const BOOT_ARCH_OLD: u16 = 0b11;
const BOOT_ARCH_NO_VGA: u16 = 1 << 2;

/// FADT of a hardware-reduced machine: revision 6, its whole size.
const REDUCED_FADT_BYTES: usize = 276;
const REDUCED_FADT_REVISION: u8 = 6;

/// MADT (5.2.12): entries behind address and flags, and their kinds.
const MADT_ENTRIES: usize = HEADER_BYTES + 8;
const LOCAL_APIC: u8 = 0;
const LOCAL_X2APIC: u8 = 9;
/// Enabled, and online capable.
const CPU_FLAGS: u32 = 0b11;
const CPU_ENABLED: u32 = 0b01;
/// Ids from here on need an x2APIC entry.
const X2APIC_IDS: u32 = 255;

/// What the tables of one instance depend on.
#[derive(Clone, Copy, Debug)]
pub struct TableFacts<'a> {
    /// Physical address of what it shall take for the machine's reset register, and what it writes there.
    pub reset_register: (u64, u8),
    /// Signature and body of a table of our own.
    pub own_table: ([u8; 4], &'a [u8]),
    /// The seat: it stays in the list, first, so that a kernel knows that it did not boot on the BSP.
    pub seat: ApicId,
    /// The processors it may use.
    pub cores: &'a [ApicId],
    /// Physical address of the local APIC's registers.
    pub local_apic_address: u64,
    /// Whether the IOMMU is left to it.
    pub has_iommu: bool,
}

/// Tables, to be put at the address they were made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// All of them.
    pub bytes: Vec<u8>,
    /// Physical address of the root pointer in them.
    pub rsdp: u64,
}

/// Makes the tables of a Linux that owns the machine, for physical address `at`: the firmware's, but other processors
/// than its own are disabled, the reset register is ours, and DMAR and IVRS are left out unless the IOMMU is its own.
///
/// # Errors
/// [`LinuxError::TablesTooLong`].
pub fn of_primary(
    originals: &Originals,
    facts: TableFacts<'_>,
    at: u64,
) -> Result<Tables, LinuxError> {
    let mut builder = Builder::new(at);
    let mut roots = originals.others.clone();
    if facts.has_iommu {
        roots.extend(&originals.iommu);
    }
    if let Some(fadt) = &originals.fadt {
        roots.push(builder.put(patched_fadt(fadt, facts)));
    }
    roots.push(builder.put(patched_madt(&originals.madt, facts)));
    roots.push(builder.put(table(facts.own_table.0, 1, facts.own_table.1)));
    builder.finish(&roots)
}

/// Makes the tables of a Linux in its slot, for physical address `at`: a machine without hardware of its own.
///
/// # Errors
/// [`LinuxError::TablesTooLong`].
pub fn of_backup(facts: TableFacts<'_>, at: u64) -> Result<Tables, LinuxError> {
    let mut builder = Builder::new(at);
    let dsdt = builder.put(table(*b"DSDT", 2, &[]));
    let roots = [
        builder.put(reduced_fadt(dsdt, facts)),
        builder.put(slot_madt(facts)),
        builder.put(table(facts.own_table.0, 1, facts.own_table.1)),
    ];
    builder.finish(&roots)
}

/// Lays tables one after the other. The root pointer comes first.
struct Builder {
    at: u64,
    bytes: Vec<u8>,
}

impl Builder {
    fn new(at: u64) -> Self {
        Self {
            at,
            bytes: vec![0; RSDP_BYTES],
        }
    }

    /// Returns the table's address.
    fn put(&mut self, table: Vec<u8>) -> u64 {
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
        let address = self.at + self.bytes.len() as u64;
        self.bytes.extend(table);
        address
    }

    fn finish(mut self, roots: &[u64]) -> Result<Tables, LinuxError> {
        let entries: Vec<u8> = roots.iter().flat_map(|root| root.to_le_bytes()).collect();
        let xsdt = self.put(table(*b"XSDT", 1, &entries));
        let mut rsdp = [0; RSDP_BYTES];
        rsdp[..8].copy_from_slice(b"RSD PTR ");
        rsdp[9..15].copy_from_slice(b"UNDRST");
        rsdp[15] = 2;
        rsdp[20..24].copy_from_slice(&(RSDP_BYTES as u32).to_le_bytes());
        rsdp[24..32].copy_from_slice(&xsdt.to_le_bytes());
        rsdp[8] = complement(&rsdp[..RSDP_V1_BYTES]);
        rsdp[32] = complement(&rsdp);
        self.bytes[..RSDP_BYTES].copy_from_slice(&rsdp);
        match self.bytes.len() as u64 > TABLES_BYTES {
            true => Err(LinuxError::TablesTooLong(self.bytes.len())),
            false => Ok(Tables {
                bytes: self.bytes,
                rsdp: self.at,
            }),
        }
    }
}

/// Makes a table with our name in its header (5.2.6).
fn table(signature: [u8; 4], revision: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..4].copy_from_slice(&signature);
    bytes[8] = revision;
    bytes[10..16].copy_from_slice(b"UNDRST");
    bytes[16..24].copy_from_slice(b"UNDRSTDY");
    bytes[24] = 1;
    bytes[28..32].copy_from_slice(b"UNDR");
    bytes[32] = 1;
    bytes.extend(body);
    sealed(bytes)
}

/// Sets length and checksum.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    bytes[CHECKSUM] = 0;
    bytes[CHECKSUM] = complement(&bytes);
    bytes
}

fn complement(bytes: &[u8]) -> u8 {
    let sum = bytes
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
    sum.wrapping_neg()
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |word| u32::from_le_bytes(*word))
}

fn put_reset(fadt: &mut [u8], flags: u32, facts: TableFacts<'_>) {
    let (address, value) = facts.reset_register;
    fadt[FADT_FLAGS..FADT_FLAGS + 4].copy_from_slice(&(flags | FLAG_RESET).to_le_bytes());
    // A generic address (5.2.3.2): system memory, 8 bits wide, from bit 0, accessed by bytes.
    fadt[FADT_RESET_REG..FADT_RESET_REG + 4].copy_from_slice(&[0, 8, 0, 1]);
    fadt[FADT_RESET_REG + 4..FADT_RESET_REG + 12].copy_from_slice(&address.to_le_bytes());
    fadt[FADT_RESET_VALUE] = value;
}

fn patched_fadt(original: &[u8], facts: TableFacts<'_>) -> Vec<u8> {
    let mut fadt = original.to_vec();
    let is_old = fadt.len() < FADT_BYTES || fadt[FADT_REVISION_OFFSET] < FADT_REVISION;
    if is_old {
        // The extended fields stay empty, which means that the old ones count.
        fadt.resize(fadt.len().max(FADT_BYTES), 0);
        fadt[FADT_REVISION_OFFSET] = FADT_REVISION;
        fadt[FADT_BOOT_ARCH..FADT_BOOT_ARCH + 2].copy_from_slice(&BOOT_ARCH_OLD.to_le_bytes());
    }
    let flags = u32_at(&fadt, FADT_FLAGS);
    put_reset(&mut fadt, flags, facts);
    sealed(fadt)
}

fn reduced_fadt(dsdt: u64, facts: TableFacts<'_>) -> Vec<u8> {
    let mut fadt = table(
        *b"FACP",
        REDUCED_FADT_REVISION,
        &[0; REDUCED_FADT_BYTES - HEADER_BYTES],
    );
    let low = u32::try_from(dsdt).unwrap_or(0);
    fadt[FADT_DSDT..FADT_DSDT + 4].copy_from_slice(&low.to_le_bytes());
    fadt[FADT_X_DSDT..FADT_X_DSDT + 8].copy_from_slice(&dsdt.to_le_bytes());
    fadt[FADT_BOOT_ARCH..FADT_BOOT_ARCH + 2].copy_from_slice(&BOOT_ARCH_NO_VGA.to_le_bytes());
    let flags = FLAG_WBINVD | FLAG_POWER_BUTTON | FLAG_SLEEP_BUTTON | FLAG_HARDWARE_REDUCED;
    put_reset(&mut fadt, flags, facts);
    sealed(fadt)
}

/// Disables the processors that are another's, whatever order the firmware lists them in.
fn patched_madt(original: &[u8], facts: TableFacts<'_>) -> Vec<u8> {
    let mut madt = original.to_vec();
    let mut offset = MADT_ENTRIES;
    while offset + 2 <= madt.len() {
        let length = usize::from(madt[offset + 1]);
        if length < 2 || offset + length > madt.len() {
            break;
        }
        let (id, flags_offset) = match (madt[offset], length) {
            (LOCAL_APIC, 8..) => (u32::from(madt[offset + 3]), offset + 4),
            // As long as our own reader wants it: what is a processor there is one here.
            (LOCAL_X2APIC, 12..) => (u32_at(&madt, offset + 4), offset + 8),
            _ => {
                offset += length;
                continue;
            }
        };
        let is_known = ApicId(id) == facts.seat || facts.cores.contains(&ApicId(id));
        if !is_known {
            let flags = u32_at(&madt, flags_offset) & !CPU_FLAGS;
            madt[flags_offset..flags_offset + 4].copy_from_slice(&flags.to_le_bytes());
        }
        offset += length;
    }
    sealed(madt)
}

/// Makes a MADT of local APICs only, the seat's first.
fn slot_madt(facts: TableFacts<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    let address = u32::try_from(facts.local_apic_address).unwrap_or(0xfee0_0000);
    body.extend(address.to_le_bytes());
    // Flags: no 8259.
    body.extend(0_u32.to_le_bytes());
    let cores = facts.cores.iter().filter(|core| **core != facts.seat);
    for (number, id) in [&facts.seat].into_iter().chain(cores).enumerate() {
        // Both the id and the processor's number have 8 bits here.
        if id.0 < X2APIC_IDS && number < X2APIC_IDS as usize {
            body.extend([LOCAL_APIC, 8, number as u8, id.0 as u8]);
            body.extend(CPU_ENABLED.to_le_bytes());
        } else {
            body.extend([LOCAL_X2APIC, 16, 0, 0]);
            body.extend(id.0.to_le_bytes());
            body.extend(CPU_ENABLED.to_le_bytes());
            body.extend((number as u32).to_le_bytes());
        }
    }
    table(*b"APIC", 4, &body)
}
