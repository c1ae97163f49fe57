//! Waiting for several sockets at once: poll(2), which the standard library does not offer.

use std::ffi::{c_int, c_short, c_ulong};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// `struct pollfd` of poll.h.
#[repr(C)]
struct PollFd {
    fd: RawFd,
    events: c_short,
    revents: c_short,
}

const POLLIN: c_short = 1;
const POLLOUT: c_short = 4;

unsafe extern "C" {
    fn poll(fds: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int;
}

/// Sockets that are waited for, known by the order in which they were added.
#[derive(Default)]
pub struct Poll {
    sockets: Vec<PollFd>,
}

impl Poll {
    /// Forgets all sockets.
    pub fn clear(&mut self) {
        self.sockets.clear();
    }

    /// Adds a socket: until it can be written, or else read.
    pub fn add(&mut self, socket: &impl AsRawFd, for_writing: bool) {
        self.sockets.push(PollFd {
            fd: socket.as_raw_fd(),
            events: if for_writing { POLLOUT } else { POLLIN },
            revents: 0,
        });
    }

    /// Waits until one of them is ready or has failed, at most for `limit`.
    ///
    /// # Errors
    /// The system's; a signal is none.
    pub fn wait(&mut self, limit: Duration) -> io::Result<()> {
        let timeout_ms = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        let count = self.sockets.len() as c_ulong;
        // SAFETY: the pointer is to `count` initialised elements laid out as `struct pollfd`, borrowed mutably for the whole call; poll
        // writes to nothing but their `revents` and keeps no pointer. A descriptor that is closed is reported, and no undefined behaviour.
        let outcome = unsafe { poll(self.sockets.as_mut_ptr(), count, timeout_ms) };
        match outcome {
            0.. => Ok(()),
            _ => match io::Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Whether the socket added as number `index` is ready, or has failed.
    pub fn is_ready(&self, index: usize) -> bool {
        self.sockets
            .get(index)
            .is_some_and(|socket| socket.revents != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    #[test]
    fn what_can_be_read_is_ready() {
        let (mut writer, reader) = UnixStream::pair().unwrap();
        let (_quiet_peer, quiet) = UnixStream::pair().unwrap();
        let mut sockets = Poll::default();
        let mut wait = |limit_ms| {
            sockets.clear();
            sockets.add(&quiet, false);
            sockets.add(&reader, false);
            sockets.wait(Duration::from_millis(limit_ms)).unwrap();
            [0, 1, 2].map(|index| sockets.is_ready(index))
        };
        let started = Instant::now();
        assert_eq!(wait(30), [false; 3]);
        assert!(started.elapsed() >= Duration::from_millis(29));
        writer.write_all(b"x").unwrap();
        assert_eq!(wait(20_000), [false, true, false]);
    }

    #[test]
    fn what_can_be_written_or_has_failed_is_ready() {
        let (writer, reader) = UnixStream::pair().unwrap();
        let mut sockets = Poll::default();
        sockets.add(&writer, true);
        sockets.wait(Duration::from_secs(20)).unwrap();
        assert!(sockets.is_ready(0));
        drop(writer);
        sockets.clear();
        sockets.add(&reader, false);
        sockets.wait(Duration::from_secs(20)).unwrap();
        assert!(sockets.is_ready(0));
    }
}
