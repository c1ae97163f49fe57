//! Telling a backup what the service knows, while the service goes on; see [`service_state::checkpoint`].

use checkpoint::{Items, Malformed, Writer};
use key_commands::Wait;
use resp::Arguments;
use service_state::checkpoint::{StateRestorer, Vocabulary};

use crate::commands;
use crate::limits::ServiceLimits;
use crate::service::Service;
use crate::store::Bytes;

impl Service {
    /// Begins a checkpoint. One that was begun before is abandoned.
    pub fn begin_checkpoint(&mut self) {
        self.state.begin_checkpoint();
    }

    /// Writes what has changed, and then more of the keyspace, until `budget_bytes` are written. A large value is
    /// written in pieces. Returns whether all keys are written as they are now: then
    /// [`end_checkpoint`](Self::end_checkpoint) may be called before anything else changes.
    pub fn write_keyspace(&mut self, writer: &mut Writer<'_>, budget_bytes: usize) -> bool {
        self.state.write_keyspace(writer, budget_bytes)
    }

    /// Returns whether [`write_keyspace`](Self::write_keyspace) is to be called again before anything changes: a value
    /// that changed in all earlier attempts would never be written otherwise.
    pub fn must_write_more(&mut self) -> bool {
        self.state.must_write_more()
    }

    /// Writes the rest.
    pub fn end_checkpoint(&mut self, writer: &mut Writer<'_>) {
        self.state.end_checkpoint(writer);
    }

    /// Abandons the checkpoint.
    pub fn abandon_checkpoint(&mut self) {
        self.state.abandon_checkpoint();
    }
}

/// Restores a service from a checkpoint.
pub struct ServiceRestorer(StateRestorer);

impl ServiceRestorer {
    /// Begins, with an empty service.
    pub fn new(limits: ServiceLimits) -> Self {
        let vocabulary = Vocabulary {
            name_of: commands::name_of,
            wait_of,
        };
        Self(StateRestorer::new(limits, vocabulary))
    }

    /// Takes the items of one record. Calls `step` for each of them.
    ///
    /// # Errors
    /// They cannot be what comes next. The restorer cannot be used any more.
    pub fn restore(&mut self, items: Items<'_>, step: &mut dyn FnMut()) -> Result<(), Malformed> {
        self.0.restore(items, step)
    }

    /// Returns the service.
    ///
    /// # Errors
    /// The end of the service's state is missing.
    pub fn finish(self) -> Result<Service, Malformed> {
        self.0.finish().map(Service::of)
    }
}

/// Reads what a client with this request waits for.
fn wait_of(request: &mut [Bytes], mut step: &mut dyn FnMut()) -> Option<Wait> {
    let mut arguments = Arguments::new(request);
    let command = commands::blocking_command(arguments.few().first()?)?;
    let is_right = command.takes(arguments.len());
    is_right.then(|| Wait::parse(command.name, &mut arguments, &mut step).ok())?
}
