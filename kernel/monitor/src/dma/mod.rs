//! Which memory devices reach, where there is an IOMMU.

mod hardware;
mod probe;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use arch::pci::Place;
use iommu::{Access, Found, Frames, Iommus, Stuck, UnitStuck};
use partition::cmdline::IommuOwner;
use partition::{Plan, Range};
use sharedmem::Instance;
use sharedmem::event::{self, DmaFault, DmaHandedOver, Hex, Text, Word};

use hardware::{MappedMemory, UnitRegisters};
pub use probe::{DmaFacts, probe};

use crate::memory::IOMMU_BASE;

/// How often the units are asked for accesses that they stopped, in ns.
const LOOK_NS: u64 = 10_000_000;

/// Maximum number of functions whose stopped accesses are named, for each owner.
const NAMED_MAX: usize = 32;

/// The IOMMUs, if there are any and they are used.
pub struct Dma {
    iommus: Option<Iommus<UnitRegisters, MappedMemory>>,
    owner: IommuOwner,
    /// Whether the units use the tables here.
    is_taken: bool,
    /// Functions of this owner whose stopped accesses were named.
    named: BTreeSet<u32>,
    next_look_ns: u64,
    /// How long the last denial took, in ns; `None` if there was none, or a unit may still let devices through.
    denied_ns: Option<u64>,
}

/// Returns a range in the type of the standard library.
fn plain(range: Range) -> core::ops::Range<u64> {
    range.start..range.end
}

/// Returns the memory that the devices of each instance reach while it is the owner: its own, and what comes with the
/// role of primary. Reserved memory is reached always.
fn reach(facts: &DmaFacts, plan: &Plan) -> [Vec<core::ops::Range<u64>>; 2] {
    let pool = match plan.kinds.backup.capabilities.memory_block_bytes {
        Some(_) => plan.pool(),
        None => Vec::new(),
    };
    let of = |instance, ranges: &[Range], more: &[Range]| {
        let own = ranges.iter().chain(more).copied();
        let low = [plan.low[instance]].into_iter().chain(plan.pmem);
        let reserved = facts.iommus.reserved.iter().map(|it| it.range);
        let all = own.chain(low).filter(|it| !it.is_empty());
        all.chain(reserved).map(plain).collect()
    };
    [
        of(Instance::A, &plan.primary.ranges, &[]),
        of(Instance::B, &plan.backup.ranges, &pool),
    ]
}

impl Dma {
    /// Makes the tables, and takes the units, unless they are left to the tenant.
    ///
    /// # Safety
    /// Once, before the first owner starts. Registers and tables are mapped at [`IOMMU_BASE`] in the space that is
    /// loaded from here on.
    pub unsafe fn begin(facts: Option<&DmaFacts>, plan: &Plan, first: Instance) -> Self {
        let mut dma = Self {
            iommus: None,
            owner: IommuOwner::Nobody,
            is_taken: false,
            named: BTreeSet::new(),
            next_look_ns: 0,
            denied_ns: None,
        };
        let Some(facts) = facts else { return dma };
        let units = facts.iommus.units.iter();
        // SAFETY: the caller's promise; only `Iommus` uses them from here on.
        let units = units
            .map(|it| unsafe { probe::unit(it, IOMMU_BASE) })
            .collect();
        // SAFETY: the caller's promise.
        let memory = unsafe { MappedMemory::new(IOMMU_BASE) };
        let frames = Frames::new(facts.tables.start, facts.tables.end);
        match Iommus::new(memory, frames, facts.shape, units, &reach(facts, plan)) {
            Ok(iommus) => dma.iommus = Some(iommus),
            Err(_) => log::error!("IOMMU: its tables do not fit into the memory kept for them"),
        }
        dma.owner = facts.owner;
        if facts.owner == IommuOwner::Monitor {
            dma.take_over();
            dma.grant(first, &[]);
        }
        dma
    }

    /// Takes the units. Devices reach nothing then.
    fn take_over(&mut self) {
        let Some(iommus) = &mut self.iommus else {
            return;
        };
        let outcome = iommus.take_over();
        self.is_taken = outcome.iter().all(Result::is_ok);
        for (unit, outcome) in outcome.iter().enumerate() {
            report_unit(unit as u32, outcome);
        }
    }

    /// Lets no device reach anything: one change, and its invalidation. Where the tenant has the units, its tables stay
    /// until devices are quiet.
    pub fn deny(&mut self, now_ns: impl Fn() -> u64) {
        let begin_ns = now_ns();
        self.denied_ns = None;
        let is_ours = self.owner == IommuOwner::Monitor;
        let Some(iommus) = self.iommus.as_mut().filter(|_| is_ours) else {
            return;
        };
        let outcome = iommus.deny();
        let took_ns = now_ns() - begin_ns;
        match outcome {
            Ok(()) => self.denied_ns = self.is_taken.then_some(took_ns),
            Err(stuck) => {
                self.is_taken = false;
                report_stuck(&stuck);
            }
        }
    }

    /// Returns whether each takeover begins with a denial.
    pub fn denies(&self) -> bool {
        self.owner == IommuOwner::Monitor && self.iommus.is_some()
    }

    /// Returns how long the last takeover's denial took, in ns; `None` if a device may have reached memory after it.
    pub fn denied_ns(&self) -> Option<u64> {
        self.denied_ns
    }

    /// Lets devices, which are quiet, reach the memory of the next owner, but not those that are `withheld`.
    pub fn give_to(&mut self, next: Instance, withheld: &[u32], now_ns: impl Fn() -> u64) {
        if self.iommus.is_none() {
            return;
        }
        let begin_ns = now_ns();
        if self.owner == IommuOwner::Tenant || !self.is_taken {
            self.take_over();
        }
        self.named.clear();
        self.grant(next, withheld);
        let event = DmaHandedOver {
            denied_ns: self.denied_ns.unwrap_or(0),
            granted_ns: now_ns() - begin_ns,
            barred: withheld.len() as u32,
        };
        log::info!("{event}");
    }

    fn grant(&mut self, owner: Instance, withheld: &[u32]) {
        if let Some(iommus) = &mut self.iommus
            && let Err(stuck) = iommus.grant(owner.number() as usize, withheld)
        {
            self.is_taken = false;
            report_stuck(&stuck);
        }
    }

    /// Returns whether the units use the tables here, and one of them is in front of the function: if it is withheld,
    /// it reaches nothing.
    pub fn contains(&self, function: u32) -> bool {
        let covers = |iommus: &Iommus<_, _>| iommus.covers(function);
        self.is_taken && self.iommus.as_ref().is_some_and(covers)
    }

    /// Names functions that tried to access memory which is not their owner's, if it is time to look.
    pub fn look(&mut self, now_ns: u64) {
        if self.is_taken && now_ns >= self.next_look_ns {
            self.next_look_ns = now_ns + LOOK_NS;
            self.report_faults();
        }
    }

    /// Names functions that tried to access memory which is not their owner's, each once for each owner.
    pub fn report_faults(&mut self) {
        let Some(iommus) = self.iommus.as_mut().filter(|_| self.is_taken) else {
            return;
        };
        let (faults, _) = iommus.take_faults();
        for fault in faults {
            if self.named.len() >= NAMED_MAX || !self.named.insert(fault.function) {
                continue;
            }
            let event = DmaFault {
                function: Word::of(Place(fault.function)),
                access: match fault.access {
                    Access::Read => "read".into(),
                    Access::Write => "write".into(),
                },
                address: Hex(fault.address),
                reason: fault.reason.into(),
            };
            log::error!("{event}");
        }
    }
}

fn report_unit(unit: u32, outcome: &Result<Found, Stuck>) {
    match outcome {
        Ok(found) => {
            let event = event::Iommu {
                unit,
                was_on: found.was_translating,
                was_remapping: found.was_remapping,
                was_off: found.was_off,
            };
            log::info!("{event}");
        }
        Err(stuck) => report_stuck(&[(unit as usize, *stuck)]),
    }
}

fn report_stuck(stuck: &[UnitStuck]) {
    for (unit, stuck) in stuck {
        let event = event::IommuStuck {
            unit: *unit as u32,
            step: Text::of(stuck.step),
        };
        log::error!("{event}");
    }
}
