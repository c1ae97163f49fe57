//! A state is told as a primary tells it to a new backup, and heard as that hears it.

use checkpoint::{Items, Malformed, Sequence, Writer};
use network::Flows;
use service::{Service, ServiceLimits};

const SECTION: u8 = 1;

/// The records that `tell` writes.
pub fn records(tell: impl FnOnce(&mut Writer<'_>)) -> Vec<Vec<u8>> {
    let (mut records, mut sequence) = (Vec::new(), Sequence::default());
    let mut sink = |payload: &[u8]| records.push(payload.to_vec());
    tell(&mut Writer::new(SECTION, &mut sequence, &mut sink));
    records
}

/// Gives the items of each record to `hear`.
pub fn hear(
    records: &[Vec<u8>],
    mut hear: impl FnMut(Items<'_>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut sequence = Sequence::default();
    (records.iter()).try_for_each(|record| hear(Items::of(record, &mut sequence)?.1))
}

/// The service's state in records.
pub fn of_service(service: &mut Service) -> Vec<Vec<u8>> {
    records(|writer| {
        service.begin_checkpoint();
        while !service.write_keyspace(writer, usize::MAX) {}
        service.end_checkpoint(writer);
    })
}

/// Who hears a service tell has the same one.
pub fn service_is_told(service: &mut Service, limits: &ServiceLimits) {
    let told = of_service(service);
    let mut restorer = service::ServiceRestorer::new(limits.clone());
    hear(&told, |items| restorer.restore(items, &mut || ())).expect("what was told");
    let mut heard = restorer.finish().expect("all of it");
    assert_eq!(heard.digest(|| ()), service.digest(|| ()));
    assert_eq!(heard.used_bytes(), service.used_bytes());
    assert_eq!(of_service(&mut heard), told);
}

/// Who hears connections tell has the same ones.
pub fn flows_are_told(flows: &Flows, unacked_bytes_max: usize) {
    let told = records(|writer| flows.write_checkpoint(writer));
    let mut restorer = network::FlowsRestorer::new(unacked_bytes_max);
    hear(&told, |items| restorer.restore(items)).expect("what was told");
    let heard = restorer.finish().expect("all of it");
    assert_eq!(heard.next_connection(), flows.next_connection());
    assert_eq!(records(|writer| heard.write_checkpoint(writer)), told);
}
