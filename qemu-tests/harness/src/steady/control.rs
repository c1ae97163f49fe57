//! What a steady client and who controls it tell each other.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Between two looks at a flag that is waited for.
pub const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Flags of one client.
#[derive(Default)]
pub struct Control {
    /// The client may go on, if it waits for that.
    pub go_on: AtomicBool,
    /// The client is to stop after this round.
    pub stop: AtomicBool,
    /// The client waits for `go_on`.
    pub is_waiting: AtomicBool,
    /// The client has ended.
    pub has_ended: AtomicBool,
}
