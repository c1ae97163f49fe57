//! Who gets which memory; and where it does not suffice, what would.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sharedmem::hand_off::RANGES_MAX;

use super::compute;
use super::placement::{Demand, Placement, largest, loadable, nearest_address, place};
use super::{
    ALIGN_BYTES, BACKUP_BYTES_MIN, CONTROL_BYTES, JOURNAL_BYTES_MIN, Machine, PRIMARY_BYTES_MIN,
    SHARED_END, SURVIVES_RESET_START,
};
use crate::cmdline::Options;
use crate::range::{Range, RangeSet};
use crate::refusal::Refusal;
use crate::size::{SizeAt, SizeText};
use crate::tenant::{Capabilities, Needs};

/// Below 1 MiB are the BIOS, its data, and the page the other cores start in.
const LOW_MEMORY: Range = Range::new(0, 1 << 20);

/// What does not fit into any smaller machine, with a margin for what firmware and boot loader keep.
const LEAST: &str = "16M together with journal_mem=1M on a machine with at least 128M of memory";

/// The memory, divided.
pub(super) struct Memory {
    pub shared: Range,
    pub backup: Range,
    pub primary: Vec<Range>,
    pub compute: Vec<Range>,
    pub left_over: Vec<Range>,
    pub pmem: Option<Range>,
    pub spare: Option<Range>,
}

pub(super) fn share(options: &Options, machine: &Machine) -> Result<Memory, Refusal> {
    let planner = MemoryPlanner::new(options, machine);
    let Some(placement) = planner.place_in(&planner.free) else {
        return Err(planner.refuse());
    };
    planner.check_minimums()?;
    let (placement, compute) =
        compute::place_memory(options, machine, &planner.free, placement, |free| {
            planner.place_in(free)
        })?;
    Ok(planner.divide(placement, compute))
}

/// What was asked for, and what there is.
struct MemoryPlanner<'a> {
    options: &'a Options,
    machine: &'a Machine,
    free: RangeSet,
    demand: Demand,
}

impl<'a> MemoryPlanner<'a> {
    fn new(options: &'a Options, machine: &'a Machine) -> Self {
        let occupied = machine.occupied.iter().map(|(range, _)| *range);
        let usable = machine.memory_map.usable();
        let free = occupied
            .chain([LOW_MEMORY])
            .fold(usable, |free, taken| free.without(taken))
            .align_inward(ALIGN_BYTES);
        // What is below the minimum is refused as such, and only if the minimum itself would fit.
        let backup = machine.kinds.backup;
        let backup_bytes = backup.backup_bytes(options, machine.needs.backup_bytes);
        let demand = Demand {
            shared_bytes: shared_bytes(options.journal_bytes.max(JOURNAL_BYTES_MIN))
                .saturating_add(round_up(options.pmem_bytes)),
            backup_bytes: round_up(backup_bytes.max(backup_bytes_min(machine))),
            backup_address: options.failover_mem.address,
            backup_end: match backup.capabilities.loads_below_4_gib {
                true => SHARED_END,
                false => u64::MAX,
            },
            primary_low_bytes: machine.needs.primary_bytes,
        };
        Self {
            options,
            machine,
            free,
            demand,
        }
    }

    /// Places shared region and backup in `free`.
    fn place_in(&self, free: &RangeSet) -> Option<Placement> {
        self.place_on_block(free)
            .or_else(|| place(free, self.demand))
    }

    /// Places a backup at the start of a block, if memory is added in blocks: what is left of a block that was cut in
    /// two could not be added to anybody.
    fn place_on_block(&self, free: &RangeSet) -> Option<Placement> {
        let block_bytes = self.machine.kinds.backup.capabilities.memory_block_bytes?;
        if self.demand.backup_address.is_some() {
            return None;
        }
        (1..SHARED_END / block_bytes).find_map(|number| {
            let backup_address = Some(number * block_bytes);
            let demand = Demand {
                backup_address,
                ..self.demand
            };
            place(free, demand)
        })
    }

    /// Gives the primary what is left, the largest range first. The pool that a backup adds when it has become the
    /// primary, and the slot where the next one waits, are parts of that.
    fn divide(&self, placement: Placement, compute: Vec<Range>) -> Memory {
        let mut primary = placement.rest.as_slice().to_vec();
        primary.sort_by_key(|range| core::cmp::Reverse(range.len()));
        // Where a Linux is loaded, and where devices reach that know 32 bits: that piece is always one of them.
        let low = (0..primary.len()).max_by_key(|place| loadable(&primary[*place]).len());
        if let Some(place @ RANGES_MAX..) = low {
            primary[RANGES_MAX - 1..=place].rotate_right(1);
        }
        let left_over = primary.split_off(primary.len().min(RANGES_MAX));
        let journal_end = placement.shared.end - round_up(self.options.pmem_bytes);
        let below = |range: &Range| range.intersection(Range::new(0, SHARED_END));
        let largest = primary.iter().map(below).max_by_key(Range::len);
        let spare = largest
            .and_then(|range| {
                Range::sized(range.start, self.demand.backup_bytes)
                    .filter(|spare| range.contains(*spare))
            })
            .filter(|_| self.machine.kinds.all(Capabilities::waits_in_slot));
        Memory {
            shared: Range::new(placement.shared.start, journal_end),
            pmem: Some(Range::new(journal_end, placement.shared.end))
                .filter(|pmem| !pmem.is_empty()),
            backup: placement.backup,
            primary,
            compute,
            left_over,
            spare,
        }
    }

    fn check_minimums(&self) -> Result<(), Refusal> {
        if self.options.failover_mem.size_bytes < BACKUP_BYTES_MIN {
            let least = SizeAt {
                size_bytes: BACKUP_BYTES_MIN,
                ..self.options.failover_mem
            };
            let reason = format!("a backup takes at least {}", SizeText(BACKUP_BYTES_MIN));
            return Err(self.refusal("failover_mem", reason, format!("at least {least}")));
        }
        let needed = self.machine.needs.backup_bytes;
        if self.demand.backup_bytes == round_up(needed) && self.given_backup_bytes() < needed {
            let least = SizeAt {
                size_bytes: round_up(needed),
                ..self.options.failover_mem
            };
            let reason = format!(
                "the image and its initrd take at least {}",
                SizeText(needed)
            );
            return Err(self.refusal("failover_mem", reason, format!("at least {least}")));
        }
        if self.options.journal_bytes < JOURNAL_BYTES_MIN {
            let least = SizeText(JOURNAL_BYTES_MIN);
            let reason = format!("a journal has at least {least}");
            return Err(self.refusal("journal_mem", reason, format!("at least {least}")));
        }
        Ok(())
    }

    /// Refuses a demand that does not fit: by the address, or by the size whose change is enough. If both are, by the
    /// one that was given.
    fn refuse(&self) -> Refusal {
        let journal_was_set =
            self.options.was_given("journal_mem") && !self.options.was_given("failover_mem");
        let by_backup = || self.refuse_backup();
        let by_journal = || self.refuse_journal();
        let by_one = self.refuse_address().or_else(|| match journal_was_set {
            true => by_journal().or_else(by_backup),
            false => by_backup().or_else(by_journal),
        });
        by_one
            .or_else(|| self.refuse_pmem())
            .or_else(|| self.refuse_both())
            .unwrap_or_else(|| self.refuse_machine())
    }

    fn fits(&self, demand: Demand) -> bool {
        place(&self.free, demand).is_some()
    }

    /// Refuses the address, if the size would fit elsewhere.
    fn refuse_address(&self) -> Option<Refusal> {
        let near = SizeAt {
            size_bytes: self
                .given_backup_bytes()
                .max(backup_bytes_min(self.machine)),
            address: Some(nearest_address(&self.free, self.demand)?),
        };
        Some(self.refusal("failover_mem", self.why_not_there(), near.to_string()))
    }

    /// Refuses the size of the backup, if less would fit, at its address or else anywhere.
    fn refuse_backup(&self) -> Option<Refusal> {
        let largest_at = |backup_address| {
            let fits = |backup_bytes| {
                self.fits(Demand {
                    backup_bytes,
                    backup_address,
                    ..self.demand
                })
            };
            let least = backup_bytes_min(self.machine);
            let size_bytes = largest(least, self.free.total_bytes(), fits)?;
            Some(SizeAt {
                size_bytes,
                address: backup_address,
            })
        };
        let most = largest_at(self.demand.backup_address).or_else(|| largest_at(None))?;
        let reason = self.why_too_much(self.given_backup_bytes(), "the backup");
        Some(self.refusal("failover_mem", reason, format!("at most {most}")))
    }

    /// Refuses the journal, if a smaller one would fit.
    fn refuse_journal(&self) -> Option<Refusal> {
        let most = self.largest_journal(self.demand)?;
        let reason = self.why_too_much(self.options.journal_bytes, "the journal");
        let would_work = format!("at most {}", SizeText(most));
        Some(self.refusal("journal_mem", reason, would_work))
    }

    fn largest_journal(&self, demand: Demand) -> Option<u64> {
        let fixed_bytes = CONTROL_BYTES.saturating_add(round_up(self.options.pmem_bytes));
        let fits = |journal_bytes| {
            self.fits(Demand {
                shared_bytes: fixed_bytes.saturating_add(journal_bytes),
                ..demand
            })
        };
        largest(ALIGN_BYTES, self.free.total_bytes(), fits)
    }

    /// Refuses the disk in memory, if a smaller one would fit.
    fn refuse_pmem(&self) -> Option<Refusal> {
        let wanted = round_up(self.options.pmem_bytes);
        let without = Demand {
            shared_bytes: self.demand.shared_bytes.checked_sub(wanted)?,
            ..self.demand
        };
        let fits = |pmem_bytes: u64| {
            let shared_bytes = without.shared_bytes.saturating_add(pmem_bytes);
            self.fits(Demand {
                shared_bytes,
                ..without
            })
        };
        let most = largest(0, wanted, fits).filter(|_| wanted > 0)?;
        let reason = self.why_too_much(self.options.pmem_bytes, "the disk in memory");
        let would_work = format!("at most {}", SizeText(most));
        Some(self.refusal("pmem", reason, would_work))
    }

    /// Refuses backup and journal, if less of both would fit: the least for the backup, and then as much for the
    /// journal as it asked for, or as there is.
    fn refuse_both(&self) -> Option<Refusal> {
        let least = Demand {
            backup_bytes: backup_bytes_min(self.machine),
            backup_address: None,
            ..self.demand
        };
        let journal_bytes = self.largest_journal(least)?;
        let reason = self.why_too_much(self.given_backup_bytes(), "the backup");
        let would_work = format!(
            "{} together with journal_mem={}",
            SizeText(least.backup_bytes),
            SizeText(journal_bytes)
        );
        Some(self.refusal("failover_mem", reason, would_work))
    }

    /// Refuses the machine, as nothing would fit.
    fn refuse_machine(&self) -> Refusal {
        let Needs {
            primary_bytes,
            backup_bytes,
        } = self.machine.needs;
        if primary_bytes.max(backup_bytes) > 0 {
            let reason = format!(
                "the images need {} for the primary and {} for the backup, each in one piece below 4G, beside a \
                 journal; no machine with this memory map has them",
                SizeText(primary_bytes),
                SizeText(backup_bytes)
            );
            let would_work = "smaller images and initrds, or a machine with more memory there";
            return self.refusal("failover_mem", reason, would_work.into());
        }
        let reason = format!(
            "the machine has {} of usable memory, too little for any primary, backup and journal",
            self.usable_text()
        );
        self.refusal("failover_mem", reason, LEAST.into())
    }

    fn given_backup_bytes(&self) -> u64 {
        let needed = self.machine.needs.backup_bytes;
        self.machine.kinds.backup.backup_bytes(self.options, needed)
    }

    fn refusal(&self, option: &str, reason: String, would_work: String) -> Refusal {
        Refusal::new(option, self.options.as_given(option), reason, would_work)
    }

    fn usable_text(&self) -> String {
        // Firmware keeps some KiB of what was bought; people know the round number.
        let mib = self
            .machine
            .memory_map
            .usable()
            .total_bytes()
            .div_ceil(1 << 20);
        format!("{mib} MiB")
    }

    fn why_too_much(&self, bytes: u64, who: &str) -> String {
        if bytes > self.machine.memory_map.usable().total_bytes() {
            return format!("the machine has {} of usable memory", self.usable_text());
        }
        let from = SizeText(SURVIVES_RESET_START);
        let place = match self.demand.backup_end {
            SHARED_END => format!("between {from} and {}", SizeText(SHARED_END)),
            _ => format!("above {from}"),
        };
        let left = match self.demand.primary_low_bytes {
            0 => SizeText(PRIMARY_BYTES_MIN).to_string(),
            low_bytes => format!("{} below 4G", SizeText(low_bytes)),
        };
        format!(
            "of the {} of usable memory, no piece {place} has room for {who} beside the other, with {left} left to the \
             primary",
            self.usable_text()
        )
    }

    fn why_not_there(&self) -> String {
        let address = self.demand.backup_address.unwrap_or_default();
        let there = Range::new(address, address.saturating_add(self.demand.backup_bytes));
        if !address.is_multiple_of(ALIGN_BYTES) {
            return format!("{address:#x} is no multiple of {}", SizeText(ALIGN_BYTES));
        }
        if address < SURVIVES_RESET_START {
            let start = SURVIVES_RESET_START;
            return format!("memory below {start:#x} does not outlive a reset of the platform");
        }
        if there.end > self.demand.backup_end {
            let kind = self.machine.kinds.backup;
            return format!(
                "a {kind} instance is loaded below {}",
                SizeText(self.demand.backup_end)
            );
        }
        let is_there = |taken: &&(Range, &str)| taken.0.overlaps(there);
        if let Some((range, name)) = self.machine.occupied.iter().find(is_there) {
            return format!("the {name} is at {range}");
        }
        if !self.free.contains(there) {
            return format!("not all of {there} is usable memory");
        }
        "too little memory is left in one piece for the primary or the journal".into()
    }
}

/// Returns the least memory that the backup can have.
fn backup_bytes_min(machine: &Machine) -> u64 {
    round_up(machine.needs.backup_bytes.max(BACKUP_BYTES_MIN))
}

fn shared_bytes(journal_bytes: u64) -> u64 {
    round_up(journal_bytes.saturating_add(CONTROL_BYTES))
}

/// Rounds up to the next multiple of [`ALIGN_BYTES`], or to the last one there is, which fits nowhere.
pub(super) fn round_up(bytes: u64) -> u64 {
    bytes
        .checked_next_multiple_of(ALIGN_BYTES)
        .unwrap_or(!(ALIGN_BYTES - 1))
}
