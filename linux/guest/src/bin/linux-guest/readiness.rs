//! Waits for several sockets at once, by poll(2).

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

/// Waits until one of `sockets` is ready or has failed, at most for `limit`. Says of each whether it is ready.
///
/// # Errors
/// The system's; an interruption by a signal is none.
pub fn wait(sockets: &mut [PollFd<'_>], limit: Duration) -> io::Result<Vec<bool>> {
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    match poll(sockets, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    // A flag that nix does not know is an event, too.
    let is_ready = |socket: &PollFd<'_>| socket.any().unwrap_or(true);
    Ok(sockets.iter().map(is_ready).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::PollFlags;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(20);

    fn waited(socket: &UnixStream, events: PollFlags) -> Vec<bool> {
        wait(&mut [PollFd::new(socket.as_fd(), events)], LONG).unwrap()
    }

    #[test]
    fn a_socket_with_input_is_ready() {
        let (mut writer, reader) = UnixStream::pair().unwrap();
        let (_quiet_peer, quiet) = UnixStream::pair().unwrap();
        let wait_for_both = |limit| {
            let mut sockets =
                [&quiet, &reader].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
            wait(&mut sockets, limit).unwrap()
        };
        let started = Instant::now();
        assert_eq!(wait_for_both(Duration::from_millis(30)), [false, false]);
        assert!(started.elapsed() >= Duration::from_millis(29));
        writer.write_all(b"x").unwrap();
        assert_eq!(wait_for_both(LONG), [false, true]);
    }

    #[test]
    fn a_socket_that_can_be_written_or_has_failed_is_ready() {
        let (writer, reader) = UnixStream::pair().unwrap();
        assert_eq!(waited(&writer, PollFlags::POLLOUT), [true]);
        drop(writer);
        assert_eq!(waited(&reader, PollFlags::POLLIN), [true]);
    }
}
