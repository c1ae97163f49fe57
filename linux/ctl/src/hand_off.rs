//! What the monitor told this kernel at its start: the table `UNDS`, as Linux shows it.

use std::mem::offset_of;

use sharedmem::linux::LinuxHandOff;
use sharedmem::{ABI_REVISION, MAX_CORES};

use crate::problem::Problem;
use crate::root::Root;

const TABLE: &str = "sys/firmware/acpi/tables/UNDS";

/// Bytes of an ACPI table before its body.
const HEADER_BYTES: usize = 36;

/// A counter that is slower or faster is none of an x86-64.
const TSC_HZ: std::ops::RangeInclusive<u64> = 100_000_000..=100_000_000_000;

/// What of it is of use here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOff {
    /// Frequency of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// The counter at the machine's boot.
    pub tsc_at_boot: u64,
    /// A primary silent for so long is dead, in ns.
    pub timeout_ns: u64,
    /// APIC id and machine number of each core that the owner may run on.
    pub cores: Vec<(u32, u32)>,
}

/// Whether this machine was started by understudy.
pub fn is_there(root: &Root) -> bool {
    root.has(TABLE)
}

impl HandOff {
    /// Reads it.
    ///
    /// # Errors
    /// There is none, or it makes no sense.
    pub fn read(root: &Root) -> Result<Self, Problem> {
        Self::parse(&root.bytes(TABLE)?).ok_or_else(|| {
            Problem::NotHere(format!(
                "the table /{TABLE} makes no sense, or is of another release"
            ))
        })
    }

    fn parse(table: &[u8]) -> Option<Self> {
        let body = table.get(HEADER_BYTES..HEADER_BYTES + size_of::<LinuxHandOff>())?;
        let u32_at = |offset: usize| Some(u32::from_le_bytes(*body.get(offset..)?.first_chunk()?));
        let u64_at = |offset: usize| Some(u64::from_le_bytes(*body.get(offset..)?.first_chunk()?));
        if u32_at(offset_of!(LinuxHandOff, abi_revision))? != ABI_REVISION {
            return None;
        }
        let count = u32_at(offset_of!(LinuxHandOff, core_count))? as usize;
        let cores = (0..count.min(MAX_CORES)).map(|index| {
            let apic_id = u32_at(offset_of!(LinuxHandOff, core_apic_ids) + 4 * index)?;
            Some((
                apic_id,
                u32_at(offset_of!(LinuxHandOff, core_numbers) + 4 * index)?,
            ))
        });
        Some(Self {
            tsc_hz: u64_at(offset_of!(LinuxHandOff, tsc_hz)).filter(|hz| TSC_HZ.contains(hz))?,
            tsc_at_boot: u64_at(offset_of!(LinuxHandOff, tsc_at_boot))?,
            timeout_ns: u64_at(offset_of!(LinuxHandOff, timeout_ns))?,
            cores: cores.collect::<Option<_>>()?,
        })
    }

    /// The machine number of the core with this APIC id.
    pub fn core_of(&self, apic_id: u32) -> Option<u32> {
        let mut cores = self.cores.iter();
        cores.find(|(id, _)| *id == apic_id).map(|(_, core)| *core)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::root::tests::{put, root_of};

    /// A table of a machine with these cores: APIC id and number.
    pub fn table(cores: &[(u32, u32)]) -> Vec<u8> {
        let mut table = vec![0; HEADER_BYTES + size_of::<LinuxHandOff>()];
        let mut put = |offset: usize, bytes: &[u8]| {
            table[HEADER_BYTES + offset..][..bytes.len()].copy_from_slice(bytes);
        };
        put(0, &ABI_REVISION.to_le_bytes());
        put(
            offset_of!(LinuxHandOff, tsc_hz),
            &1_000_000_000_u64.to_le_bytes(),
        );
        put(
            offset_of!(LinuxHandOff, timeout_ns),
            &20_000_000_u64.to_le_bytes(),
        );
        put(
            offset_of!(LinuxHandOff, core_count),
            &(cores.len() as u32).to_le_bytes(),
        );
        for (index, (apic_id, number)) in cores.iter().enumerate() {
            let ids = offset_of!(LinuxHandOff, core_apic_ids);
            put(ids + 4 * index, &apic_id.to_le_bytes());
            let numbers = offset_of!(LinuxHandOff, core_numbers);
            put(numbers + 4 * index, &number.to_le_bytes());
        }
        table
    }

    #[test]
    fn cores_are_found_by_their_apic_ids() {
        let (_directory, root) = root_of(&[]);
        assert!(!is_there(&root));
        assert_eq!(HandOff::read(&root).unwrap_err().exit_code(), 4);
        put(&root, TABLE, &table(&[(4, 2), (2, 1)]));
        let hand_off = HandOff::read(&root).unwrap();
        assert_eq!(
            (hand_off.tsc_hz, hand_off.timeout_ns),
            (1_000_000_000, 20_000_000)
        );
        assert_eq!(
            [4, 2, 0].map(|id| hand_off.core_of(id)),
            [Some(2), Some(1), None]
        );
    }

    #[test]
    fn a_table_cut_off_or_out_of_its_senses_is_refused() {
        let whole = table(&[(1, 1)]);
        assert!(HandOff::parse(&whole).is_some());
        assert!(HandOff::parse(&whole[..whole.len() - 1]).is_none());
        for (offset, value) in [
            (offset_of!(LinuxHandOff, abi_revision), 99),
            (offset_of!(LinuxHandOff, tsc_hz), 1),
        ] {
            let mut table = whole.clone();
            table[HEADER_BYTES + offset..][..4].copy_from_slice(&(value as u32).to_le_bytes());
            assert!(HandOff::parse(&table).is_none());
        }
        let mut table = whole;
        let count = HEADER_BYTES + offset_of!(LinuxHandOff, core_count);
        table[count..count + 4].fill(0xff);
        assert_eq!(HandOff::parse(&table).unwrap().cores.len(), MAX_CORES);
    }
}
