//! Members in the order of their scores, with their ranks.
//!
//! Three levels of sorted parts: groups of chunks of members. A part that grows is divided, and one that shrinks is
//! joined with its neighbour, so no change moves more than a few hundred entries. A place is found by binary search; a
//! rank by adding the lengths of the parts before it, of which a million members have some 200.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;
use resp::Bytes;

/// Most entries of a chunk.
const CHUNK_MAX: usize = 128;
/// Most chunks of a group.
const GROUP_MAX: usize = 128;

/// A member with its score, which is not NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The score.
    pub score: f64,
    /// The member.
    pub member: Bytes,
}

impl Scored {
    /// Compares two of them as Redis does: by score, then by member. Both zeros are one score.
    pub fn order(&self, other: &Self) -> Ordering {
        let by_score = self.score.partial_cmp(&other.score);
        by_score
            .unwrap_or(Ordering::Equal)
            .then_with(|| self.member.cmp(&other.member))
    }
}

#[derive(Default)]
struct Group {
    chunks: Vec<Vec<Scored>>,
    len: usize,
}

/// The members of a sorted set, in order.
#[derive(Default)]
pub struct Ranked {
    groups: Vec<Group>,
    len: usize,
}

/// Where an entry is. Behind the last entry it is the end of the last chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    group: usize,
    chunk: usize,
    entry: usize,
}

impl Ranked {
    /// Returns the place of the first entry for which `is_before` is false. It is true for those before it.
    fn place(&self, is_before: impl Fn(&Scored) -> bool) -> Place {
        let ends_before = |chunk: &Vec<Scored>| chunk.last().is_some_and(&is_before);
        let group = (self.groups)
            .partition_point(|group| group.chunks.last().is_some_and(ends_before))
            .min(self.groups.len().saturating_sub(1));
        let Some(chunks) = self.groups.get(group).map(|group| &group.chunks) else {
            return Place::default();
        };
        let chunk = chunks.partition_point(ends_before).min(chunks.len() - 1);
        Place {
            group,
            chunk,
            entry: chunks[chunk].partition_point(is_before),
        }
    }

    /// Returns how many entries are before a place.
    fn rank(&self, place: Place) -> usize {
        let groups = self.groups.iter().take(place.group);
        let before: usize = groups.map(|group| group.len).sum();
        let group = self.groups.get(place.group);
        let chunks = group.into_iter().flat_map(|group| &group.chunks);
        before + chunks.take(place.chunk).map(Vec::len).sum::<usize>() + place.entry
    }

    /// Returns the place of a rank.
    fn at_rank(&self, rank: usize) -> Place {
        let mut left = rank;
        let mut place = Place::default();
        while let Some(group) = self.groups.get(place.group)
            && left >= group.len
            && place.group + 1 < self.groups.len()
        {
            left -= group.len;
            place.group += 1;
        }
        let Some(group) = self.groups.get(place.group) else {
            return place;
        };
        while left >= group.chunks[place.chunk].len() && place.chunk + 1 < group.chunks.len() {
            left -= group.chunks[place.chunk].len();
            place.chunk += 1;
        }
        place.entry = left;
        place
    }

    /// Returns how many entries there are for which `is_before` is true. They are the first ones.
    pub fn count_before(&self, is_before: impl Fn(&Scored) -> bool) -> usize {
        self.rank(self.place(is_before))
    }

    /// Inserts an entry that is not there.
    pub fn insert(&mut self, entry: Scored) {
        let place = self.place(|other| other.order(&entry).is_lt());
        self.len += 1;
        if self.groups.is_empty() {
            self.groups.push(Group {
                chunks: alloc::vec![Vec::new()],
                len: 0,
            });
        }
        let group = &mut self.groups[place.group];
        group.len += 1;
        let chunk = &mut group.chunks[place.chunk];
        chunk.insert(place.entry, entry);
        if chunk.len() <= CHUNK_MAX {
            return;
        }
        let upper = upper_half(chunk);
        group.chunks.insert(place.chunk + 1, upper);
        if group.chunks.len() <= GROUP_MAX {
            return;
        }
        let chunks = upper_half(&mut group.chunks);
        let len = chunks.iter().map(Vec::len).sum();
        group.len -= len;
        self.groups.insert(place.group + 1, Group { chunks, len });
    }

    /// Removes an entry. Returns whether it was there.
    pub fn remove(&mut self, entry: &Scored) -> bool {
        let place = self.place(|other| other.order(entry).is_lt());
        let found = self.get_at(place);
        if found.is_none_or(|found| found.order(entry).is_ne()) {
            return false;
        }
        self.len -= 1;
        let group = &mut self.groups[place.group];
        group.len -= 1;
        group.chunks[place.chunk].remove(place.entry);
        if group.chunks[place.chunk].len() < CHUNK_MAX / 4 {
            join(&mut group.chunks, place.chunk, CHUNK_MAX, |one, other| {
                one.extend(other);
            });
        }
        group.chunks.retain(|chunk| !chunk.is_empty());
        if group.chunks.len() < GROUP_MAX / 4 {
            join_groups(&mut self.groups, place.group);
        }
        true
    }

    fn get_at(&self, place: Place) -> Option<&Scored> {
        let group = self.groups.get(place.group)?;
        group.chunks.get(place.chunk)?.get(place.entry)
    }

    /// Returns the entry of a rank.
    pub fn get(&self, rank: usize) -> Option<&Scored> {
        self.get_at(self.at_rank(rank))
    }

    /// Returns the entries of a range of ranks, in order.
    pub fn range(&self, ranks: Range<usize>) -> Entries<'_> {
        let ranks = ranks.start.min(self.len)..ranks.end.min(self.len);
        Entries {
            ranked: self,
            front: self.at_rank(ranks.start),
            back: self.at_rank(ranks.end.max(ranks.start)),
            left: ranks.len(),
        }
    }

    /// Takes it apart, entry by entry.
    pub fn into_entries(self) -> impl Iterator<Item = Scored> {
        let chunks = self.groups.into_iter().flat_map(|group| group.chunks);
        chunks.flatten()
    }
}

/// Takes the upper half of a part. What is left gives back the room of the rest.
fn upper_half<T>(part: &mut Vec<T>) -> Vec<T> {
    let upper = part.split_off(part.len() / 2);
    part.shrink_to_fit();
    upper
}

/// Joins a chunk with a neighbour, if both together are not too long.
fn join<T>(
    parts: &mut Vec<Vec<T>>,
    at: usize,
    length_max: usize,
    append: impl Fn(&mut Vec<T>, Vec<T>),
) {
    let first = if at + 1 < parts.len() {
        at
    } else {
        at.saturating_sub(1)
    };
    let Some([one, other]) = parts.get(first..first + 2) else {
        if let Some(part) = parts.get_mut(at) {
            part.shrink_to(2 * part.len());
        }
        return;
    };
    if one.len() + other.len() <= length_max {
        let other = parts.remove(first + 1);
        append(&mut parts[first], other);
    } else {
        let length = parts[at].len();
        parts[at].shrink_to(2 * length);
    }
}

/// Joins a group with a neighbour, if both together are not too long. Removes it if it is empty.
fn join_groups(groups: &mut Vec<Group>, at: usize) {
    let first = if at + 1 < groups.len() {
        at
    } else {
        at.saturating_sub(1)
    };
    if let Some([one, other]) = groups.get(first..first + 2)
        && one.chunks.len() + other.chunks.len() <= GROUP_MAX
    {
        let other = groups.remove(first + 1);
        groups[first].len += other.len;
        groups[first].chunks.extend(other.chunks);
    }
    groups.retain(|group| group.len > 0);
}

/// Entries of a range of ranks.
pub struct Entries<'a> {
    ranked: &'a Ranked,
    front: Place,
    /// The place behind the last one.
    back: Place,
    left: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a Scored;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let entry = self.ranked.get_at(self.front)?;
        let group = &self.ranked.groups[self.front.group];
        self.front.entry += 1;
        if self.front.entry == group.chunks[self.front.chunk].len() {
            (self.front.chunk, self.front.entry) = (self.front.chunk + 1, 0);
        }
        if self.front.chunk == group.chunks.len() {
            (self.front.group, self.front.chunk) = (self.front.group + 1, 0);
        }
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.back.entry == 0 {
            if self.back.chunk == 0 {
                self.back.group = self.back.group.checked_sub(1)?;
                self.back.chunk = self.ranked.groups[self.back.group].chunks.len();
            }
            self.back.chunk -= 1;
            let chunks = &self.ranked.groups[self.back.group].chunks;
            self.back.entry = chunks[self.back.chunk].len();
        }
        self.back.entry -= 1;
        self.ranked.get_at(self.back)
    }
}

impl ExactSizeIterator for Entries<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scored(score: u16, member: u16) -> Scored {
        Scored {
            score: f64::from(score) - 5.0,
            member: Bytes::from_slice(&member.to_be_bytes()),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
        /// Compares it with a plain sorted vector. Runs are long enough to divide and to join chunks and groups.
        #[test]
        fn behaves_as_a_sorted_vector(runs in prop::collection::vec((any::<bool>(), 0..9_u16, 0..9000_u16), 1..8)) {
            let (mut ranked, mut model) = (Ranked::default(), Vec::new());
            for (is_insert, score, count) in runs {
                for number in 0..count {
                    let entry = scored(score + number % 3, number.wrapping_mul(7919) % 9001);
                    let place = model.binary_search_by(|other: &Scored| other.order(&entry));
                    match (is_insert, place) {
                        (true, Err(place)) => {
                            model.insert(place, entry.clone());
                            ranked.insert(entry);
                        }
                        (false, Ok(place)) => {
                            model.remove(place);
                            prop_assert!(ranked.remove(&entry));
                        }
                        (false, Err(_)) => prop_assert!(!ranked.remove(&entry)),
                        (true, Ok(_)) => {}
                    }
                }
                prop_assert_eq!(ranked.len, model.len());
                prop_assert!(ranked.range(0..usize::MAX).eq(model.iter()));
                prop_assert!(ranked.range(0..usize::MAX).rev().eq(model.iter().rev()));
                let some = model.len() / 3..model.len() * 2 / 3;
                prop_assert!(ranked.range(some.clone()).eq(model[some.clone()].iter()));
                prop_assert!(ranked.range(some.clone()).rev().eq(model[some].iter().rev()));
                for rank in (0..model.len()).step_by(97) {
                    prop_assert_eq!(ranked.get(rank), Some(&model[rank]));
                    let before = ranked.count_before(|other| other.order(&model[rank]).is_lt());
                    prop_assert_eq!(before, rank);
                }
                prop_assert_eq!(ranked.get(model.len()), None);
                let chunks = || ranked.groups.iter().flat_map(|group| &group.chunks);
                prop_assert!(chunks().all(|chunk| (1..=CHUNK_MAX).contains(&chunk.len())));
                // Half of the room is used, but for a few chunks at the ends of groups.
                let room: usize = chunks().map(Vec::capacity).sum();
                prop_assert!(room <= 4 * model.len() + 4 * CHUNK_MAX, "{} of {}", model.len(), room);
            }
            prop_assert!(ranked.into_entries().eq(model));
        }
    }
}
