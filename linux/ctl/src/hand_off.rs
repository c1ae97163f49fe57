//! The monitor's hand-off to this kernel: the ACPI table `UNDS`, as Linux shows it.

use std::mem::offset_of;

use sharedmem::linux::LinuxHandOff;
use sharedmem::{MAX_CORES, Revisions};

use crate::problem::{Problem, other_release};
use crate::root::Root;

const TABLE: &str = "sys/firmware/acpi/tables/UNDS";

/// Length of an ACPI table's header, which precedes its body, in bytes.
const HEADER_BYTES: usize = 36;

/// A frequency out of this range is not that of an x86-64's time-stamp counter.
const TSC_HZ: std::ops::RangeInclusive<u64> = 100_000_000..=100_000_000_000;

/// The part of the hand-off that this program uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOff {
    /// Frequency of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// The counter at the machine's boot.
    pub tsc_at_boot: u64,
    /// How long a primary may be silent before it counts as dead, in ns.
    pub timeout_ns: u64,
    /// APIC id and machine number of each core that this instance may run on.
    pub cores: Vec<(u32, u32)>,
}

/// Returns whether understudy started this machine.
pub fn is_there(root: &Root) -> bool {
    root.has(TABLE)
}

impl HandOff {
    /// Reads the hand-off.
    ///
    /// # Errors
    /// Returns an error if there is none, or if it makes no sense.
    pub fn read(root: &Root) -> Result<Self, Problem> {
        Self::parse(&root.bytes(TABLE)?)
    }

    fn parse(table: &[u8]) -> Result<Self, Problem> {
        let no_sense = || Problem::NotHere(format!("the table /{TABLE} makes no sense"));
        let body = table.get(HEADER_BYTES..).ok_or_else(no_sense)?;
        // The revisions are at the same place in all releases.
        let revisions = body.first_chunk().ok_or_else(no_sense)?;
        let found = Revisions::from_word(u64::from_le_bytes(*revisions));
        if found != Revisions::OWN {
            let what = format!(
                "the table /{TABLE} has {found}, this program has {}",
                Revisions::OWN
            );
            return Err(Problem::NotHere(other_release(what)));
        }
        Self::of_body(body).ok_or_else(no_sense)
    }

    fn of_body(body: &[u8]) -> Option<Self> {
        let body = body.get(..size_of::<LinuxHandOff>())?;
        let u32_at = |offset: usize| Some(u32::from_le_bytes(*body.get(offset..)?.first_chunk()?));
        let u64_at = |offset: usize| Some(u64::from_le_bytes(*body.get(offset..)?.first_chunk()?));
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

    /// Returns the machine number of the core with this APIC id.
    pub fn core_of(&self, apic_id: u32) -> Option<u32> {
        let mut cores = self.cores.iter();
        cores.find(|(id, _)| *id == apic_id).map(|(_, core)| *core)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::root::tests::{put, root_of};

    /// Makes the table of a machine with these cores, given by APIC id and number.
    pub fn table(cores: &[(u32, u32)]) -> Vec<u8> {
        let mut table = vec![0; HEADER_BYTES + size_of::<LinuxHandOff>()];
        let mut put = |offset: usize, bytes: &[u8]| {
            table[HEADER_BYTES + offset..][..bytes.len()].copy_from_slice(bytes);
        };
        put(0, &Revisions::OWN.word().to_le_bytes());
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
        assert!(HandOff::parse(&whole).is_ok());
        for length in [0, HEADER_BYTES, HEADER_BYTES + 8, whole.len() - 1] {
            assert!(HandOff::parse(&whole[..length]).is_err(), "{length}");
        }
        let mut table = whole.clone();
        let tsc_hz = HEADER_BYTES + offset_of!(LinuxHandOff, tsc_hz);
        table[tsc_hz..tsc_hz + 8].copy_from_slice(&1_u64.to_le_bytes());
        let text = HandOff::parse(&table).unwrap_err().to_string();
        assert!(text.ends_with("makes no sense"), "{text}");
        let mut table = whole;
        let count = HEADER_BYTES + offset_of!(LinuxHandOff, core_count);
        table[count..count + 4].fill(0xff);
        assert_eq!(HandOff::parse(&table).unwrap().cores.len(), MAX_CORES);
    }

    #[test]
    fn a_table_of_another_revision_is_refused_and_both_are_named() {
        let own = Revisions::OWN;
        for (abi, journal) in [
            (own.abi - 1, own.journal),
            (own.abi + 1, own.journal),
            (own.abi, own.journal - 1),
            (own.abi, own.journal + 1),
        ] {
            let found = Revisions { abi, journal };
            let mut table = table(&[(1, 1)]);
            table[HEADER_BYTES..][..8].copy_from_slice(&found.word().to_le_bytes());
            let problem = HandOff::parse(&table).unwrap_err();
            let text = problem.to_string();
            assert_eq!(problem.exit_code(), 3);
            let names = |revisions: Revisions| text.contains(&revisions.to_string());
            assert!(names(found) && names(own), "{text}");
        }
    }
}
