//! Every crash of a workload: `cargo test -p journal -- --nocapture exhaustive`.

use crate::crash::{Cut, cuts_in_order, for_each_cut};
use crate::fixture::{RESERVED, RETAINED, SharedMemory, recover};
use crate::machine::TracedMachine;
use crate::oracle::{Expected, check_recovery, written_before};
use crate::trace::Trace;
use crate::workload::{BACKUP, DiesIn, LEAD, at_once, take_over, three_owners};

/// Recovers from every cut between two stores, and from every reordering of them. Returns the number of cuts.
fn recover_everywhere(trace: &Trace) -> usize {
    let memory = SharedMemory::new(trace.capacity_bytes);
    for_each_cut(trace, |cut| check_recovery(trace, cut, &memory))
}

#[test]
fn exhaustive_every_crash_of_three_owners_is_recovered_from() {
    let trace = three_owners();
    let cuts = recover_everywhere(&trace);
    let (stores, records) = (trace.stores(), trace.records.len());
    println!(
        "exhaustive: {stores} stores of {records} records: {cuts} images, each recovered from"
    );
    assert!(stores > 300 && cuts > stores, "{stores} {cuts}");
}

/// Returns every order in which the cores can reserve, each as often as it appends.
fn orders(appends: [usize; 3]) -> Vec<Vec<usize>> {
    if appends == [0; 3] {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for core in (0..appends.len()).filter(|core| appends[*core] > 0) {
        let mut left = appends;
        left[core] -= 1;
        for further in self::orders(left) {
            orders.push([&[core], &*further].concat());
        }
    }
    orders
}

#[test]
fn exhaustive_every_crash_of_cores_that_append_at_once_is_recovered_from() {
    let orders = orders([1, 2, 2]);
    let cuts: usize = orders
        .iter()
        .map(|order| recover_everywhere(&at_once(order)))
        .sum();
    println!(
        "exhaustive: 5 records of 3 cores at once, {} orders: {cuts} images, each recovered from",
        orders.len()
    );
    assert_eq!(orders.len(), 30);
}

/// Makes a machine with the memory of a cut, and a kernel that is about to take over.
pub fn machine_at(trace: &Trace, cut: &Cut) -> TracedMachine {
    let memory = SharedMemory::new(trace.capacity_bytes);
    memory.restore(&cut.image);
    TracedMachine::new(memory, cut.epoch, written_before(trace, cut))
}

/// Takes over at a cut. Returns the recording of it.
fn check_takeover(trace: &Trace, cut: &Cut, core: usize) -> Trace {
    let from = cut.image[RETAINED];
    let expected = Expected::of(trace, cut, from).with_killer(&cut.image);
    let machine = machine_at(trace, cut);
    expected.check(&take_over(&machine, core, from, DiesIn::Nothing), cut);
    let journal = machine.on(core);
    let after = recover(&journal, from, machine.epoch());
    let (own, others) = after.records.split_last().unwrap();
    assert_eq!((others, own.epoch), (&*expected.records, machine.epoch()));
    assert_eq!(own.position, cut.image[RESERVED]);
    machine.trace()
}

#[test]
fn exhaustive_a_takeover_that_is_cut_and_begun_again_ends_the_same() {
    let trace = three_owners();
    let memory = SharedMemory::new(trace.capacity_bytes);
    let (mut takeovers, mut again) = (0, 0);
    for cut in cuts_in_order(&trace) {
        let takeover = check_takeover(&trace, &cut, BACKUP);
        takeovers += 1;
        for cut in cuts_in_order(&takeover) {
            check_recovery(&takeover, &cut, &memory);
            check_takeover(&takeover, &cut, LEAD);
            again += 1;
        }
    }
    println!(
        "exhaustive: {takeovers} takeovers, cut at each of their stores and begun again: {again}"
    );
    assert!(again > 10 * takeovers);
}
