//! Round trips: a state that is written into a checkpoint and restored from it is the same.

use checkpoint::{Items, Malformed, Sequence, Writer};
use network::{Flows, FlowsRestorer, FlowsWriter};
use service::{Service, ServiceLimits, ServiceRestorer};

const SECTION: u8 = 1;

/// Returns the records that `write` writes.
pub fn records(write: impl FnOnce(&mut Writer<'_>)) -> Vec<Vec<u8>> {
    let (mut records, mut sequence) = (Vec::new(), Sequence::default());
    let mut sink = |payload: &[u8]| records.push(payload.to_vec());
    write(&mut Writer::new(SECTION, &mut sequence, &mut sink));
    records
}

/// Gives the items of each record to `restore`.
pub fn restore(
    records: &[Vec<u8>],
    mut restore: impl FnMut(Items<'_>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut sequence = Sequence::default();
    (records.iter()).try_for_each(|record| restore(Items::of(record, &mut sequence)?.1))
}

/// Writes the service's state into records.
pub fn of_service(service: &mut Service) -> Vec<Vec<u8>> {
    records(|writer| {
        service.begin_checkpoint();
        while !service.write_keyspace(writer, usize::MAX) {}
        service.end_checkpoint(writer);
    })
}

/// Checks the round trip of a service.
pub fn check_service(service: &mut Service, limits: &ServiceLimits) {
    let written = of_service(service);
    let mut restorer = ServiceRestorer::new(limits.clone());
    restore(&written, |items| restorer.restore(items, &mut || ())).expect("what was written");
    let mut restored = restorer.finish().expect("all of it");
    assert_eq!(restored.digest(|| ()), service.digest(|| ()));
    assert_eq!(restored.used_bytes(), service.used_bytes());
    assert_eq!(of_service(&mut restored), written);
}

/// Checks the round trip of connections.
pub fn check_flows(flows: &Flows, unacked_bytes_max: usize) {
    let written = records(|writer| FlowsWriter::write_all(flows, writer));
    let mut restorer = FlowsRestorer::new(unacked_bytes_max);
    restore(&written, |items| restorer.restore(items)).expect("what was written");
    let restored = restorer.finish().expect("all of it");
    assert_eq!(restored.next_connection(), flows.next_connection());
    assert_eq!(
        records(|writer| FlowsWriter::write_all(&restored, writer)),
        written
    );
}
