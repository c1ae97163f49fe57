//! The CPUs that the MADT lists: each once, the one that was booted first, and a note of what is odd about the rest.
//!
//! Firmware lists CPUs twice, with the id that is everybody's address, or forgets the one that was booted. None of that
//! keeps the machine from booting: an entry that cannot be used is left out and noted. Whether a CPU that is listed is
//! there, only a roll call can tell.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::ApicId;

/// Flag of a CPU entry: ready to use.
const ENABLED: u32 = 1;

/// Flag of a CPU entry that is not enabled: there once it is plugged in. Nobody plugs here.
const ONLINE_CAPABLE: u32 = 2;

/// What is odd about a CPU's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CpuNote {
    /// An earlier entry has the same id; that one is used.
    ListedTwice,
    /// The id is everybody's address, so no CPU has it.
    Broadcast,
    /// It can be plugged in later ("online capable"). Nobody uses it then.
    NotPlugged,
    /// It is the CPU that was booted, and no entry names it. It is used.
    NotListed,
}

/// The CPUs.
#[derive(Debug, Default)]
pub(super) struct Cpus {
    pub ids: Vec<ApicId>,
    pub notes: Vec<(ApicId, CpuNote)>,
    seen: BTreeSet<ApicId>,
}

impl Cpus {
    /// Takes in the entry of a CPU, with its flags; `broadcast` is the id that stands for all CPUs in such an entry.
    pub fn take(&mut self, id: ApicId, flags: u32, broadcast: ApicId) {
        let note = match flags & (ENABLED | ONLINE_CAPABLE) {
            0 => return,
            ONLINE_CAPABLE => CpuNote::NotPlugged,
            _ if id == broadcast => CpuNote::Broadcast,
            _ if self.seen.insert(id) => return self.ids.push(id),
            _ => CpuNote::ListedTwice,
        };
        self.note(id, note);
    }

    fn note(&mut self, id: ApicId, note: CpuNote) {
        if !self.notes.contains(&(id, note)) {
            self.notes.push((id, note));
        }
    }

    /// Moves the CPU that was booted to the front, wherever it is listed.
    pub fn begin_with(&mut self, bsp: ApicId) {
        match self.ids.iter().position(|id| *id == bsp) {
            Some(place) => self.ids[..=place].rotate_right(1),
            None => {
                self.ids.insert(0, bsp);
                self.note(bsp, CpuNote::NotListed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ApicId = ApicId(255);

    fn cpus(entries: &[(u32, u32)], bsp: u32) -> Cpus {
        let mut cpus = Cpus::default();
        for (id, flags) in entries {
            cpus.take(ApicId(*id), *flags, ALL);
        }
        cpus.begin_with(ApicId(bsp));
        cpus
    }

    #[test]
    fn an_entry_that_cannot_be_used_is_left_out_and_noted_once() {
        let odd = [(0, 1), (7, 1), (7, 1), (255, 1), (7, 1), (9, 2), (8, 0)];
        let cpus = cpus(&odd, 7);
        assert_eq!(cpus.ids, [ApicId(7), ApicId(0)]);
        assert_eq!(
            cpus.notes,
            [
                (ApicId(7), CpuNote::ListedTwice),
                (ALL, CpuNote::Broadcast),
                (ApicId(9), CpuNote::NotPlugged),
            ]
        );
    }

    #[test]
    fn the_cpu_that_was_booted_is_used_even_if_no_entry_names_it() {
        let cpus = cpus(&[(4, 1), (2, 1)], 6);
        assert_eq!(cpus.ids, [6, 4, 2].map(ApicId));
        assert_eq!(cpus.notes, [(ApicId(6), CpuNote::NotListed)]);
    }
}
