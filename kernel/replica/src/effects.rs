//! The effects of the service while a record is applied: replies go to the flows, everything else to the host.

use core::sync::atomic::Ordering;

use network::Flows;
use service::{CANARY, CONSOLE, ConnectionId, DebugCommand, OperatorCommand};

use crate::canary::CanaryReply;
use crate::host::Host;

/// Counts work of the backup, for the monitor, which ends a call that makes no progress.
pub(crate) fn note_backup_progress(host: &impl Host) {
    let progress = &host.region().control.backup.progress;
    progress.fetch_add(1, Ordering::Relaxed);
}

/// Receives the effects of the service while it applies one record.
///
/// When a record is replayed, its replies still go to the flows: they wait there until the client has them. But its
/// other effects have happened already: the console's reply was printed, the fault injected, the monitor asked.
pub(crate) struct Effects<'a, H> {
    pub flows: &'a mut Flows,
    pub canary: &'a mut CanaryReply,
    pub is_checkpoint_ordered: &'a mut bool,
    pub host: &'a H,
    pub is_replayed: bool,
}

impl<H: Host> service::Host for Effects<'_, H> {
    fn reply(&mut self, connection: ConnectionId, bytes: &[u8]) {
        // Long replies come in pieces, so each piece is progress.
        self.progress();
        match connection {
            CONSOLE if self.is_replayed => {}
            CONSOLE => self.host.print(bytes),
            CANARY => self.canary.push(bytes),
            _ => self.flows.reply(connection, bytes),
        }
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        self.flows.hang_up(connection);
    }

    fn debug(&mut self, command: DebugCommand) {
        match self.is_replayed {
            false if command == DebugCommand::Checkpoint => *self.is_checkpoint_ordered = true,
            false => self.host.debug(command),
            true if command == DebugCommand::Poison => panic!("DEBUG POISON"),
            true => {}
        }
    }

    fn operate(&mut self, command: OperatorCommand<'_>) {
        if !self.is_replayed {
            self.host.operate(command);
        }
    }

    /// Counts work, for the monitor: of a primary in its keepalive, of a backup in a count of its own.
    fn progress(&mut self) {
        if self.is_replayed {
            note_backup_progress(self.host);
        }
        self.host.advance();
    }
}
