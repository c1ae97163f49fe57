//! Sending cores about: INIT, SIPI and NMI by machine number, and cores that start with an order.

use arch::clock::Clock;
use arrayvec::ArrayVec;
use ipi::{Ipi, LocalApic};
use sharedmem::MAX_CORES;
use takeover::{Call, Summons};

use crate::cores::{self, Arrival, Order};

/// A moment from INIT to SIPI when no machine counts it, in ns.
const SETTLE_NS: u64 = 50_000;

/// How long a core that lingers may take to find its order, in ns; after that it has gone to sleep and is started anew.
const PICK_UP_NS: u64 = 20_000;

/// The seat's means to move other cores.
pub struct Dispatch {
    /// The seat's own.
    pub local_apic: &'static LocalApic,
    /// APIC id of each machine core.
    pub apic_ids: ArrayVec<u32, MAX_CORES>,
    /// Time.
    pub clock: Clock,
    /// Cores that were called and have not come.
    summoned: [Option<(Summons, Order)>; MAX_CORES],
}

impl Dispatch {
    /// Nobody is on the way.
    pub fn new(
        local_apic: &'static LocalApic,
        apic_ids: ArrayVec<u32, MAX_CORES>,
        clock: Clock,
    ) -> Self {
        Self {
            local_apic,
            apic_ids,
            clock,
            summoned: [None; MAX_CORES],
        }
    }

    /// The machine number of the core with this APIC id.
    pub fn core_of(&self, apic_id: u32) -> Option<u32> {
        self.apic_ids
            .iter()
            .position(|id| *id == apic_id)
            .map(|core| core as u32)
    }

    /// Sends an interrupt.
    pub fn send(&self, core: u32, ipi: Ipi) {
        if let Some(id) = self.apic_ids.get(core as usize) {
            // A send that fails is a core that does not check in, which the fence sees.
            if let Err(error) = self.local_apic.send(*id, ipi) {
                log::error!("core {core}: {error}");
            }
        }
    }

    /// Stops a core, whatever it runs, and takes back any order left for it.
    pub fn init(&mut self, core: u32) {
        self.summoned[core as usize] = None;
        cores::withdraw_order(core as usize);
        self.send(core, Ipi::Init);
    }

    /// Sends a stopped core into the start page, to check in there.
    pub fn startup(&self, core: u32) {
        self.send(
            core,
            Ipi::Startup {
                page: cores::start_vector(),
            },
        );
    }

    /// Starts a stopped core with an order; [`chase`](Self::chase) sees to it that it comes.
    pub fn start(&mut self, core: u32, order: Order) {
        self.call(core, order);
        self.summoned[core as usize] = Some((Summons::new(self.clock.now_ns()), order));
    }

    fn call(&mut self, core: u32, order: Order) {
        self.init(core);
        self.clock.spin_ns(SETTLE_NS);
        cores::leave_order(core as usize, order, Arrival::Next);
        self.startup(core);
    }

    /// Gives an order to a core that has just checked in: it may still be awake, or it is started.
    pub fn employ(&mut self, core: u32, order: Order) {
        cores::leave_order(core as usize, order, Arrival::Last);
        self.clock
            .spin_until(PICK_UP_NS, || !cores::has_order(core as usize));
        // A core that has taken the order up is on its way by now and must not be struck again: only one that sleeps is started.
        if cores::withdraw_order(core as usize) {
            self.start(core, order);
        }
    }

    /// Calls those again that did not come for their orders.
    pub fn chase(&mut self) {
        let now_ns = self.clock.now_ns();
        for core in 0..self.apic_ids.len() {
            let Some((mut summons, order)) = self.summoned[core] else {
                continue;
            };
            let call = summons.step(now_ns);
            if call == Call::Wait && cores::has_order(core) {
                continue;
            }
            self.summoned[core] = None;
            // Taken up at the last moment: it must not be struck.
            if !cores::withdraw_order(core) {
                continue;
            }
            if call == Call::GiveUp {
                log::error!("core {core} does not start");
                continue;
            }
            log::warn!("core {core} did not start; once more");
            self.call(core as u32, order);
            self.summoned[core] = Some((summons, order));
        }
    }

    /// When [`chase`](Self::chase) is due, in ns; `None` if all have come.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.summoned
            .iter()
            .enumerate()
            .filter(|(core, _)| cores::has_order(*core))
            .filter_map(|(_, summoned)| summoned.map(|(summons, _)| summons.deadline_ns()))
            .min()
    }
}
