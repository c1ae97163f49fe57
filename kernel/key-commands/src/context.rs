//! What a command on keys can use.

use crate::reply::{Failure, Outcome, Output};
use keyspace::{ENTRY_BYTES, Keyspace, NEW_KEY_BYTES};
use resp::{Arguments, Step, heap_bytes};
use values::Random;

/// What a command on keys can use.
pub struct Context<'a, 'h> {
    /// The command's name, as it is in the table.
    pub name: &'static str,
    /// The databases.
    pub keyspace: &'a mut Keyspace,
    /// The record's chance.
    pub random: &'a mut Random,
    /// The replies.
    pub out: &'a mut Output<'h>,
    /// Most memory for keys and values, in bytes; 0 for no limit.
    pub max_memory_bytes: u64,
}

/// Runs a command on keys. The arguments include its name, and their number is checked already.
pub type Handler = fn(&mut Context<'_, '_>, &mut Arguments<'_>) -> Outcome;

impl Context<'_, '_> {
    /// Returns the error of a wrong number of arguments.
    pub fn wrong_arity(&self) -> Failure {
        wrong_arity(self.name)
    }

    /// Returns how much more can be stored, in bytes.
    pub fn room_bytes(&self) -> u64 {
        match self.max_memory_bytes {
            0 => u64::MAX,
            max_bytes => max_bytes.saturating_sub(self.keyspace.used_bytes()),
        }
    }

    /// Checks that `growth_bytes` more can be stored. If not, removes expired keys until they can.
    ///
    /// # Errors
    /// They cannot.
    pub fn room_for(&mut self, growth_bytes: u64) -> Outcome {
        if self.max_memory_bytes == 0 {
            return Ok(());
        }
        while self.keyspace.used_bytes() + growth_bytes > self.max_memory_bytes {
            self.out.step();
            if self.keyspace.remove_expired(1) == 0 {
                return Err(Failure::OUT_OF_MEMORY);
            }
        }
        Ok(())
    }
}

/// Returns the error of a wrong number of arguments of a command.
pub fn wrong_arity(name: &str) -> Failure {
    Failure::composed(&[
        b"ERR wrong number of arguments for '",
        name.as_bytes(),
        b"' command",
    ])
}

/// Returns the most memory that a command with these arguments can add, in bytes: that of a new collection with a
/// long key and a deadline, if each argument becomes the most expensive element it can be.
pub fn growth_max_bytes(out: &mut Output<'_>, arguments: &mut Arguments<'_>) -> u64 {
    let key_bytes = arguments
        .few()
        .get(1)
        .map_or(0, |key| heap_bytes(key.len()));
    let mut growth_bytes = NEW_KEY_BYTES + key_bytes;
    let mut words = arguments.from(1);
    while let Some(argument) = words.next(out) {
        growth_bytes += ENTRY_BYTES + heap_bytes(argument.len());
    }
    growth_bytes
}
