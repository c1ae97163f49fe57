//! The instance as a waiting backup. The monitor calls it on the seat, under the monitor's interrupt table and timer.

use core::sync::atomic::Ordering;

use network::{Network, NetworkConfig};
use partition::cmdline::StatusClients;
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

/// Everything that a primary needs except the devices. It is made in advance, so a promotion only has to adopt the
/// devices.
pub struct Standby {
    /// State and journal.
    pub replica: Replica<&'static Context>,
    /// Interface and sockets.
    pub network: Network<Gate>,
    /// Sockets of the status page, if the boot options want one.
    pub page: Option<PageSockets>,
}

impl Standby {
    /// Allocates everything.
    pub fn new(context: &'static Context) -> Self {
        let ip = &context.options.network;
        let config = NetworkConfig {
            address: ip.client,
            prefix_len: ip.prefix_len,
            gateway: ip.gateway,
            port: context.port(),
            seed: context.clock_ticks() ^ context.hand_off.entropy,
            connections_max: context.shares().connections,
        };
        let mut network = Network::prepare(Gate::prepare(), &config);
        let near = match context.options.status_clients {
            StatusClients::Near => Some(*ip),
            StatusClients::All => None,
        };
        let page = context
            .options
            .status_port
            .map(|port| PageSockets::open(port, near, network.listeners()));
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

/// Prepares this instance as a backup. The monitor then calls [`step`].
pub fn init(hand_off: &'static HandOff) -> SeatStatus {
    match context::init(hand_off) {
        Ok(context) => {
            *STANDBY.lock() = Some(Standby::new(context));
            report(context);
            // The journal is read in steps, once the primary knows of this reader.
            SeatStatus::More
        }
        Err(reason) => {
            log::error!("cannot wait as a backup: {reason}");
            SeatStatus::Failed
        }
    }
}

/// Applies some of the records that the primary has applied; when there are none left, prebuilds sockets.
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

/// Takes what was prepared, for the promotion.
pub fn take() -> Option<Standby> {
    STANDBY.lock().take()
}

/// Stores the heap figures for `INFO`.
fn report(context: &Context) {
    let backup = &context.region.control.backup;
    let idle = context.idle_heap_bytes.load(Ordering::Relaxed);
    backup.heap_bytes.store(idle, Ordering::Relaxed);
    backup.state_bytes.store(
        (HEAP.used_bytes() as u64).saturating_sub(idle),
        Ordering::Relaxed,
    );
}
