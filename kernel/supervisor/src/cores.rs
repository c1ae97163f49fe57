//! The other cores, as the supervisor needs them.

use crate::ap_mailbox::ApMailboxes;

/// What is sent to a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stops it, whatever it runs. Takes its time.
    Init,
    /// Sends a stopped core to its mailbox. Lost on one that does not wait for it.
    Startup,
    /// Interrupts it, also with interrupts off.
    Nmi,
}

/// The other cores, and the time that they and the seat have in common.
pub trait Cores {
    /// Returns the time, in ns since the machine's boot.
    fn now_ns(&self) -> u64;

    /// Stays awake until `is_done`, but no longer than `duration_ns`.
    fn spin_until(&self, duration_ns: u64, is_done: impl Fn() -> bool);

    /// Sends a signal to the cores with these machine numbers. What is needed once for a signal is done once: so a
    /// fence hardly takes longer with more cores.
    fn send(&self, cores: impl IntoIterator<Item = u32>, signal: Signal);

    /// Returns where cores arrive.
    fn mailboxes(&self) -> &ApMailboxes;
}
