//! How an instance of each kind gets ready, waits, and is made primary.

pub mod linux;
pub mod native;
mod trampoline;

use crate::ap::OtherCores;

/// An instance in its slice.
pub type Tenant = dyn supervisor::Tenant<OtherCores>;

/// The means to move other cores.
type Dispatch = supervisor::Dispatch<OtherCores>;
