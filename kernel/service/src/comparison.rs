//! What two kernels compare of the service; see [`service_state::comparison`].

use fingerprint::Chain;

use crate::record::ConnectionId;
use crate::service::Service;
use crate::store::{Scrub, ScrubPosition, Scrubbed};

impl Service {
    /// Adds the counters, the sum of all entries, and the kernel's status to a fingerprint.
    pub fn add_counts(&self, chain: &mut Chain) {
        self.state.add_counts(chain);
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
        self.state.add_connections(chain, first, count, round)
    }

    /// Goes through the keyspace from the position `from` on, for about as long as it takes to hash `work_bytes`, at
    /// most to its end. See [`Scrubbed`].
    pub fn scrub(&self, scrub: &mut Scrub, from: ScrubPosition, work_bytes: usize) -> Scrubbed {
        self.state.scrub(scrub, from, work_bytes)
    }
}

#[cfg(feature = "testing")]
impl Service {
    /// Flips a bit of a value as damaged memory does. Returns false if there is none.
    pub fn flip_bit(&mut self, random: u64) -> bool {
        self.state.flip_bit(random)
    }

    /// Flips a bit of the string of a key as damaged memory does. Returns false if there is none.
    pub fn flip_bit_of(&mut self, key: &[u8], random: u64) -> bool {
        self.state.flip_bit_of(key, random)
    }

    /// Returns the string of a key, if it has one.
    pub fn string_of(&self, key: &[u8]) -> Option<&[u8]> {
        self.state.string_of(key)
    }

    /// Returns whether the sum of all entries is that of the entries.
    pub fn is_sum_right(&self) -> bool {
        self.state.is_sum_right()
    }
}
