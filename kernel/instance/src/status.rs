//! What INFO and ROLE say of the kernel.

use service::HostStatus;

use crate::context::Context;
use crate::keepalive::SeatWatch;

/// The kernel's status as its service reports it.
pub fn of(_context: &Context, _seat: &SeatWatch, _lag: u64, _clients: usize) -> HostStatus {
    HostStatus
}
