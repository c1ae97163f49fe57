//! Instances, behind one trait: how one is entered, how it waits, how it is made primary, and what it can do. Which kind it is, the supervisor
//! does not ask.

use partition::tenant::{Capabilities, Kind};
use sharedmem::Instance;
use takeover::BackupLoss;

use crate::ap_mailbox::Order;
use crate::dispatch::Dispatch;
use crate::image::Source;
use crate::platform::Platform;

/// Whether a waiting instance has more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing until the primary does something.
    Idle,
    /// Call again.
    More,
}

/// Whether an instance may be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It waits, and may be promoted from now on.
    Ready,
    /// It still gets ready; ask again.
    NotYet,
    /// It is told the state by the primary; ask again, at once if there is more.
    Filling(Wait),
}

/// An instance in its slice.
pub trait Tenant<P: Platform> {
    /// Returns which of the two instances it is.
    fn instance(&self) -> Instance;

    /// Where its image came from.
    fn source(&self) -> &Source;

    /// Its image's version; empty if it tells none.
    fn version(&self) -> &str {
        ""
    }

    /// Machine numbers of the cores it has, or gets when it is promoted, in its own order; the first leads.
    fn cores(&self) -> &[u32];

    /// Bytes of memory that are taken by its image, stacks and tables while it waits.
    fn fixed_bytes(&self) -> u64;

    /// Takes the next step towards waiting as a backup.
    ///
    /// # Errors
    /// Why it will not wait.
    fn prepare(&mut self, dispatch: &mut Dispatch<P::Cores>) -> Result<Readiness, BackupLoss>;

    /// Does some of what a waiting instance has to do.
    ///
    /// # Errors
    /// How it ended.
    fn work(&mut self) -> Result<Wait, BackupLoss>;

    /// How its lead enters it as the primary, from cold.
    fn start(&self) -> Order;

    /// How its lead enters it as the primary, from waiting.
    ///
    /// # Errors
    /// Why that cannot be done.
    fn promote(&mut self, platform: &mut P) -> Result<Order, BackupLoss>;

    /// How a further core enters it; `None` if it fetches its cores itself.
    fn join(&self, core: u32) -> Option<Order>;

    /// Returns what kind of tenant it is.
    fn kind(&self) -> &'static Kind;

    /// Returns what it can do, and what it needs.
    fn capabilities(&self) -> &'static Capabilities {
        &self.kind().capabilities
    }
}
