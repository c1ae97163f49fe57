//! Life as a backup: called by the monitor on the seat, with its interrupt table and its clock.

use core::sync::atomic::Ordering;

use network::{Config, Network};
use replica::Replica;
use sharedmem::abi::SeatStatus;
use sharedmem::hand_off::HandOff;
use sharedmem::protection::ProtectionState;
use spin::Mutex;

use crate::context::{self, Context};
use crate::debug::{self, Point};
use crate::devices::gate::Gate;
use crate::memory::HEAP;
use crate::page::PageSockets;

/// Everything a primary needs but the devices: what makes a promotion short is that nothing is left to be made.
pub struct Standby {
    /// State and journal.
    pub replica: Replica<&'static Context>,
    /// Interface and sockets.
    pub network: Network<Gate>,
    /// Sockets of the status page, if there is to be one.
    pub page: Option<PageSockets>,
}

impl Standby {
    /// Makes it.
    pub fn new(context: &'static Context) -> Self {
        let ip = &context.options.network;
        let config = Config {
            address: ip.client,
            prefix_len: ip.prefix_len,
            gateway: ip.gateway,
            port: context.port(),
            seed: context.clock_ticks() ^ context.hand_off.entropy,
            connections_max: context.shares().connections,
        };
        let mut network = Network::prepare(Gate::prepare(), &config);
        let page = context
            .options
            .status_port
            .map(|port| PageSockets::open(port, network.listeners()));
        let standby = Self {
            replica: Replica::new(context),
            network,
            page,
        };
        context::note_idle_heap(context);
        standby
    }
}

static STANDBY: Mutex<Option<Standby>> = Mutex::new(None);

/// Gets ready to wait.
pub fn init(hand_off: &'static HandOff) -> SeatStatus {
    match context::init(hand_off) {
        Ok(context) => {
            *STANDBY.lock() = Some(Standby::new(context));
            report(context);
            // The journal is still to be read: in steps, when the primary knows that somebody reads.
            SeatStatus::More
        }
        Err(reason) => {
            log::error!("cannot wait as a backup: {reason}");
            SeatStatus::Failed
        }
    }
}

/// Applies some of what the primary has applied.
pub fn step() -> SeatStatus {
    let context = context::get();
    debug::at(context, Point::BackupStep);
    let mut standby = STANDBY.lock();
    let Some(standby) = standby.as_mut() else {
        return SeatStatus::Failed;
    };
    let mut status = standby.replica.follow();
    let is_armed = context.region.control.protection.state() == ProtectionState::Armed;
    if is_armed && status == SeatStatus::Idle {
        let flows = standby.replica.flows();
        if standby.network.prebuild(context.now_ns(), flows) {
            status = SeatStatus::More;
        }
    }
    report(context);
    status
}

/// What was made ready, for the promotion.
pub fn take() -> Option<Standby> {
    STANDBY.lock().take()
}

fn report(context: &Context) {
    let backup = &context.region.control.backup;
    let idle = context.idle_heap_bytes.load(Ordering::Relaxed);
    backup.heap_bytes.store(idle, Ordering::Relaxed);
    backup.state_bytes.store(
        (HEAP.used_bytes() as u64).saturating_sub(idle),
        Ordering::Relaxed,
    );
}
