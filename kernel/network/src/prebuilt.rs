//! Sockets that a backup makes while it waits, so that a takeover finds them made.
//!
//! A connection gets its socket when nothing has happened on it for a while. The socket of a connection that is in
//! use all the time would be out of date a moment later.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use smoltcp::time::Instant;

use crate::attached::AttachedSockets;
use crate::flow::{Basis, Flow};
use crate::flows::Flows;
use crate::single::Single;
use crate::tcp_repair::SocketRebuilder;
use crate::{ConnectionId, socket_options};

/// Time between two looks at the same connection, in ns. One that has not changed meanwhile gets its socket.
const SWEEP_NS: u64 = 1_000_000;
/// Connections looked at in one step.
const LOOKS_PER_STEP: usize = 64;
/// A socket older than this is not used, in ns: its timers run since it was made, and it would probe the client at
/// once.
const AGE_NS_MAX: u64 = 20_000_000_000;
/// A socket of this age is made again, in ns.
const RENEWAL_NS: u64 = 10_000_000_000;

/// The sockets made so far.
#[derive(Default)]
pub(crate) struct PrebuiltSockets {
    sockets: BTreeMap<ConnectionId, Prebuilt>,
    /// The connection at which the sweep goes on.
    next: ConnectionId,
    /// Number of sockets whose connection the sweep has met.
    met: usize,
    /// When the next sweep begins, in ns.
    due_ns: u64,
}

/// A connection's socket.
struct Prebuilt {
    single: Single,
    /// What the connection was like at the last look.
    basis: Basis,
    /// When the socket was made from `basis`, in ns; `None` if it still has to be.
    made_ns: Option<u64>,
}

impl Prebuilt {
    /// Returns whether the socket is the one that would be made from `flow` now, and younger than `age_ns`.
    fn is_made(&self, flow: &Flow, now_ns: u64, age_ns: u64) -> bool {
        let is_young = |made_ns: u64| now_ns.saturating_sub(made_ns) < age_ns;
        flow.basis() == Some(self.basis) && self.made_ns.is_some_and(is_young)
    }
}

impl PrebuiltSockets {
    /// Goes on with the sweep, and makes one socket at most. Returns whether there is more to do now.
    pub(crate) fn step(
        &mut self,
        rebuilder: &mut SocketRebuilder,
        flows: &Flows,
        now_ns: u64,
    ) -> bool {
        if now_ns < self.due_ns {
            return false;
        }
        for (looks, (connection, flow)) in flows.from(self.next).enumerate() {
            if looks == LOOKS_PER_STEP {
                return true;
            }
            self.next = connection + 1;
            if self.look(connection, flow, rebuilder, now_ns) {
                return true;
            }
        }
        if self.met < self.sockets.len() {
            let is_there = |connection: &ConnectionId| flows.get(*connection).is_some();
            self.sockets.retain(|connection, _| is_there(connection));
        }
        (self.next, self.met, self.due_ns) = (0, 0, now_ns + SWEEP_NS);
        false
    }

    /// Looks at a connection. Returns whether something was made.
    fn look(
        &mut self,
        connection: ConnectionId,
        flow: &Flow,
        rebuilder: &mut SocketRebuilder,
        now_ns: u64,
    ) -> bool {
        let Some(basis) = flow.basis() else {
            self.met += usize::from(self.sockets.contains_key(&connection));
            return false;
        };
        self.met += 1;
        let Some(prebuilt) = self.sockets.get_mut(&connection) else {
            // Making the buffers is the larger part of the work.
            let prebuilt = Prebuilt {
                single: Single::new(socket_options::SERVICE.closed()),
                basis,
                made_ns: None,
            };
            self.sockets.insert(connection, prebuilt);
            return true;
        };
        if prebuilt.basis != basis {
            (prebuilt.basis, prebuilt.made_ns) = (basis, None);
            return false;
        }
        if prebuilt.is_made(flow, now_ns, RENEWAL_NS) {
            return false;
        }
        let rebuilt = rebuilder.rebuild(flow, &mut prebuilt.single, instant(now_ns));
        // The takeover tries it again, and reports an error then.
        prebuilt.made_ns = rebuilt.is_ok().then_some(now_ns);
        true
    }

    /// Takes over: gives every connection its socket, if it is up to date. Returns the connections that still need one.
    pub(crate) fn hand_over(
        self,
        attached: &mut AttachedSockets,
        flows: &Flows,
        now_ns: u64,
    ) -> Unbuilt {
        let (mut made, mut unbuilt) = (Vec::with_capacity(flows.len()), Unbuilt::default());
        // Both are sorted by connection, so that nothing has to be searched for.
        let mut sockets = self.sockets.into_iter().peekable();
        for (connection, flow) in flows.iter() {
            while sockets
                .next_if(|(number, _)| *number < connection)
                .is_some()
            {}
            match sockets.next_if(|(number, _)| *number == connection) {
                Some((_, prebuilt)) if prebuilt.is_made(flow, now_ns, AGE_NS_MAX) => {
                    made.push((connection, prebuilt.single, flow));
                }
                prebuilt => {
                    unbuilt
                        .spare
                        .extend(prebuilt.map(|(_, prebuilt)| prebuilt.single));
                    match flow.is_urgent() {
                        true => unbuilt.urgent.push_back(connection),
                        false => unbuilt.others.push_back(connection),
                    }
                }
            }
        }
        attached.attach_prebuilt(made);
        unbuilt
    }
}

/// Connections of a predecessor that have no socket yet.
#[derive(Default)]
pub(crate) struct Unbuilt {
    /// Those that have something to send.
    urgent: VecDeque<ConnectionId>,
    others: VecDeque<ConnectionId>,
    /// Sockets that are out of date; their buffers are used again.
    spare: Vec<Single>,
}

impl Unbuilt {
    /// Returns whether every connection has its socket.
    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.others.is_empty()
    }

    /// Removes and returns the connection that is to get its socket next.
    pub(crate) fn next(&mut self) -> Option<ConnectionId> {
        self.urgent.pop_front().or_else(|| self.others.pop_front())
    }

    /// Returns a socket to be rebuilt.
    pub(crate) fn socket(&mut self) -> Single {
        let spare = self.spare.pop();
        spare.unwrap_or_else(|| Single::new(socket_options::SERVICE.closed()))
    }
}

/// Converts a time to `smoltcp`'s.
pub(crate) fn instant(now_ns: u64) -> Instant {
    Instant::from_micros((now_ns / 1000) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, Handshake};
    use crate::segment::Local;
    use smoltcp::wire::{Ipv4Address, Ipv4Cidr};

    const LOCAL: Local = Local {
        network: Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24),
        port: 6379,
    };

    /// Makes `count` open connections.
    fn flows(count: u8) -> Flows {
        let mut flows = Flows::new(1 << 20);
        for number in 1..=count {
            let begun = Fact::Begun {
                connection: number.into(),
                peer: [10, 0, 2, 2, 1, number],
                handshake: Handshake {
                    peer_mac: [2; 6],
                    peer_seq: 1000,
                    local_seq: 2000,
                    mss: Some(1460),
                    window_scale: None,
                    sack_permitted: false,
                },
            };
            flows.apply(&begun).unwrap();
            flows.opened(number.into());
        }
        flows
    }

    /// A waiting backup, and the time.
    struct Waiting {
        prebuilt: PrebuiltSockets,
        rebuilder: SocketRebuilder,
        now_ns: u64,
    }

    impl Waiting {
        fn new() -> Self {
            Self {
                prebuilt: PrebuiltSockets::default(),
                rebuilder: SocketRebuilder::new(LOCAL),
                now_ns: 0,
            }
        }

        /// Sweeps once. Returns the number of steps that it took.
        fn sweep(&mut self, flows: &Flows) -> usize {
            self.now_ns += SWEEP_NS;
            let mut steps = 1;
            while self.prebuilt.step(&mut self.rebuilder, flows, self.now_ns) {
                steps += 1;
            }
            steps
        }

        /// Takes over. Returns how many connections have their socket, and those that have none.
        fn hand_over(self, flows: &Flows) -> (usize, Vec<ConnectionId>) {
            let mut attached = AttachedSockets::default();
            let mut unbuilt = self.prebuilt.hand_over(&mut attached, flows, self.now_ns);
            let left = core::iter::from_fn(|| unbuilt.next()).collect();
            (attached.len(), left)
        }
    }

    #[test]
    fn quiet_connections_get_their_sockets_and_no_others() {
        let mut flows = flows(4);
        let mut waiting = Waiting::new();
        // Each of the first four steps makes the buffers of a connection, the last one ends the sweep.
        assert_eq!(waiting.sweep(&flows), 5);
        flows.received(2, 100);
        assert_eq!(waiting.sweep(&flows), 4);
        flows.received(2, 100);
        assert_eq!(waiting.sweep(&flows), 1);
        flows.reply(3, b"a reply, which the socket gets later");
        flows.received(4, 1);
        assert_eq!(waiting.hand_over(&flows), (2, [2, 4].into()));
    }

    #[test]
    fn connections_with_something_to_send_come_first() {
        let mut flows = flows(3);
        flows.reply(2, b"reply");
        flows.hang_up(3);
        assert_eq!(Waiting::new().hand_over(&flows), (0, [2, 3, 1].into()));
    }

    #[test]
    fn a_socket_is_made_anew_before_it_is_old() {
        let flows = flows(1);
        let mut waiting = Waiting::new();
        waiting.sweep(&flows);
        assert_eq!(waiting.sweep(&flows), 2);
        waiting.now_ns += RENEWAL_NS - 2 * SWEEP_NS;
        assert_eq!(waiting.sweep(&flows), 1);
        assert_eq!(waiting.sweep(&flows), 2);
        waiting.now_ns += AGE_NS_MAX - 1;
        let (prebuilt, flow) = (&waiting.prebuilt.sockets[&1], flows.get(1).unwrap());
        assert!(prebuilt.is_made(flow, waiting.now_ns, AGE_NS_MAX));
        waiting.now_ns += 1;
        assert_eq!(waiting.hand_over(&flows), (0, [1].into()));
    }

    #[test]
    fn connections_that_are_gone_leave_nothing() {
        let mut flows = flows(3);
        let mut waiting = Waiting::new();
        waiting.sweep(&flows);
        waiting.sweep(&flows);
        flows.apply(&Fact::Gone { connection: 2 }).unwrap();
        waiting.sweep(&flows);
        assert_eq!(waiting.prebuilt.sockets.len(), 2);
        flows.apply(&Fact::Gone { connection: 3 }).unwrap();
        assert_eq!(waiting.hand_over(&flows), (1, [].into()));
    }

    #[test]
    fn many_connections_are_looked_at_in_short_steps() {
        let flows = flows(200);
        let mut waiting = Waiting::new();
        waiting.sweep(&flows);
        waiting.sweep(&flows);
        assert_eq!(waiting.sweep(&flows), 4);
        assert_eq!(waiting.hand_over(&flows), (200, [].into()));
    }
}
