//! Sockets that are made while the instance waits, so that a takeover finds them made: those of connections on which nothing has happened for a while.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use smoltcp::time::Instant;

use crate::attached::AttachedSockets;
use crate::flow::{Basis, Flow, Flows};
use crate::single::Single;
use crate::tcp_repair::SocketRebuilder;
use crate::{ConnectionId, shape};

/// All connections are looked at once in this time, in ns. One that is as it was the last time gets its socket: not one that is in use without a pause,
/// whose socket would be of no use a moment later.
const SWEEP_NS: u64 = 1_000_000;
/// Connections that are looked at in one step.
const LOOKS_PER_STEP: usize = 64;
/// A socket of this age is of no use, in ns: its timers began when it was made, and the client would be asked whether it is still there.
const AGE_NS_MAX: u64 = 20_000_000_000;
/// At this age it is made anew, in ns.
const RENEWAL_NS: u64 = 10_000_000_000;

/// The sockets that are made, and those that are to be.
#[derive(Default)]
pub(crate) struct PrebuiltSockets {
    sockets: BTreeMap<ConnectionId, Prebuilt>,
    /// Where the sweep goes on, and how many sockets it has met.
    next: ConnectionId,
    met: usize,
    /// When the next sweep begins, in ns.
    due_ns: u64,
}

/// A connection's socket.
struct Prebuilt {
    single: Single,
    /// What the connection was like at the last look.
    basis: Basis,
    /// When the socket was made of that, in ns, if it was.
    made_ns: Option<u64>,
}

impl Prebuilt {
    /// Whether the socket is what would be made now, and younger than `age_ns`.
    fn is_made(&self, flow: &Flow, now_ns: u64, age_ns: u64) -> bool {
        let is_young = |made_ns: u64| now_ns.saturating_sub(made_ns) < age_ns;
        flow.basis() == Some(self.basis) && self.made_ns.is_some_and(is_young)
    }
}

impl PrebuiltSockets {
    /// Goes on with a sweep; at most one socket is made. True if there is more to do now.
    pub(crate) fn go_on(
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

    /// Looks at a connection. True if something was made.
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
            // The buffers are the larger part of the work.
            let prebuilt = Prebuilt {
                single: Single::new(shape::SERVICE.closed()),
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
        // What goes wrong is told when it is tried in earnest.
        prebuilt.made_ns = rebuilt.is_ok().then_some(now_ns);
        true
    }

    /// A takeover: every connection whose socket is as it would be made now gets it. The others are for later.
    pub(crate) fn hand_over(
        self,
        attached: &mut AttachedSockets,
        flows: &Flows,
        now_ns: u64,
    ) -> Unbuilt {
        let (mut made, mut unbuilt) = (Vec::with_capacity(flows.len()), Unbuilt::default());
        // Both are in the order of the connections' numbers, so that nothing has to be looked up.
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
    /// Those that have something to say.
    urgent: VecDeque<ConnectionId>,
    others: VecDeque<ConnectionId>,
    /// Sockets that were made of something else; their buffers are of use.
    spare: Vec<Single>,
}

impl Unbuilt {
    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.others.is_empty()
    }

    /// The next one to get its socket.
    pub(crate) fn next(&mut self) -> Option<ConnectionId> {
        self.urgent.pop_front().or_else(|| self.others.pop_front())
    }

    /// A socket to be made into one of theirs.
    pub(crate) fn socket(&mut self) -> Single {
        let spare = self.spare.pop();
        spare.unwrap_or_else(|| Single::new(shape::SERVICE.closed()))
    }
}

/// `smoltcp`'s time.
pub(crate) fn instant(now_ns: u64) -> Instant {
    Instant::from_micros((now_ns / 1000) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, Handshake};
    use crate::segment::Local;
    use smoltcp::wire::Ipv4Address;

    const LOCAL: Local = Local {
        address: Ipv4Address::new(10, 0, 2, 15),
        port: 6379,
    };

    /// So many connections that are open.
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

    /// A backup that waits, at a time.
    struct Waiting {
        ready: PrebuiltSockets,
        rebuilder: SocketRebuilder,
        now_ns: u64,
    }

    impl Waiting {
        fn new() -> Self {
            Self {
                ready: PrebuiltSockets::default(),
                rebuilder: SocketRebuilder::new(LOCAL),
                now_ns: 0,
            }
        }

        /// A sweep. Returns the steps that it took.
        fn sweep(&mut self, flows: &Flows) -> usize {
            self.now_ns += SWEEP_NS;
            let mut steps = 1;
            while self.ready.go_on(&mut self.rebuilder, flows, self.now_ns) {
                steps += 1;
            }
            steps
        }

        /// A takeover: connections that have their socket, and those that have not.
        fn hand_over(self, flows: &Flows) -> (usize, Vec<ConnectionId>) {
            let mut attached = AttachedSockets::default();
            let mut unbuilt = self.ready.hand_over(&mut attached, flows, self.now_ns);
            let left = core::iter::from_fn(|| unbuilt.next()).collect();
            (attached.len(), left)
        }
    }

    #[test]
    fn quiet_connections_get_their_sockets_and_no_others() {
        let mut flows = flows(4);
        let mut waiting = Waiting::new();
        // Buffers, sockets, nothing more; one for a step.
        assert_eq!(waiting.sweep(&flows), 5);
        flows.received(2, 100);
        assert_eq!(waiting.sweep(&flows), 4);
        flows.received(2, 100);
        assert_eq!(waiting.sweep(&flows), 1);
        flows.reply(3, b"owed, which the socket gets later");
        flows.received(4, 1);
        assert_eq!(waiting.hand_over(&flows), (2, [2, 4].into()));
    }

    #[test]
    fn what_has_something_to_say_comes_first() {
        let mut flows = flows(3);
        flows.reply(2, b"owed");
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
        let (prebuilt, flow) = (&waiting.ready.sockets[&1], flows.get(1).unwrap());
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
        assert_eq!(waiting.ready.sockets.len(), 2);
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
