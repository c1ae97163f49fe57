//! Who subscribes to which channels and patterns.

use crate::record::ConnectionId;
use crate::store::{Bytes, heap_bytes};
use alloc::collections::{BTreeMap, BTreeSet};

/// A channel, or a pattern of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A channel, by its name.
    Channel,
    /// All channels whose names match.
    Pattern,
}

/// The subscriptions of one client.
#[derive(Debug, Default)]
pub struct Subscriptions {
    topics: BTreeSet<(Topic, Bytes)>,
    /// Number of channels among them.
    channels: usize,
    kept_bytes: usize,
}

/// Memory of a subscription beside its name, in bytes: a place in the client's tree, and one in that of all.
const SUBSCRIPTION_BYTES: usize = 160;

impl Subscriptions {
    /// Returns the number of channels and patterns.
    pub fn count(&self) -> usize {
        self.topics.len()
    }

    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the number of patterns.
    pub fn patterns(&self) -> usize {
        self.topics.len() - self.channels
    }

    /// Returns all of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &(Topic, Bytes)> {
        self.topics.iter()
    }

    /// Returns the first channel, or the first pattern.
    pub fn first(&self, topic: Topic) -> Option<&Bytes> {
        let from = (topic, Bytes::new());
        let first = self.topics.range(from..).next();
        first
            .filter(|(kind, _)| *kind == topic)
            .map(|(_, name)| name)
    }

    /// Returns the memory that they take, in bytes.
    pub fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    fn bytes_of(name: &Bytes) -> usize {
        SUBSCRIPTION_BYTES + 2 * heap_bytes(name.len()) as usize
    }
}

/// The subscribers of all channels and patterns.
#[derive(Debug, Default)]
pub struct Subscribers {
    topics: BTreeMap<(Topic, Bytes), BTreeSet<ConnectionId>>,
}

impl Subscribers {
    /// Subscribes a client.
    pub fn add(
        &mut self,
        connection: ConnectionId,
        own: &mut Subscriptions,
        topic: Topic,
        name: &[u8],
    ) {
        let name = Bytes::from_slice(name);
        if own.topics.insert((topic, name.clone())) {
            own.kept_bytes += Subscriptions::bytes_of(&name);
            own.channels += usize::from(topic == Topic::Channel);
            self.topics
                .entry((topic, name))
                .or_default()
                .insert(connection);
        }
    }

    /// Ends a subscription of a client. Does nothing if there is none.
    pub fn remove(
        &mut self,
        connection: ConnectionId,
        own: &mut Subscriptions,
        topic: Topic,
        name: &[u8],
    ) {
        let key = (topic, Bytes::from_slice(name));
        if own.topics.remove(&key) {
            own.kept_bytes -= Subscriptions::bytes_of(&key.1);
            own.channels -= usize::from(topic == Topic::Channel);
            if let Some(all) = self.topics.get_mut(&key) {
                all.remove(&connection);
                if all.is_empty() {
                    self.topics.remove(&key);
                }
            }
        }
    }

    /// Ends all subscriptions of a client.
    pub fn remove_all(&mut self, connection: ConnectionId, own: &mut Subscriptions) {
        while let Some((topic, name)) = own.topics.first().cloned() {
            self.remove(connection, own, topic, &name);
        }
    }

    /// Returns the subscribers of a channel or of a pattern.
    pub fn of(&self, topic: Topic, name: &[u8]) -> Option<&BTreeSet<ConnectionId>> {
        self.topics.get(&(topic, Bytes::from_slice(name)))
    }

    /// Returns the channels or the patterns that have subscribers, in order, with those.
    pub fn all(&self, topic: Topic) -> impl Iterator<Item = (&Bytes, &BTreeSet<ConnectionId>)> {
        let all = self.topics.range((topic, Bytes::new())..);
        let all = all.take_while(move |((kind, _), _)| *kind == topic);
        all.map(|((_, name), subscribers)| (name, subscribers))
    }
}
