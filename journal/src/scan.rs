//! One step of reading: what lies at a position, and where reading goes on. [`Reader`](crate::Reader) and
//! [`Recovery`](crate::Recovery) differ only in how far they read.

use alloc::vec::Vec;
use sharedmem::sync::Ordering::{Acquire, Relaxed};

use sharedmem::Words;

use crate::finding::{Damage, Finding};
use crate::journal::Journal;
use crate::record::{
    HEADER_BYTES, RawKind, Record, checksum, record_bytes, split_epoch_word, split_length_word,
    stamp,
};
use crate::table::{Case, Conditions};

/// How much is read in vain before the rest is given up, in lengths of the ring. An accident leaves far fewer headers
/// without a record; an attacker who knows the salt could leave enough to read for hours.
const VAIN_LENGTHS_MAX: u64 = 8;

/// How much one step of a search reads, in bytes, plus one record. Between two steps the reader gives a sign of life.
const SEARCH_STEP_BYTES: u64 = 32 << 10;

/// What a step of reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'b> {
    /// A whole record.
    Record(Record<'b>),
    /// Damage. Reading goes on behind it.
    Finding(Finding),
    /// Nothing yet: a search for the next whole record goes on at the next step. All searches together have an end.
    Searching,
    /// Nothing more to read, for now.
    End,
}

/// How far to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Damage of the cursors that is still to be reported.
    pub cursors_astray: Option<Damage>,
    /// Everything below was applied by the primary.
    pub applied: u64,
    /// Everything below was reserved: if nothing is found there, something is missing.
    pub promised: u64,
    /// Reading ends here. A multiple of 8.
    pub end: u64,
}

/// What lies at a position. Its payload is in the buffer if the length fits.
struct Probe {
    conditions: Conditions,
    length_bytes: u32,
    epoch: u64,
    kind: RawKind,
}

/// Where a search ended.
enum Found {
    /// At a whole record, at this position.
    Record(u64),
    Nothing,
    NotYet,
    GaveUp,
}

/// A search for the next whole record that goes on in the next step.
#[derive(Clone, Copy, Debug)]
struct Search {
    /// What it began with.
    damage: Damage,
    /// The next position to look at.
    at: u64,
}

/// A place in the journal, and what was learned on the way to it.
#[derive(Clone, Debug)]
pub(crate) struct Scan<'c, W> {
    pub journal: Journal<'c, W>,
    /// A multiple of 8.
    pub position: u64,
    /// The last epoch seen. A record of an earlier epoch behind it was written by a primary that had been fenced.
    epoch_seen: u64,
    /// Bytes that may still be read in vain.
    credit_bytes: u64,
    search: Option<Search>,
}

impl<'c, W: Words + Copy> Scan<'c, W> {
    pub fn new(journal: Journal<'c, W>, from: u64) -> Self {
        Self {
            position: from.checked_next_multiple_of(8).unwrap_or(from & !7),
            epoch_seen: 0,
            credit_bytes: journal.capacity_bytes() * VAIN_LENGTHS_MAX,
            search: None,
            journal,
        }
    }

    /// Returns the position one length of the ring behind this one.
    pub fn end_of_lap(&self) -> u64 {
        self.position.saturating_add(self.journal.capacity_bytes()) & !7
    }

    /// Returns the last epoch seen. A record written here may have it, whatever lies behind.
    pub fn epoch_seen(&self) -> u64 {
        self.epoch_seen
    }

    /// Returns whether `cursor` is a possible value of a cursor, given this position.
    pub fn may_reach(&self, cursor: u64) -> bool {
        (self.position..=self.end_of_lap()).contains(&cursor) && cursor.is_multiple_of(8)
    }

    /// Reads what lies at the position and moves behind it. `epoch` is the primary's.
    pub fn step<'b>(&mut self, extent: &Extent, epoch: u64, buffer: &'b mut Vec<u8>) -> Next<'b> {
        let search = self.search.take();
        let goes_on = extent.cursors_astray.is_none() && self.position < extent.end;
        if let Some(search) = search.filter(|_| goes_on) {
            return self.go_on_searching(extent, search, buffer);
        }
        let mut probe = self.probe(self.position, extent.end, buffer);
        probe.conditions.cursors_settled = extent.cursors_astray.is_none();
        probe.conditions.epoch_acceptable = (self.epoch_seen..=epoch).contains(&probe.epoch);
        let length_bytes = probe.length_bytes;
        match probe.conditions.case() {
            Case::CursorsAstray => match extent.cursors_astray {
                Some(damage) => self.finding(extent, extent.end, damage),
                None => Next::End,
            },
            Case::CleanEnd => Next::End,
            Case::Unpublished => self.skip_damage(extent, Damage::Hole, buffer),
            Case::LengthImpossible => {
                self.skip_damage(extent, Damage::Length { length_bytes }, buffer)
            }
            Case::ChecksumWrong => self.skip_damage(extent, Damage::Checksum, buffer),
            Case::EpochForeign => {
                let epoch = probe.epoch;
                let end = self.position + record_bytes(length_bytes);
                let next = self.finding(extent, end, Damage::ForeignEpoch { epoch });
                self.position = end;
                next
            }
            Case::Whole => Next::Record(self.accept(&probe, buffer)),
        }
    }

    /// Moves behind a whole record.
    fn accept<'b>(&mut self, probe: &Probe, buffer: &'b [u8]) -> Record<'b> {
        let position = self.position;
        let size_bytes = record_bytes(probe.length_bytes);
        self.position = position + size_bytes;
        self.epoch_seen = probe.epoch;
        let credit_bytes_max = self.journal.capacity_bytes() * VAIN_LENGTHS_MAX;
        self.credit_bytes = (self.credit_bytes + size_bytes).min(credit_bytes_max);
        Record {
            position,
            end: self.position,
            epoch: probe.epoch,
            kind: probe.kind,
            payload: &buffer[..probe.length_bytes as usize],
        }
    }

    /// Moves to the next whole record, or to the end of what was reserved, and reports what was skipped.
    fn skip_damage(
        &mut self,
        extent: &Extent,
        damage: Damage,
        buffer: &mut Vec<u8>,
    ) -> Next<'static> {
        let at = self.position.saturating_add(8);
        self.go_on_searching(extent, Search { damage, at }, buffer)
    }

    fn go_on_searching(
        &mut self,
        extent: &Extent,
        mut search: Search,
        buffer: &mut Vec<u8>,
    ) -> Next<'static> {
        let is_promised = self.position < extent.promised;
        let found = self.search(&mut search.at, extent.end, buffer);
        let damage = search.damage;
        let (to, damage) = match found {
            Found::NotYet => {
                self.search = Some(search);
                return Next::Searching;
            }
            Found::Record(position) => (position, damage),
            Found::GaveUp => (extent.end, Damage::FalseHeaders),
            Found::Nothing if damage == Damage::Hole && !is_promised => return Next::End,
            Found::Nothing if damage == Damage::Hole => (extent.promised, Damage::TornTail),
            Found::Nothing if is_promised => (extent.promised, damage),
            Found::Nothing => {
                // The whole way was read in vain, and the next word may lead to the same search.
                let searched_bytes = extent.end - self.position;
                self.credit_bytes = self.credit_bytes.saturating_sub(searched_bytes);
                (self.position + 8, damage)
            }
        };
        let next = self.finding(extent, to, damage);
        self.position = to;
        next
    }

    /// Searches from `at` on, word by word, for a whole record of any epoch. Moves `at` as far as it has looked.
    fn search(&mut self, at: &mut u64, end: u64, buffer: &mut Vec<u8>) -> Found {
        let mut left_bytes = SEARCH_STEP_BYTES;
        let mut place = self.journal.place(*at);
        while *at < end {
            if self.credit_bytes == 0 {
                return Found::GaveUp;
            }
            if left_bytes == 0 {
                return Found::NotYet;
            }
            left_bytes = left_bytes.saturating_sub(8);
            let position = *at;
            if place.load(Relaxed) == stamp(self.journal.salt, position) {
                let probe = self.probe(position, end, buffer);
                if probe.conditions.checksum_matches {
                    return Found::Record(position);
                }
                if probe.conditions.length_fits {
                    left_bytes = left_bytes.saturating_sub(record_bytes(probe.length_bytes));
                }
            }
            *at = position + 8;
        }
        Found::Nothing
    }

    /// Reads what lies at `position`. Each word is loaded once and the copy is checked, because the memory may change
    /// meanwhile.
    fn probe(&mut self, position: u64, end: u64, buffer: &mut Vec<u8>) -> Probe {
        let mut probe = Probe {
            conditions: Conditions::default(),
            length_bytes: 0,
            epoch: 0,
            kind: RawKind(0),
        };
        let conditions = &mut probe.conditions;
        conditions.at_end = position >= end;
        if conditions.at_end {
            return probe;
        }
        let mut place = self.journal.place(position);
        // Acquire: pairs with the store that published the record.
        conditions.stamp_matches = place.load(Acquire) == stamp(self.journal.salt, position);
        if !conditions.stamp_matches {
            return probe;
        }
        let (length_bytes, expected) = split_length_word(place.load(Relaxed));
        let word_2 = place.load(Relaxed);
        probe.length_bytes = length_bytes;
        (probe.epoch, probe.kind) = split_epoch_word(word_2);
        let size_bytes = record_bytes(length_bytes);
        conditions.length_fits =
            length_bytes <= self.journal.max_payload_bytes() && size_bytes <= end - position;
        if !conditions.length_fits {
            return probe;
        }
        buffer.resize((size_bytes - HEADER_BYTES) as usize, 0);
        let (eights, _) = buffer.as_chunks_mut();
        for eight in eights.iter_mut() {
            *eight = place.load(Relaxed).to_le_bytes();
        }
        let copy = eights.iter().map(|eight| u64::from_le_bytes(*eight));
        conditions.checksum_matches =
            checksum(self.journal.crc, position, length_bytes, word_2, copy) == expected;
        if !conditions.checksum_matches {
            self.credit_bytes = self.credit_bytes.saturating_sub(size_bytes);
        }
        probe
    }

    fn finding(&self, extent: &Extent, to: u64, damage: Damage) -> Next<'static> {
        Next::Finding(Finding {
            from: self.position,
            to,
            damage,
            was_applied: self.position < extent.applied && !damage.is_of_cursors(),
        })
    }
}
