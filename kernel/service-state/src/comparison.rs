//! What two kernels compare to find out whether they have the same state.
//!
//! Counts and sums are compared as a whole, and follow every change. Connections and values are gone through in steps
//! of bounded length, so it takes a while until a change is seen that nobody made.

use alloc::vec::Vec;

use fingerprint::Chain;

use crate::connection::Connection;
use crate::record::ConnectionId;
use crate::state::State;
#[cfg(feature = "testing")]
use crate::store::{Bytes, Kind};
use crate::store::{Keyspace, Scrub, ScrubPosition, Scrubbed};
use crate::subscriptions::Topic;

impl State {
    /// Adds the counters, the sum of all entries, and the kernel's status to a fingerprint.
    pub fn add_counts(&self, chain: &mut Chain) {
        let (keyspace, statistics) = (&self.keyspace, &self.statistics);
        let (epoch, until_ms) = (self.failover).map_or((0, 0), |it| (it.epoch, it.until_ms));
        let numbers = [
            keyspace.len() as u64,
            keyspace.sum(),
            keyspace.used_bytes(),
            keyspace.now_ms(),
            keyspace.expired(),
            keyspace.deadline_count() as u64,
            keyspace.next_expiry_ms().unwrap_or(0),
            statistics.connections_received,
            statistics.connections_rejected,
            statistics.commands_processed,
            epoch,
            until_ms,
            self.connections.len() as u64,
            self.pending_bytes as u64,
            self.blocked.count as u64,
            self.blocked.began,
        ];
        numbers.into_iter().for_each(|number| chain.number(number));
        let mut status = Vec::new();
        self.status.encode(&mut status);
        chain.string(&status);
    }

    /// Adds up to `count` connections to a fingerprint, from the number `first` on. Returns where the next step goes
    /// on; 0 after the last connection. Of the strings that a connection keeps it takes one piece; `round` says which.
    pub fn add_connections(
        &self,
        chain: &mut Chain,
        first: ConnectionId,
        count: usize,
        round: u64,
    ) -> ConnectionId {
        let mut connections = self.connections.range(first..);
        for (connection, client) in connections.by_ref().take(count) {
            chain.number(*connection);
            chain.number(self.monitors.contains(connection).into());
            add_connection(chain, client, &self.keyspace, round);
        }
        connections.next().map_or(0, |(connection, _)| *connection)
    }

    /// Goes through the keyspace from the position `from` on, for about as long as it takes to hash `work_bytes`, at
    /// most to its end. See [`Scrubbed`].
    pub fn scrub(&self, scrub: &mut Scrub, from: ScrubPosition, work_bytes: usize) -> Scrubbed {
        self.keyspace.scrub(scrub, from, work_bytes)
    }
}

#[cfg(feature = "testing")]
impl State {
    /// Flips a bit of a value as damaged memory does. Returns false if there is none.
    pub fn flip_bit(&mut self, random: u64) -> bool {
        self.keyspace.flip_bit(random)
    }

    /// Flips a bit of the string of a key as damaged memory does. Returns false if there is none.
    pub fn flip_bit_of(&mut self, key: &[u8], random: u64) -> bool {
        self.keyspace.flip_bit_of(key, random)
    }

    /// Returns the string of a key, if it has one.
    pub fn string_of(&self, key: &[u8]) -> Option<&[u8]> {
        let entry = self.keyspace.table().get(key)?;
        Bytes::of(&entry.value).map(Bytes::as_slice)
    }

    /// Returns whether the sum of all entries is that of the entries.
    pub fn is_sum_right(&self) -> bool {
        self.keyspace.sum() == self.keyspace.recomputed_sum()
    }
}

fn add_connection(chain: &mut Chain, client: &Connection, keyspace: &Keyspace, round: u64) {
    let parser = &client.parser;
    let [a, b, c, d, high, low] = client.peer.0;
    let flags = u64::from(client.no_evict)
        | u64::from(client.is_authenticated) << 1
        | (client.replies as u64) << 2;
    let arguments = parser.arguments_so_far();
    let requests = client.transaction.as_ref().map(|it| it.requests());
    let is_refused = client.transaction.as_ref().is_some_and(|it| it.is_refused);
    let numbers = [
        u64::from_be_bytes([0, 0, a, b, c, d, high, low]),
        client.opened_ms,
        client.last_input_ms,
        flags,
        client.database as u64,
        u64::from(client.protocol.version()),
        arguments.len() as u64,
        client.kept_bytes() as u64,
        requests.map_or(0, |requests| 1 + requests.len() as u64),
        u64::from(is_refused),
        client.watches.all().len() as u64,
        client.subscriptions.channels() as u64,
        client.subscriptions.patterns() as u64,
    ];
    let progress = parser.progress().numbers();
    numbers
        .into_iter()
        .chain(progress)
        .for_each(|number| chain.number(number));
    if let Some(blocked) = &client.blocked {
        let numbers = [blocked.order, blocked.deadline_ms.unwrap_or(0)];
        numbers.into_iter().for_each(|number| chain.number(number));
        chain.sample(&blocked.held, round);
        if let Some(word) = sampled(&blocked.request, round) {
            chain.sample(word, round / blocked.request.len() as u64);
        }
    }
    chain.string(&client.name);
    chain.string(client.last_command.as_bytes());
    chain.sample(parser.line(), round);
    if let Some(watched) = sampled(client.watches.all(), round) {
        chain.number(watched.database as u64);
        chain.number(keyspace.has_changed(watched).into());
        chain.sample(&watched.key, round);
    }
    let subscriptions = &client.subscriptions;
    for name in [Topic::Channel, Topic::Pattern].map(|topic| subscriptions.first(topic)) {
        name.into_iter().for_each(|name| chain.sample(name, round));
    }
    if let Some(request) = requests.and_then(|requests| sampled(requests, round)) {
        let word = sampled(request, round / requests.map_or(1, <[_]>::len) as u64);
        word.into_iter().for_each(|word| chain.sample(word, round));
    }
    if let Some(argument) = sampled(arguments, round) {
        chain.sample(argument, round / arguments.len() as u64);
    }
}

/// Returns the element that is looked at in this round.
fn sampled<T>(all: &[T], round: u64) -> Option<&T> {
    all.get((round % all.len().max(1) as u64) as usize)
}
