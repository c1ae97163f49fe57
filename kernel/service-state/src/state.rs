//! The whole of it.

use alloc::collections::BTreeSet;

use crate::blocked::BlockedClients;
use crate::connection::Connections;
use crate::failover::Failover;
use crate::limits::ServiceLimits;
use crate::record::ConnectionId;
use crate::statistics::Statistics;
use crate::status::HostStatus;
use crate::store::Keyspace;
use crate::subscriptions::Subscribers;

/// What the service knows. It is the same on all kernels that applied the same records.
pub struct State {
    /// What it may use.
    pub limits: ServiceLimits,
    /// The databases.
    pub keyspace: Keyspace,
    /// The clients.
    pub connections: Connections,
    /// Who subscribes to what.
    pub subscribers: Subscribers,
    /// Counters for `INFO`.
    pub statistics: Statistics,
    /// The kernel's status.
    pub status: HostStatus,
    /// A hand-over that was asked for.
    pub failover: Option<Failover>,
    /// Memory that all connections keep, in bytes: incomplete requests and names.
    pub pending_bytes: usize,
    /// Who waits.
    pub blocked: BlockedClients,
    /// Who is shown every command.
    pub monitors: BTreeSet<ConnectionId>,
}

impl State {
    /// Makes that of an empty service.
    pub fn new(limits: ServiceLimits) -> Self {
        Self {
            keyspace: Keyspace::new(limits.hash_seed),
            connections: Connections::new(),
            subscribers: Subscribers::default(),
            statistics: Statistics::default(),
            status: HostStatus::default(),
            failover: None,
            pending_bytes: 0,
            blocked: BlockedClients::default(),
            monitors: BTreeSet::new(),
            limits,
        }
    }
}
