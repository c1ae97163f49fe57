//! Where shared region and backup go. Only two blocks are placed, so every sensible place is tried; that makes the
//! answer exact: what fits is found, and what is a little smaller than something that fits, fits too.

use alloc::vec::Vec;

use super::{ALIGN_BYTES, PRIMARY_BYTES_MIN, SHARED_END, SURVIVES_RESET_START};
use crate::range::{Range, RangeSet};

/// What must be placed; sizes and address are multiples of [`ALIGN_BYTES`], or nothing fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    pub shared_bytes: u64,
    pub backup_bytes: u64,
    pub backup_address: Option<u64>,
    /// The backup ends at or below this address.
    pub backup_end: u64,
    /// What the primary must have in one piece between [`LOAD_START`] and 4 GiB, in bytes.
    pub primary_low_bytes: u64,
}

/// Where it goes, and what the primary can have.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    pub shared: Range,
    pub backup: Range,
    pub rest: RangeSet,
}

const SHARED_WINDOW: Range = Range::new(SURVIVES_RESET_START, SHARED_END);

/// Below this address no Linux is loaded (LOAD_PHYSICAL_ADDR).
const LOAD_START: u64 = 16 << 20;

const LOAD_WINDOW: Range = Range::new(LOAD_START, 4 << 30);

impl Demand {
    fn backup_window(&self) -> Range {
        Range::new(SURVIVES_RESET_START, self.backup_end)
    }
}

/// Returns the part of a range that can hold an image that is loaded below 4 GiB.
pub(super) fn loadable(range: &Range) -> Range {
    range.intersection(LOAD_WINDOW)
}

/// Places the shared region and the backup in `free`, which is aligned, so that enough is left to the primary in one
/// piece. The lowest places are preferred: they are the furthest from the top of memory, where firmware works.
pub(super) fn place(free: &RangeSet, demand: Demand) -> Option<Placement> {
    match demand.backup_address {
        Some(address) => {
            let backup = Range::sized(address, demand.backup_bytes)?;
            place_backup(free, backup, demand)
        }
        None => spots(free, demand.shared_bytes, SHARED_WINDOW).find_map(|shared| {
            let rest = free.without(shared);
            spots(&rest, demand.backup_bytes, demand.backup_window())
                .find_map(|backup| finish(rest.without(backup), shared, backup, demand))
        }),
    }
}

fn place_backup(free: &RangeSet, backup: Range, demand: Demand) -> Option<Placement> {
    let is_aligned = backup.align_inward(ALIGN_BYTES) == backup;
    if !is_aligned || !demand.backup_window().contains(backup) || !free.contains(backup) {
        return None;
    }
    let rest = free.without(backup);
    spots(&rest, demand.shared_bytes, SHARED_WINDOW)
        .find_map(|shared| finish(rest.without(shared), shared, backup, demand))
}

fn finish(rest: RangeSet, shared: Range, backup: Range, demand: Demand) -> Option<Placement> {
    has_room_for_primary(&rest, demand.primary_low_bytes).then_some(Placement {
        shared,
        backup,
        rest,
    })
}

/// Returns whether enough is left to the primary in one piece, and where it can be loaded `low_bytes`.
pub(super) fn has_room_for_primary(rest: &RangeSet, low_bytes: u64) -> bool {
    let ranges = rest.as_slice();
    let has_room = |range: &Range| range.len() >= PRIMARY_BYTES_MIN;
    let can_load = |range: &Range| loadable(range).len() >= low_bytes;
    ranges.iter().any(has_room) && (low_bytes == 0 || ranges.iter().any(can_load))
}

/// Returns both ends of every range that has the room. Anywhere between them would only cut the rest into smaller
/// pieces.
pub(super) fn spots(
    free: &RangeSet,
    size_bytes: u64,
    window: Range,
) -> impl Iterator<Item = Range> {
    let mut spots = Vec::new();
    for range in free.as_slice() {
        let range = range.intersection(window);
        if size_bytes > 0 && range.len() >= size_bytes {
            spots.push(Range::new(range.start, range.start + size_bytes));
            if range.len() > size_bytes {
                spots.push(Range::new(range.end - size_bytes, range.end));
            }
        }
    }
    spots.into_iter()
}

/// Returns the largest multiple of [`ALIGN_BYTES`] from `min_bytes` up to `max_bytes` for which `fits` holds, which
/// must hold for all smaller ones too.
pub(super) fn largest(min_bytes: u64, max_bytes: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut good, mut bad) = (min_bytes / ALIGN_BYTES, max_bytes / ALIGN_BYTES + 1);
    if good >= bad || !fits(min_bytes) {
        return None;
    }
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle * ALIGN_BYTES) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Some(good * ALIGN_BYTES)
}

/// Returns the address nearest to the one demanded at which a backup of the demanded size fits.
///
/// An address stops to work where the backup meets the end of a free range, or where what it leaves on one side is just
/// the size of something that must lie there: the shared region, the primary's least, or both. So these addresses are
/// tried, the nearest first.
pub(super) fn nearest_address(free: &RangeSet, demand: Demand) -> Option<u64> {
    let wanted = demand.backup_address?;
    let aligned = wanted & !(ALIGN_BYTES - 1);
    let gaps = [0, PRIMARY_BYTES_MIN, demand.primary_low_bytes].map(|primary_bytes| {
        [
            primary_bytes,
            demand.shared_bytes.saturating_add(primary_bytes),
        ]
    });
    let gaps = gaps.as_flattened();
    let edges = free
        .as_slice()
        .iter()
        .flat_map(|range| [range.start, range.end]);
    let around = edges
        .chain([LOAD_START, SURVIVES_RESET_START, SHARED_END])
        .flat_map(|edge| {
            gaps.iter().flat_map(move |gap| {
                let above = edge.checked_add(*gap);
                let below = edge
                    .checked_sub(*gap)
                    .and_then(|end| end.checked_sub(demand.backup_bytes));
                [above, below]
            })
        });
    let mut addresses: Vec<u64> = around
        .chain([Some(aligned), aligned.checked_add(ALIGN_BYTES)])
        .flatten()
        .collect();
    addresses.sort_unstable_by_key(|address| (address.abs_diff(wanted), *address));
    addresses.dedup();
    addresses.into_iter().find(|address| {
        let backup_address = Some(*address);
        place(
            free,
            Demand {
                backup_address,
                ..demand
            },
        )
        .is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNIT: u64 = ALIGN_BYTES;

    /// Makes free memory in units of 2 MiB: gaps and lengths by turns, from `start` on.
    fn free(start: u64, pieces: &[(u64, u64)]) -> RangeSet {
        let mut at = start;
        let mut ranges = Vec::new();
        for (gap, length) in pieces {
            ranges.push(Range::new((at + gap) * UNIT, (at + gap + length) * UNIT));
            at += gap + length;
        }
        ranges.into_iter().collect()
    }

    /// Returns whether the demand can be met at all, by trying every place there is.
    fn brute(free: &RangeSet, demand: Demand) -> bool {
        let units = |window: Range| {
            let all = free.inside(window);
            let ranges = all.as_slice().to_vec();
            ranges
                .into_iter()
                .flat_map(|range| (range.start..range.end).step_by(UNIT as usize))
        };
        units(SHARED_WINDOW).any(|at| {
            let shared = Range::new(at, at + demand.shared_bytes);
            let rest = free.without(shared);
            SHARED_WINDOW.contains(shared)
                && free.contains(shared)
                && units(demand.backup_window())
                    .filter(|at| demand.backup_address.is_none_or(|address| address == *at))
                    .any(|at| {
                        let backup = Range::new(at, at + demand.backup_bytes);
                        let left = rest.without(backup);
                        rest.contains(backup)
                            && left
                                .as_slice()
                                .iter()
                                .any(|it| loadable(it).len() >= demand.primary_low_bytes)
                            && demand.backup_window().contains(backup)
                            && left
                                .as_slice()
                                .iter()
                                .any(|range| range.len() >= PRIMARY_BYTES_MIN)
                    })
        })
    }

    fn pieces() -> impl Strategy<Value = (u64, Vec<(u64, u64)>)> {
        // Around the two borders: 48 MiB is unit 24, 4 GiB is unit 2048.
        let start = prop_oneof![1u64..30, 2020u64..2050];
        (start, proptest::collection::vec((1u64..6, 1u64..40), 1..4))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn what_can_be_placed_is_placed(
            (start, pieces) in pieces(), shared in 1u64..20, backup in 8u64..20,
            address in proptest::option::of(15u64..2100), low in 0u64..20, is_low: bool,
        ) {
            let free = free(start, &pieces);
            let demand = Demand {
                shared_bytes: shared * UNIT,
                backup_bytes: backup * UNIT,
                backup_address: address.map(|address| address * UNIT),
                backup_end: if is_low { SHARED_END } else { u64::MAX },
                primary_low_bytes: low * UNIT,
            };
            prop_assert_eq!(place(&free, demand).is_some(), brute(&free, demand));
        }

        #[test]
        fn the_nearest_address_is_the_nearest(
            (start, pieces) in pieces(), shared in 1u64..20, backup in 8u64..12,
            offset in prop_oneof![4 => 0u64..(60 * UNIT), 1 => 0u64..(2100 * UNIT)],
            low in 0u64..20, is_low: bool,
        ) {
            let wanted = start * UNIT + offset;
            let free = free(start, &pieces);
            let demand = |address| Demand {
                shared_bytes: shared * UNIT,
                backup_bytes: backup * UNIT,
                backup_address: Some(address),
                backup_end: if is_low { SHARED_END } else { u64::MAX },
                primary_low_bytes: low * UNIT,
            };
            let all = (0..2200).map(|unit| unit * UNIT).filter(|at| free.contains(Range::new(*at, at + UNIT)));
            let expected = all
                .filter(|at| place(&free, demand(*at)).is_some())
                .min_by_key(|at| (at.abs_diff(wanted), *at));
            prop_assert_eq!(nearest_address(&free, demand(wanted)), expected);
        }
    }

    /// Leaves 23 units for a backup of 8, a shared region of 5 and a primary of 8: between 10, with the shared region
    /// above, and 13, with both below, nothing fits.
    #[test]
    fn the_nearest_address_may_leave_both_on_one_side() {
        let free = free(24, &[(0, 23)]);
        let nearest = |unit: u64| {
            let demand = Demand {
                shared_bytes: 5 * UNIT,
                backup_bytes: 8 * UNIT,
                backup_address: Some((24 + unit) * UNIT),
                backup_end: u64::MAX,
                primary_low_bytes: 0,
            };
            nearest_address(&free, demand).map(|address| address / UNIT - 24)
        };
        assert_eq!([10, 11, 12, 13].map(nearest), [10, 10, 13, 13].map(Some));
        assert_eq!([3, 4].map(nearest), [2, 5].map(Some));
    }

    #[test]
    fn the_largest_is_found() {
        let up_to = |limit: u64| move |bytes: u64| bytes <= limit;
        assert_eq!(largest(UNIT, 100 * UNIT, up_to(7 * UNIT)), Some(7 * UNIT));
        assert_eq!(largest(UNIT, 100 * UNIT, up_to(u64::MAX)), Some(100 * UNIT));
        assert_eq!(largest(UNIT, 100 * UNIT, up_to(UNIT)), Some(UNIT));
        assert_eq!(largest(UNIT, 100 * UNIT, up_to(0)), None);
        assert_eq!(largest(2 * UNIT, UNIT, up_to(9 * UNIT)), None);
    }
}
