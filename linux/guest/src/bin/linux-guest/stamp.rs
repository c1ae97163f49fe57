//! Moments of a takeover, stamped into its timeline through the module's device. The module refuses them in a kernel that has not taken over.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;

use crate::system;

/// `UNDERSTUDY_STAMP` of understudy.h: `_IOW(0xd6, 1, __u32)`.
const STAMP: u32 = 1 << 30 | 4 << 16 | 0xd6 << 8 | 1;

/// An edge of the timeline, by its number in the shared region.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Edge {
    FirstReply = 8,
    DiskReadable = 10,
}

/// Stamps an edge; false if that is refused.
pub fn stamp(device: &File, edge: Edge) -> bool {
    let mut number = (edge as u32).to_ne_bytes();
    system::control(device, STAMP, &mut number).is_ok()
}

/// The stamp of the first reply, which is set once.
pub struct FirstReply {
    device: Cell<Option<File>>,
}

impl FirstReply {
    /// To be stamped through the device at `path`; where there is none, nothing is.
    pub fn through(path: &Path) -> Self {
        Self {
            device: Cell::new(File::open(path).ok()),
        }
    }

    /// A reply has left. As long as this kernel has not taken over, the next one tries again.
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
    fn where_there_is_no_such_device_replies_leave_all_the_same() {
        for path in ["/no/such/device", "/dev/null"] {
            let first_reply = FirstReply::through(path.as_ref());
            first_reply.reply_left();
            first_reply.reply_left();
            let is_open = first_reply.device.take().is_some();
            assert_eq!(is_open, path == "/dev/null", "{path}");
        }
    }
}
