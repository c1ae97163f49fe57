//! What a native instance logs, and a Linux instance where it does the same.

use crate::Instance;
use crate::cause::{Cause, StateFault};
use crate::epitaph::EpitaphCause;
use crate::event::declare::events;
use crate::event::{Counters, DamageKind, EdgeTimes, Hex, Text};
use crate::mailbox::Answer;

events! {
    /// An instance

    event Serving = "serving":
    /// A primary serves.
    {
        /// Which instance it is.
        instance: Instance,
        /// Its epoch.
        epoch: u64,
        /// Its cores. Left out by a Linux.
        cores: Option<u32>,
        /// The TCP port of its service. Left out by a Linux.
        port: Option<u16>,
    }

    event Takeover = "takeover":
    /// The course of the takeover, logged by the new primary.
    {
        /// The epoch that it led to.
        epoch: u64,
        /// Why the old primary counted as dead. Left out if it is unknown.
        cause: Option<Cause>,
        /// The old primary's failed core, in its own count. Left out if no single core failed.
        core: Option<u32>,
        /// The counters.
        counters: Counters,
        /// Journal records that were applied.
        records: u64,
        /// Damage that was found in the journal.
        findings: u64,
        /// When a fault was injected, in ns since the machine's boot; 0 if none was.
        fault_ns: u64,
        /// The timeline. An edge that was not reached is left out.
        edges: EdgeTimes,
    }

    event NotServing = "not-serving":
    /// The primary has found that it serves nobody.
    {
        /// What its epitaph gives as the cause, if it dies of it.
        cause: EpitaphCause,
        /// Whether it dies, so that the backup takes over. If not, it resets the card itself.
        dies: bool,
        /// What was found.
        reason: Text,
    }

    event StateFaulty = "state-faulty":
    /// The primary has found that its own state is not what it should be. `failover_diverged=` says what it does.
    {
        /// What is wrong.
        fault: StateFault,
        /// How often damage was found since this primary began.
        count: u64,
        /// The key whose value is damaged, if one is.
        key: Option<Text>,
    }

    event MonitorSilent = "monitor-silent":
    /// The monitor has done nothing for so long that it counts as dead: nobody would replace this primary.
    {
        /// For how long, in ms.
        silent_ms: u64,
    }

    event FirstReply = "first-reply":
    /// The first reply after a takeover has left.
    {
        /// The epoch that the takeover led to.
        epoch: u64,
        /// When, in ns since the machine's boot.
        at_ns: u64,
    }

    event EpitaphFound = "epitaph":
    /// What the dead primary left.
    {
        /// Which instance it was.
        instance: Instance,
        /// Why it ended. Left out if it is not known.
        cause: Option<EpitaphCause>,
        /// The core that died first, in its own count.
        core: u64,
        /// The exception's vector.
        vector: u64,
        /// The exception's error code.
        error_code: Hex,
        /// CR2.
        address: Hex,
        /// The instruction pointer.
        rip: Hex,
        /// The stack pointer.
        rsp: Hex,
        /// When, in ns since the machine's boot.
        at_ns: u64,
        /// Its message.
        message: Text,
    }

    event Restored = "restored":
    /// The connections of the dead primary have their sockets.
    {
        /// The new primary's epoch.
        epoch: u64,
        /// Connections.
        connections: u64,
        /// How many of them got their socket after the takeover; the others had theirs before.
        made: u64,
        /// How long it took.
        took_ns: u64,
    }

    event Finding = "finding":
    /// Damage was found in the journal, or in what it holds.
    {
        /// What is wrong with the journal. Left out if it is whole.
        damage: Option<DamageKind>,
        /// What is damaged, in words.
        what: Text,
    }

    event RecordSkipped = "record-skipped":
    /// A record is skipped, because so many kernels in a row died in it.
    {
        /// Its position in the journal.
        position: u64,
        /// What kind of record it is.
        what: Text,
        /// How many kernels.
        kernels: u64,
    }

    event StateLost = "state-lost":
    /// The state that was there before is lost, and the service begins empty. The monitor writes this as well.
    {
        /// Why.
        reason: Text,
    }

    event Checkpoint = "checkpoint":
    /// The journal holds a whole checkpoint.
    {
        /// Bytes that it takes there.
        bytes: u64,
        /// Keys of the state.
        keys: u64,
        /// The longest time for which the service waited for one of its sections.
        longest_ns: u64,
        /// Whether the journal is kept from its beginning.
        kept: bool,
    }

    event RetentionLost = "retention-lost":
    /// More input came than the journal can keep, so a reset would lose the state.
    {}

    event Protected = "protected":
    /// A backup is ready.
    {}

    event Filling = "filling":
    /// A new backup receives the state.
    {}

    event Unprotected = "unprotected":
    /// There is no backup, or the monitor does not answer.
    {
        /// Why.
        reason: Text,
    }

    event OperatorAnswered = "operator":
    /// The monitor has answered what the operator asked for.
    {
        /// Whether the monitor does it.
        answer: Answer,
        /// Why it does not; empty if it does.
        reason: Text,
    }

    event Exec = "exec":
    /// A command of the boot line's script is carried out.
    {
        /// The command.
        command: Text,
    }

    event ExecReply = "exec-reply":
    /// The service has answered the console.
    {
        /// The reply, on one line.
        text: Text,
    }

    event JournalBench = "journal-bench":
    /// How long it takes to append records.
    {
        /// How many were appended.
        records: u64,
        /// How long all of them took together.
        took_ns: u64,
        /// Payload of each.
        payload_bytes: u64,
    }

    event WildWriteSucceeded = "wild-write-succeeded":
    /// A write into the other instance's slice succeeded, which page tables have to prevent.
    {}
}
