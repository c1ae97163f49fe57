//! What this kernel offers to the replica in it.

use core::fmt::Display;

use replica::{Host, ReplicaLimits, ReplicationStatus};
use service::{DebugCommand, HostStatus, OperatorCommand};
use sharedmem::crc32c::Crc32c;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::{Instance, SharedRegion};
use takeover::detector::DetectorConfig;

use crate::context::Context;
use crate::cores::{self, LEAD};
use crate::{death, debug, operator, report, status};

/// Connections beyond the most clients that may be open at a time, until the error has reached them (as many as Redis
/// keeps file descriptors in reserve).
const REFUSED_AT_ONCE: usize = 32;

impl Host for &'static Context {
    fn region(&self) -> SharedRegion {
        self.region
    }

    fn crc(&self) -> Crc32c {
        self.crc
    }

    fn instance(&self) -> Instance {
        self.hand_off.instance()
    }

    fn limits(&self) -> ReplicaLimits {
        let shares = self.shares();
        let request_bytes_max = service::ServiceLimits::default().max_request_bytes;
        ReplicaLimits {
            service: service::ServiceLimits {
                max_memory_bytes: shares.store_bytes,
                max_pending_bytes: shares.pending_bytes as usize,
                max_request_bytes: (shares.pending_bytes as usize).min(request_bytes_max),
                // Those beyond get a connection, too, for the error that says so.
                max_clients: shares.connections.saturating_sub(REFUSED_AT_ONCE),
                debug: self.options.debug,
                admin: self.options.admin,
                password: (self.options.password.as_ref())
                    .map(|secret| service::Password::new(secret.reveal())),
                near: self.options.is_protected.then_some(service::Network {
                    address: self.options.network.client.octets(),
                    prefix_bits: self.options.network.prefix_len,
                }),
                ..service::ServiceLimits::default()
            },
            unacked_bytes_max: shares.unacked_bytes as usize,
            records_bytes_max: shares.records_bytes as usize,
        }
    }

    fn detector(&self) -> DetectorConfig {
        DetectorConfig {
            keepalive_ns: self.options.keepalive_ns,
            timeout_ns: self.options.failover_timeout_ns,
            boot_timeout_ns: self.options.failover_boot_timeout_ns,
        }
    }

    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn entropy(&self) -> u64 {
        self.hand_off.entropy ^ self.clock_ticks()
    }

    fn advance(&self) {
        cores::core(LEAD).advance();
    }

    fn pause(&self) {
        core::hint::spin_loop();
    }

    fn die(&self, cause: EpitaphCause, reason: &dyn Display) -> ! {
        death::for_cause(cause, reason)
    }

    fn superseded(&self, epoch: u64) -> ! {
        death::superseded(epoch)
    }

    fn status(&self, replication: &ReplicationStatus) -> HostStatus {
        status::of(self, replication)
    }

    fn print(&self, bytes: &[u8]) {
        report::console_reply(self, bytes);
    }

    fn debug(&self, command: DebugCommand) {
        debug::execute(self, command);
    }

    fn operate(&self, command: OperatorCommand<'_>) {
        operator::ask(self, command);
    }
}
