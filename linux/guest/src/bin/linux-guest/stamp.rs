//! Stamps moments of a takeover into its timeline, through the module's device. The module refuses them in a kernel
//! that has not taken over.

use std::cell::Cell;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use sharedmem::device::{DeviceRequest, REQUEST_TYPE};
use sharedmem::timeline::Edge;

nix::ioctl_write_ptr!(ioctl_stamp, REQUEST_TYPE, DeviceRequest::Stamp, u32);

/// Stamps an edge; returns false if the module refuses.
pub fn stamp(device: &File, edge: Edge) -> bool {
    let number = edge.number() as u32;
    // SAFETY: the request reads a u32 and keeps no pointer to it.
    unsafe { ioctl_stamp(device.as_raw_fd(), &raw const number) }.is_ok()
}

/// Stamps the first reply, once.
pub struct FirstReply {
    device: Cell<Option<File>>,
}

impl FirstReply {
    /// Stamps through the device at `path`; where there is none, nothing is stamped.
    pub fn through(path: &Path) -> Self {
        Self {
            device: Cell::new(File::open(path).ok()),
        }
    }

    /// Notes that a reply has left. As long as this kernel has not taken over, the next reply tries again.
    pub fn reply_left(&self) {
        if let Some(device) = self.device.take()
            && !stamp(&device, Edge::FirstReply)
        {
            self.device.set(Some(device));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_leave_where_there_is_no_such_device() {
        for path in ["/no/such/device", "/dev/null"] {
            let first_reply = FirstReply::through(path.as_ref());
            first_reply.reply_left();
            first_reply.reply_left();
            let is_open = first_reply.device.take().is_some();
            assert_eq!(is_open, path == "/dev/null", "{path}");
        }
    }
}
