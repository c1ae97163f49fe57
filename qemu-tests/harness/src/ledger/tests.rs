//! The ledger against stores that lie.

use super::*;
use std::collections::HashMap;
use std::convert::Infallible;

#[derive(Default)]
struct Fake(HashMap<String, Vec<u8>>);

impl Fake {
    fn set(&mut self, key: String, value: impl ToString) {
        self.0.insert(key, value.to_string().into_bytes());
    }
}

impl KeyStore for Fake {
    type Error = Infallible;

    fn values(&mut self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Infallible> {
        Ok(keys.iter().map(|key| self.0.get(key).cloned()).collect())
    }

    fn keys(&mut self, pattern: &str) -> Result<Vec<String>, Infallible> {
        let prefix = pattern.strip_suffix('*').unwrap();
        Ok(self
            .0
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect())
    }
}

/// Makes ten writes and four increments, and a store that did them all. Write 9 and the last increment were not
/// acknowledged.
fn honest() -> (KeyLedger, Fake) {
    let (mut ledger, mut store) = (KeyLedger::new("c"), Fake::default());
    let now = Instant::now();
    for number in 0..10 {
        ledger.sent(number);
        store.set(ledger.key(number), ledger.value(number));
        if number < 9 {
            ledger.acknowledged(number, now);
        }
    }
    for value in 1..=4 {
        ledger.increment_sent();
        if value < 4 {
            ledger.increment_acknowledged(value, now);
        }
    }
    store.set(ledger.counter_key(), 4);
    store.set("other:1".into(), "somebody else's");
    (ledger, store)
}

fn audit(ledger: &KeyLedger, store: &mut Fake) -> KeyAudit {
    ledger.audit(store).unwrap()
}

#[test]
fn what_was_not_acknowledged_may_have_happened_or_not() {
    let (ledger, mut store) = honest();
    assert!(audit(&ledger, &mut store).is_clean());
    store.0.remove(&ledger.key(9));
    store.set(ledger.counter_key(), 3);
    let found = audit(&ledger, &mut store);
    assert!(found.is_clean() && found.examples.is_empty());
    assert_eq!(found.acked_writes, 12);
}

#[test]
fn what_was_acknowledged_must_be_there_and_right() {
    let (ledger, mut store) = honest();
    store.0.remove(&ledger.key(3));
    store.set(ledger.key(4), ledger.value(5));
    store.set(ledger.counter_key(), 1);
    let found = audit(&ledger, &mut store);
    assert_eq!((found.lost_writes, found.invented_writes), (4, 0));
    assert_eq!(found.examples[0], "c:3 is missing");
    assert!(
        !found.is_clean()
            && found.to_string().starts_with(
                "12 acknowledged writes, 4 lost, 0 invented; c:3 is missing; c:4 is c=5/"
            )
    );
    store.0.remove(&ledger.counter_key());
    assert_eq!(audit(&ledger, &mut store).lost_writes, 5);
}

#[test]
fn what_was_never_sent_must_not_be_there() {
    let (ledger, mut store) = honest();
    store.set(ledger.key(10), "new");
    store.set(ledger.key(9), "else");
    store.set(ledger.counter_key(), 6);
    let found = audit(&ledger, &mut store);
    assert_eq!((found.lost_writes, found.invented_writes), (0, 4));
    store.set(ledger.counter_key(), "many");
    assert_eq!(audit(&ledger, &mut store).invented_writes, 3);
}

#[test]
fn a_counter_that_goes_back_is_a_loss_even_if_it_catches_up() {
    let (mut ledger, mut store) = honest();
    ledger.increment_sent();
    ledger.increment_acknowledged(3, Instant::now());
    assert_eq!(audit(&ledger, &mut store).lost_writes, 1);
}

#[test]
fn a_write_that_was_sent_twice_is_one() {
    let (mut ledger, mut store) = honest();
    ledger.sent(0);
    ledger.sent(9);
    ledger.acknowledged(9, Instant::now());
    assert_eq!(audit(&ledger, &mut store).acked_writes, 13);
    store.0.remove(&ledger.key(0));
    assert_eq!(
        audit(&ledger, &mut store).lost_writes,
        1,
        "an acknowledgement is not taken back by sending again"
    );
}

#[test]
fn the_gap_is_the_longest_around_or_after_the_fault() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut ledger = KeyLedger::new("c");
    for (number, ms) in [0, 500, 510, 520, 700, 705].into_iter().enumerate() {
        ledger.acknowledged(number as u64, at(ms));
    }
    assert_eq!(
        ledger.longest_gap(at(515)),
        Some(Duration::from_millis(180))
    );
    assert_eq!(
        ledger.longest_gap(at(499)),
        Some(Duration::from_millis(500))
    );
    assert_eq!(ledger.longest_gap(at(701)), Some(Duration::from_millis(5)));
    assert_eq!(ledger.longest_gap(at(705)), None);
}

#[test]
fn audits_add_up() {
    let (ledger, mut store) = honest();
    let clean = audit(&ledger, &mut store);
    store.0.remove(&ledger.key(3));
    let both = clean.clone().and(audit(&ledger, &mut store)).and(clean);
    assert_eq!(
        (both.acked_writes, both.lost_writes, both.examples.len()),
        (36, 1, 1)
    );
}
