//! Checkpoint records that a mad primary may have written are refused, or make a state that can serve and be written
//! like any other.
//!
//! An input is commands, behind their length, for the state that they make, and then the items of records, each behind
//! its owner and its length. The numbers of the records are made right.

use arbitrary::{Result, Unstructured};
use checkpoint::{Items, Sequence};
use network::{Fact, Flows, Network, NetworkConfig};
use service::{HostStatus, Input, InputRecord, Service, ServiceLimits, Stamp};

use crate::echo_server::{ADDRESS, EchoServer, PORT, take_over};
use crate::round_trip;
use network::testing::FakeCard;
use service::testing::RecordingHost;

const UNACKED_BYTES_MAX: usize = 64 << 10;
const STAMP: Stamp = Stamp {
    time_ms: 1_700_000_000_000,
    entropy: 1,
};

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let _ = scene(&mut Unstructured::new(data));
}

fn scene(input: &mut Unstructured<'_>) -> Result<()> {
    let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
    let commands = input.bytes(length)?;
    let mut service = Some(service::ServiceRestorer::new(limits()));
    let mut flows = Some(network::FlowsRestorer::new(UNACKED_BYTES_MAX));
    let mut sequence = Sequence::default();
    while !input.is_empty() {
        let section = input.arbitrary::<u8>()?;
        let length = usize::from(input.arbitrary::<u16>()?).min(input.len());
        let mut record = vec![section];
        record.extend(sequence.count().to_le_bytes());
        record.extend(input.bytes(length)?);
        let (_, items) = Items::of(&record, &mut sequence).expect("the number is right");
        // A checkpoint that was refused once is given up as a whole.
        if section.is_multiple_of(2) {
            service = service.and_then(|mut it| it.restore(items, &mut || ()).ok().map(|()| it));
        } else {
            flows = flows.and_then(|mut it| it.restore(items).ok().map(|()| it));
        }
    }
    if let Some(Ok(service)) = service.map(service::ServiceRestorer::finish) {
        can_serve(service, commands);
    }
    if let Some(Ok(flows)) = flows.map(network::FlowsRestorer::finish) {
        can_go_on(flows);
    }
    Ok(())
}

fn limits() -> ServiceLimits {
    ServiceLimits {
        max_memory_bytes: 100_000,
        max_request_bytes: 10_000,
        max_pending_bytes: 15_000,
        ..ServiceLimits::default()
    }
}

/// Checks that the state serves, and is written, like one that commands made.
fn can_serve(mut service: Service, commands: &[u8]) {
    let mut host = RecordingHost::default();
    round_trip::check_service(&mut service, &limits());
    let mut apply = |input| {
        let record = InputRecord {
            stamp: STAMP,
            input,
        };
        service.apply(&record, &mut host);
    };
    for connection in 0..4 {
        let peer = [10, 0, 2, 2, 0, connection as u8];
        apply(Input::Open { connection, peer });
        for bytes in [commands, b"\r\nINFO\r\nCLIENT LIST\r\nKEYS *\r\n"] {
            apply(Input::Bytes { connection, bytes });
        }
    }
    apply(Input::Tick);
    apply(Input::Close { connection: 1 });
    service.set_status(HostStatus::default());
    round_trip::check_service(&mut service, &limits());
}

/// Checks that the connections are written like those that facts made, and that sockets can be made for them.
fn can_go_on(mut flows: Flows) {
    round_trip::check_flows(&flows, UNACKED_BYTES_MAX);
    let connections: Vec<_> = flows.iter().map(|(connection, _)| connection).collect();
    let config = NetworkConfig {
        address: ADDRESS,
        prefix_len: 24,
        gateway: None,
        port: PORT,
        seed: 5,
        connections_max: 8,
    };
    let mut server = EchoServer::of(flows.clone());
    let card = FakeCard {
        ignores_checksums: true,
        ..FakeCard::default()
    };
    let mut network = Network::prepare(card, &config);
    take_over(&mut network, &server);
    for now_ns in [1_000_000, 2_000_000] {
        network.ingress(now_ns, &mut server);
        network.report(now_ns, &mut server);
        network.egress(now_ns, &mut server);
        let _ = (network.take_complaint(), network.due_ns(now_ns));
    }
    for connection in connections {
        flows.received(connection, 100);
        flows.reply(connection, b"+PONG\r\n");
        let bytes = 3;
        let end = false;
        let _ = flows.apply(&Fact::Acknowledged {
            connection,
            bytes,
            end,
        });
        let _ = flows.apply(&Fact::Gone { connection });
    }
    let _ = flows.next_connection();
    assert!(flows.is_empty());
}
