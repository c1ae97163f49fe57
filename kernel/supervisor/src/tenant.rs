//! Instances, behind one trait: how one is entered, how it waits, how it is made primary, and what it can do. Which
//! kind it is, the supervisor does not ask.

use partition::tenant::{Capabilities, Kind};
use sharedmem::Instance;
use sharedmem::abi::SeatStatus;
use takeover::BackupLoss;

use crate::ap_mailbox::Order;
use crate::cores::Cores;
use crate::dispatch::Dispatch;
use crate::image::Source;

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
    /// It still gets ready; ask again, at once if there is more.
    NotYet(Wait),
    /// It is told the state by the primary; ask again, at once if there is more.
    Filling(Wait),
}

/// Returns how a call of a waiting native instance ended, by what it returned.
///
/// # Errors
/// It is no backup any more.
pub fn outcome_of(status: SeatStatus) -> Result<SeatStatus, BackupLoss> {
    match status {
        SeatStatus::Idle | SeatStatus::More | SeatStatus::Filling => Ok(status),
        SeatStatus::Failed => Err(BackupLoss::Failed),
        SeatStatus::Damaged => Err(BackupLoss::Damaged),
        SeatStatus::Diverged => Err(BackupLoss::Diverged),
        SeatStatus::Corrupt => Err(BackupLoss::Corrupt),
    }
}

/// An instance in its slice.
pub trait Tenant<C: Cores> {
    /// Returns which of the two instances it is.
    fn instance(&self) -> Instance;

    /// Returns where its image came from.
    fn source(&self) -> &Source;

    /// Returns its image's version; empty if it has none.
    fn version(&self) -> &str {
        ""
    }

    /// Returns the machine numbers of the cores that it has, or gets when it is promoted, in its own order; the first
    /// leads.
    fn cores(&self) -> &[u32];

    /// Returns how many bytes of memory its image, stacks and tables take while it waits.
    fn fixed_bytes(&self) -> u64;

    /// Takes the next step towards waiting as a backup, for a fraction of the time-out at most.
    ///
    /// # Errors
    /// Why it will not wait.
    fn prepare(&mut self, dispatch: &mut Dispatch<C>) -> Result<Readiness, BackupLoss>;

    /// Does some of what a waiting instance has to do, for a fraction of the time-out at most: the primary is not
    /// looked at meanwhile.
    ///
    /// # Errors
    /// How it ended.
    fn work(&mut self) -> Result<Wait, BackupLoss>;

    /// Compares some of what a waiting instance does not change with its digest, as much as is due at `now_ns`: its
    /// text and its page tables.
    ///
    /// # Errors
    /// It must not be promoted.
    fn check_memory(&mut self, now_ns: u64) -> Result<(), BackupLoss>;

    /// Returns how its lead enters it as the primary, from cold.
    fn start(&self) -> Order;

    /// Returns how its lead enters it as the primary, from waiting.
    ///
    /// # Errors
    /// Why that cannot be done.
    fn promote(&mut self) -> Result<Order, BackupLoss>;

    /// Returns how a further core enters it; `None` if it starts its cores itself.
    fn join(&self, core: u32) -> Option<Order>;

    /// Returns what kind of tenant it is.
    fn kind(&self) -> &'static Kind;

    /// Returns what it can do, and what it needs.
    fn capabilities(&self) -> &'static Capabilities {
        &self.kind().capabilities
    }
}
