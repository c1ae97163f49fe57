//! How an instance of each kind gets ready, waits, and is made primary.

pub mod linux;
pub mod native;
mod trampoline;

use integrity::Altered;
use sharedmem::Instance;
use sharedmem::event::{Hex, MemoryAltered, Word};
use takeover::BackupLoss;

use crate::ap::OtherCores;

/// An instance in its slice.
pub type Tenant = dyn supervisor::Tenant<OtherCores>;

/// The means to move other cores.
type Dispatch = supervisor::Dispatch<OtherCores>;

/// Names the page of a waiting instance that is not as it was. Returns what that costs.
fn report_altered(instance: Instance, altered: Altered) -> BackupLoss {
    let altered = MemoryAltered {
        whose: Word::of(format_args!("backup-{instance}")),
        address: Hex(altered.address),
    };
    log::error!("{altered}");
    BackupLoss::Damaged
}
