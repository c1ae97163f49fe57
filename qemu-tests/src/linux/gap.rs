//! A client that asks all the time, and knows how long it was without a reply.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::http;

/// From the beginning of one request to that of the next, whatever became of it.
const PERIOD: Duration = Duration::from_millis(20);

/// Requests that can be under way at a time. QEMU's user network takes a connection even if the guest behind it is dead, and asks the guest
/// again only after seconds: who wants to know when it is back, asks anew and does not wait for what was asked before.
const LANES: u32 = 10;

/// A request that takes longer is given up: its lane is needed.
const PATIENCE: Duration = Duration::from_millis(190);

/// What the client saw: the moment of each good reply, rising, and whose reply was the last.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    replies: Vec<Instant>,
    identity: String,
}

impl Seen {
    /// How long the client was without a reply: the longest silence that ended after `since`. `None` if no reply came before, or none after.
    pub fn longest_gap(&self, since: Instant) -> Option<Duration> {
        let pairs = self.replies.windows(2).filter(|pair| pair[1] > since);
        pairs.map(|pair| pair[1] - pair[0]).max()
    }

    /// Good replies.
    pub fn count(&self) -> usize {
        self.replies.len()
    }

    /// What the service said of itself last.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    fn reply(&mut self, now: Instant, identity: String) {
        self.replies.push(now);
        self.identity = identity;
    }
}

/// The client at work; dropping it ends it.
pub struct Client {
    shared: Arc<Shared>,
    lanes: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    seen: Mutex<Seen>,
}

impl Client {
    /// Begins to ask the service behind a port of this host.
    pub fn start(port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let begin = Instant::now();
        let lanes = (0..LANES).map(|lane| {
            let shared = shared.clone();
            thread::spawn(move || shared.ask(port, begin + PERIOD * lane))
        });
        Self {
            lanes: lanes.collect(),
            shared,
        }
    }

    /// What it has seen up to now.
    pub fn seen(&self) -> Seen {
        self.shared.lock().clone()
    }

    /// Ends it, and tells what it has seen.
    pub fn end(mut self) -> Seen {
        self.stop();
        self.seen()
    }

    fn stop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for lane in self.lanes.drain(..) {
            // A lane holds nothing when it panics.
            let _ = lane.join();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn ask(&self, port: u16, mut next: Instant) {
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let reply = http::request(port, "GET", "/", b"", PATIENCE);
            if let Some(reply) = reply.ok().filter(|reply| reply.status == 200) {
                // The moment is taken under the lock, so that moments rise.
                let mut seen = self.lock();
                seen.reply(Instant::now(), reply.text());
            }
            next += PERIOD * LANES;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_longest_silence_is_that_across_the_fault() {
        let start = Instant::now();
        let mut seen = Seen::default();
        assert_eq!(seen.longest_gap(start), None);
        // A hiccup before the fault at 400 ms, an old kernel's last reply at 405 ms, and the new one's first at 555 ms.
        for at_ms in [0, 20, 300, 380, 405, 555, 575] {
            seen.reply(start + MS * at_ms, format!("at {at_ms}"));
        }
        let fault = start + MS * 400;
        assert_eq!(seen.longest_gap(fault), Some(MS * 150));
        assert_eq!(seen.longest_gap(start), Some(MS * 280));
        assert_eq!(seen.longest_gap(start + MS * 575), None);
        assert_eq!((seen.count(), seen.identity()), (7, "at 575"));
    }

    /// Answers every request but those that begin within `silence` after `good` replies.
    fn serve(listener: &TcpListener, good: usize, silence: Duration) -> Option<Duration> {
        let mut quiet_since = None;
        let mut unanswered = Vec::new();
        for count in 0.. {
            let (mut stream, _) = listener.accept().ok()?;
            if count >= good {
                let since = *quiet_since.get_or_insert_with(Instant::now);
                if since.elapsed() < silence {
                    // As a dead guest's: neither an answer nor an end.
                    unanswered.push(stream);
                    continue;
                }
            }
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            if count >= good + 50 {
                break;
            }
        }
        quiet_since.map(|since| since.elapsed())
    }

    #[test]
    fn a_silence_is_measured_although_old_requests_hang() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let start = Instant::now();
        let client = Client::start(port);
        serve(&listener, 10, MS * 300).unwrap();
        let seen = client.end();
        let gap = seen.longest_gap(start).unwrap();
        // On a busy host it may be seen late, but never early.
        assert!(gap >= MS * 280 && gap < MS * 2000, "{gap:?}");
        assert!(
            seen.count() > 15 && seen.identity() == "ok",
            "{}",
            seen.count()
        );
    }
}
