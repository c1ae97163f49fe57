//! The end of a cable, and the journal of a kernel that serves clients on it.

use std::collections::VecDeque;

use network::{ConnectionEvent, EventSink, Fact, Flows, Network};
use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken};
use smoltcp::time::Instant;
use smoltcp::wire::Ipv4Address;

/// Address and port of the service, and the hardware address.
pub const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
pub const PORT: u16 = 6379;
pub const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

/// Most bytes that clients are owed.
pub const UNACKED_BYTES_MAX: usize = 64 << 10;

/// A device. Checksums are not looked at: hostile frames have right ones.
#[derive(Default)]
pub struct Port {
    pub arrived: VecDeque<Vec<u8>>,
    pub leaving: Vec<Vec<u8>>,
}

pub struct Frame(Vec<u8>);

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        work(&self.0)
    }
}

pub struct TxToken<'a>(&'a mut Vec<Vec<u8>>);

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let mut frame = vec![0; length];
        let result = work(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Port {
    type RxToken<'a> = Frame;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Frame, TxToken<'_>)> {
        let frame = self.arrived.pop_front()?;
        Some((Frame(frame), TxToken(&mut self.leaving)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        Some(TxToken(&mut self.leaving))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}

/// When a backup that waits looks for sockets to make, in ns: twice, as a connection has to be quiet in between.
const LOOKS_NS: [u64; 2] = [1_000_000, 5_000_000];

/// Steps of a look, each of which makes a socket or finds that it must not.
const STEPS_MAX: usize = 1_000;

/// A kernel takes the connections over for which it has made sockets while it waited.
pub fn take_over(network: &mut Network<Port>, server: &TestServer) {
    for now_ns in LOOKS_NS {
        let steps = (0..STEPS_MAX).take_while(|_| network.prebuild(now_ns, &server.flows));
        assert!(steps.count() < STEPS_MAX, "getting ready has no end");
    }
    network.start(MAC, server);
}

/// A journal without a ring: every event is written and read again, and applied. The service repeats what it hears.
pub struct TestServer {
    pub flows: Flows,
    /// Whether a fact that does not follow from those before is a fault.
    is_strict: bool,
}

impl TestServer {
    /// With connections that somebody left.
    pub fn of(flows: Flows) -> Self {
        Self {
            flows,
            is_strict: false,
        }
    }

    /// Without a connection.
    pub fn new() -> Self {
        Self {
            flows: Flows::new(UNACKED_BYTES_MAX),
            is_strict: true,
        }
    }
}

impl EventSink for TestServer {
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
