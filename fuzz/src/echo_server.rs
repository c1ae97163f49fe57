//! A kernel that serves clients: its service repeats what it receives, and its journal has no ring.

use network::testing::FakeCard;
use network::{ConnectionEvent, EventSink, Fact, Flows, Network};
use smoltcp::wire::Ipv4Address;

/// Address of the service.
pub const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
pub const PORT: u16 = 6379;
pub const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

/// Limit of the bytes that clients are still to acknowledge.
pub const UNACKED_BYTES_MAX: usize = 64 << 10;

/// Times at which a waiting backup looks for sockets to make, in ns: two, as a connection has to be quiet in between.
const LOOKS_NS: [u64; 2] = [1_000_000, 5_000_000];

/// Limit of the steps of a look, each of which makes a socket or finds that it must not.
const STEPS_MAX: usize = 1_000;

/// Takes over the connections for which the kernel made sockets while it waited.
pub fn take_over(network: &mut Network<FakeCard>, server: &EchoServer) {
    for now_ns in LOOKS_NS {
        let steps = (0..STEPS_MAX).take_while(|_| network.prebuild(now_ns, &server.flows));
        assert!(steps.count() < STEPS_MAX, "prebuilding has no end");
    }
    network.start(MAC, server);
}

/// A server that encodes each event, decodes it again and applies it.
pub struct EchoServer {
    pub flows: Flows,
    /// A fact that does not follow from those before is a fault.
    is_strict: bool,
}

impl EchoServer {
    /// Makes a server with connections that somebody left.
    pub fn of(flows: Flows) -> Self {
        Self {
            flows,
            is_strict: false,
        }
    }

    /// Makes a server without connections.
    pub fn new() -> Self {
        Self {
            flows: Flows::new(UNACKED_BYTES_MAX),
            is_strict: true,
        }
    }
}

impl EventSink for EchoServer {
    fn flows(&self) -> &Flows {
        &self.flows
    }

    fn commit_event(&mut self, event: ConnectionEvent<'_>) {
        match event {
            ConnectionEvent::Fact(fact) => {
                let mut payload = Vec::new();
                fact.encode(&mut payload);
                assert_eq!(Fact::decode(&payload), Ok(fact));
                let applied = self.flows.apply(&fact);
                assert!(!self.is_strict || applied.is_ok(), "{fact:?}: {applied:?}");
            }
            ConnectionEvent::Opened(connection, _) => self.flows.opened(connection),
            ConnectionEvent::Bytes(connection, bytes) => {
                self.flows.received(connection, bytes.len());
                self.flows.reply(connection, bytes);
                if bytes.contains(&b'q') {
                    self.flows.hang_up(connection);
                }
            }
            ConnectionEvent::Closed(connection) => self.flows.closed(connection),
        }
    }

    fn progress(&mut self) {}

    fn now_ns(&self) -> u64 {
        0
    }
}
