//! A Linux tenant: a stock bzImage.
//!
//! As a backup it is booted to userspace on a core of the primary's, lent for that time. There it parks: it saves what
//! INIT loses, leaves a ticket in its resume slot and stops. The monitor then takes the core away by the same means as
//! in any fence, so that from the check-in on no instruction of it runs. It is promoted by sending the core it parked
//! on through the start page to the ticket's entry.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use integrity::WalkError;
use partition::tenant::LINUX;
use partition::{Kind, Plan};
use sharedmem::Instance;
use sharedmem::condemned::Condemned;
use sharedmem::epitaph::Epitaph;
use sharedmem::hand_off::PhysicalRange;
use sharedmem::resume_slot::{ResumeSlot, Ticket, UPPER_HALF};
use supervisor::{LoadRequest, Order, Readiness, Source, Tenant, Wait};
use takeover::fence::Strike;
use takeover::{BackupLoss, CoreSet, Fence, FenceConfig};

use super::{Dispatch, report_altered, trampoline};
use crate::ap::OtherCores;
use crate::constant::ConstantMemory;
use crate::cores;
use crate::images::Context;
use crate::ranges::physical;
use crate::window::Windows;

/// Generations of check-ins from here on are those of lent cores; the takeover machine counts from 1.
const FIRST_LENT_GENERATION: u64 = 1 << 63;

/// The epoch of a backup.
const NO_EPOCH: u64 = 0;

/// How far a backup has got.
enum Stage {
    /// Loaded, not started.
    Loaded,
    /// Boots, until this time at the latest, in ns since the machine's boot.
    Booting { until_ns: u64 },
    /// Its core is being stopped; what follows if that is proven.
    Stopping {
        fence: Fence,
        outcome: Result<Ticket, BackupLoss>,
    },
    /// It holds no core.
    Parked(Box<Parked>),
}

/// A parked Linux, as it was when it parked.
struct Parked {
    ticket: Ticket,
    /// What its kernel does not write: text and page tables. `None` if that is too much to look after.
    constant: Option<ConstantMemory>,
}

/// A Linux in its slot.
pub struct Linux {
    instance: Instance,
    source: Source,
    version: String,
    cores: Box<[u32]>,
    slot: PhysicalRange,
    boot: Order,
    boot_timeout_ns: u64,
    windows: Windows,
    plan: &'static Plan,
    resume_slot: &'static ResumeSlot,
    epitaph: &'static Epitaph,
    condemned: &'static Condemned,
    stage: Stage,
}

impl Linux {
    /// Makes the tenant of a Linux of this release that was loaded into `slot`, to be entered by `boot` on the first of
    /// its cores.
    pub fn new(
        context: &Context,
        request: &LoadRequest<'_>,
        release: &str,
        slot: PhysicalRange,
        boot: Order,
    ) -> Self {
        let instance = request.instance;
        let control = context.region.control;
        Self {
            instance,
            source: request.source,
            version: format!("Linux {release}"),
            cores: request.cores.into(),
            slot,
            boot,
            boot_timeout_ns: LINUX.boot_timeout_ns(&context.plan.options),
            windows: context.windows,
            plan: context.plan,
            resume_slot: &control.resume_slots[instance],
            epitaph: &control.epitaphs[instance],
            condemned: &control.condemned[instance],
            stage: Stage::Loaded,
        }
    }

    fn lead(&self) -> u32 {
        self.cores[0]
    }

    /// Looks how the boot goes.
    fn watch_boot(&mut self, until_ns: u64, dispatch: &Dispatch) {
        let outcome = if let Some(ticket) = self.resume_slot.ticket() {
            self.check(ticket)
        } else if self.epitaph.read().is_some() || self.has_reset() {
            Err(BackupLoss::Crashed)
        } else if dispatch.now_ns() >= until_ns {
            log::error!("the backup did not park within its boot time-out");
            Err(BackupLoss::Hung)
        } else {
            return;
        };
        let cores = CoreSet::from_cores([self.lead()]).unwrap_or(CoreSet::EMPTY);
        let fence = Fence::new(
            FenceConfig {
                // A parked kernel has left virtualization, and an NMI would be the last thing that it remembers.
                nmi_first: outcome.is_err(),
                ..FenceConfig::default()
            },
            cores::lent_generation(FIRST_LENT_GENERATION),
            cores,
        );
        self.stage = Stage::Stopping { fence, outcome };
    }

    fn has_reset(&self) -> bool {
        self.resume_slot
            .reset
            .load(core::sync::atomic::Ordering::Acquire)
            != 0
    }

    /// Checks a ticket, which is only a claim: one that cannot be right must not be promoted.
    fn check(&self, ticket: Ticket) -> Result<Ticket, BackupLoss> {
        let is_own = (self.slot.start..self.slot.end).contains(&ticket.page_table)
            && ticket.page_table.is_multiple_of(4096);
        let is_kernel = ticket.entry >= UPPER_HALF && ticket.stack >= UPPER_HALF;
        let is_here = cores::core_of(ticket.apic_id) == Some(self.lead());
        if is_own && is_kernel && is_here {
            return Ok(ticket);
        }
        log::error!("the backup's ticket cannot be right: {ticket:x?}");
        Err(BackupLoss::Failed)
    }

    /// Notes what must not change while it is parked: nothing of it runs any more.
    ///
    /// # Errors
    /// Its page tables cannot be right.
    fn park(&self, ticket: Ticket) -> Result<Parked, BackupLoss> {
        let owned = [self.slot, physical(self.plan.low[self.instance])];
        let constant = ConstantMemory::of_instance(
            self.windows,
            self.plan,
            owned.into(),
            ticket.page_table,
            trampoline::UPPER_ENTRIES,
        );
        match constant {
            Ok(constant) => Ok(Parked {
                ticket,
                constant: Some(constant),
            }),
            Err(error @ WalkError::Foreign(_)) => {
                log::error!("the backup's page tables cannot be right: {error}");
                Err(BackupLoss::Failed)
            }
            Err(error @ (WalkError::TooManyTables | WalkError::TooManyPages)) => {
                log::warn!("damage of the waiting backup will not be noticed: {error}");
                Ok(Parked {
                    ticket,
                    constant: None,
                })
            }
        }
    }

    /// Takes the core away. `None` while that goes on.
    fn stop(&mut self, dispatch: &mut Dispatch) -> Option<Result<Ticket, BackupLoss>> {
        let lead = self.lead();
        let Stage::Stopping { fence, outcome } = &mut self.stage else {
            return None;
        };
        if dispatch.mailboxes().checked_in(lead) == fence.generation() {
            fence.check_in(lead, fence.generation());
        }
        match fence.step(dispatch.now_ns()) {
            Strike::Wait => None,
            Strike::Nmi(_) => {
                if outcome.is_err() {
                    self.condemned.condemn(NO_EPOCH);
                }
                dispatch.nmi(lead);
                None
            }
            Strike::Init(_) => {
                dispatch.init(lead);
                None
            }
            Strike::Startup(lead) => {
                cores::note_lent_generation(fence.generation());
                dispatch.startup(lead, fence.generation(), None);
                None
            }
            Strike::Proven => Some(*outcome),
            Strike::Refused(_) => {
                log::error!("core {lead} did not come back from the backup");
                Some(Err(BackupLoss::Hung))
            }
        }
    }
}

impl Tenant<OtherCores> for Linux {
    fn instance(&self) -> Instance {
        self.instance
    }

    fn source(&self) -> &Source {
        &self.source
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn cores(&self) -> &[u32] {
        &self.cores
    }

    fn fixed_bytes(&self) -> u64 {
        self.slot.len()
    }

    fn prepare(&mut self, dispatch: &mut Dispatch) -> Result<Readiness, BackupLoss> {
        match &self.stage {
            Stage::Loaded => {
                self.resume_slot.clear();
                self.epitaph.clear();
                self.condemned.clear();
                dispatch.take(self.lead(), self.boot);
                self.stage = Stage::Booting {
                    until_ns: dispatch.now_ns() + self.boot_timeout_ns,
                };
            }
            Stage::Booting { until_ns } => self.watch_boot(*until_ns, dispatch),
            Stage::Stopping { .. } => {
                if let Some(outcome) = self.stop(dispatch) {
                    let parked = self.park(outcome?)?;
                    self.stage = Stage::Parked(Box::new(parked));
                    return Ok(Readiness::Ready);
                }
            }
            Stage::Parked(_) => return Ok(Readiness::Ready),
        }
        Ok(Readiness::NotYet(Wait::Idle))
    }

    fn work(&mut self) -> Result<Wait, BackupLoss> {
        Ok(Wait::Idle)
    }

    fn start(&self) -> Order {
        self.resume_slot.clear();
        self.boot
    }

    fn check_memory(&mut self, now_ns: u64) -> Result<(), BackupLoss> {
        let Stage::Parked(parked) = &mut self.stage else {
            return Ok(());
        };
        if self.resume_slot.ticket() != Some(parked.ticket) {
            log::error!("the backup's ticket was overwritten");
            return Err(BackupLoss::Damaged);
        }
        let constant = parked.constant.as_mut();
        let checked = constant.map_or(Ok(()), |it| it.check(now_ns));
        checked.map_err(|altered| report_altered(self.instance, altered))
    }

    fn promote(&mut self) -> Result<Order, BackupLoss> {
        let Stage::Parked(parked) = &self.stage else {
            return Err(BackupLoss::Failed);
        };
        // The slot's ticket may have been overwritten since; this one was checked.
        let ticket = parked.ticket;
        let constant = parked.constant.as_ref();
        let checked = constant.map_or(Ok(()), ConstantMemory::check_tables);
        checked.map_err(|altered| report_altered(self.instance, altered))?;
        // SAFETY: the instance is parked: nothing of it runs. Its tables are in its slot, and are as they were when it
        // parked.
        let page_table = unsafe { trampoline::make(self.windows, self.slot, ticket.page_table) };
        self.resume_slot.set_resumed();
        Ok(Order {
            page_table: page_table.ok_or(BackupLoss::Failed)?,
            entry: ticket.entry,
            stack_top: ticket.stack,
            arguments: [0; 3],
        })
    }

    fn join(&self, _core: u32) -> Option<Order> {
        None
    }

    fn kind(&self) -> &'static Kind {
        &LINUX
    }
}
