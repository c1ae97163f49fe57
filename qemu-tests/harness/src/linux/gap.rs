//! A client that asks all the time, and measures how long it was without a reply.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::http;

/// From the beginning of one request to the beginning of the next, whatever became of the first.
const PERIOD: Duration = Duration::from_millis(20);

/// Requests that can be under way at a time. QEMU's user network accepts a connection although the guest behind it is
/// dead, and asks the guest again only after seconds. So the client asks anew and does not wait for its earlier
/// requests.
const LANES: u32 = 10;

/// A request that takes longer is given up, because its lane is needed.
const PATIENCE: Duration = Duration::from_millis(190);

/// The replies that the client got.
#[derive(Clone, Debug, Default)]
pub struct ProbeRecord {
    replies: Vec<Good>,
}

/// A good reply.
#[derive(Clone, Debug)]
struct Good {
    at: Instant,
    /// Of the kernel that gave it: no two boots have the same.
    boot_id: String,
}

/// How long the client was without a reply when one kernel followed another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// From the last reply of the old kernel to the first of the new one.
    pub gap: Duration,
    /// The longest silence after that: while it still settles, the new one may have no time for its clients.
    pub settling: Duration,
}

impl ProbeRecord {
    /// Returns the handover from the first kernel to the last one; `None` if only one has replied.
    pub fn handover(&self) -> Option<Handover> {
        let last = &self.replies.last()?.boot_id;
        let first_of_last = self.replies.iter().position(|good| good.boot_id == *last)?;
        let silence = |pair: &[Good]| pair[1].at - pair[0].at;
        let before = self.replies[..first_of_last].last()?;
        let after = &self.replies[first_of_last..];
        Some(Handover {
            gap: after[0].at - before.at,
            settling: after.windows(2).map(silence).max().unwrap_or_default(),
        })
    }

    /// Returns the longest silence that ended after `since`, whoever replied. `None` if no reply came before, or none
    /// after.
    pub fn longest_gap(&self, since: Instant) -> Option<Duration> {
        let pairs = self.replies.windows(2).filter(|pair| pair[1].at > since);
        pairs.map(|pair| pair[1].at - pair[0].at).max()
    }

    /// Returns the number of good replies.
    pub fn count(&self) -> usize {
        self.replies.len()
    }

    fn reply(&mut self, at: Instant, boot_id: String) {
        self.replies.push(Good { at, boot_id });
    }
}

/// Reads the boot in what the service says of itself.
fn boot_id(identity: &[u8]) -> Option<String> {
    let identity: serde_json::Value = serde_json::from_slice(identity).ok()?;
    Some(identity["boot_id"].as_str()?.into())
}

/// The client at work; dropping the value ends it.
pub struct GapProbe {
    shared: Arc<Shared>,
    lanes: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    seen: Mutex<ProbeRecord>,
}

impl GapProbe {
    /// Starts to ask the service behind a port of this host.
    pub fn start(port: u16) -> Self {
        Self::every(PERIOD, port)
    }

    /// Starts to ask once in each `period`, for one of many clients.
    pub fn every(period: Duration, port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let begin = Instant::now();
        let lanes = (0..LANES).map(|lane| {
            let shared = shared.clone();
            thread::spawn(move || shared.ask(port, begin + period * lane, period * LANES))
        });
        Self {
            lanes: lanes.collect(),
            shared,
        }
    }

    /// Returns what it has seen up to now.
    pub fn seen(&self) -> ProbeRecord {
        self.shared.lock().clone()
    }

    /// Ends the client, and returns what it has seen.
    pub fn end(mut self) -> ProbeRecord {
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

impl Drop for GapProbe {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn ask(&self, port: u16, mut next: Instant, period: Duration) {
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let reply = http::request(port, "GET", "/", b"", PATIENCE);
            let good = reply.ok().filter(|reply| reply.status == 200);
            if let Some(boot_id) = good.and_then(|reply| boot_id(&reply.body)) {
                // The moment is taken under the lock, so that moments rise.
                let mut seen = self.lock();
                seen.reply(Instant::now(), boot_id);
            }
            next += period;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ProbeRecord> {
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
    fn the_gap_is_that_between_two_kernels() {
        let start = Instant::now();
        let mut seen = ProbeRecord::default();
        assert_eq!(seen.handover(), None);
        // A hiccup before the death is longer than the gap, and one after it is told apart.
        for at_ms in [0, 20, 300, 305] {
            seen.reply(start + MS * at_ms, "old".into());
            assert_eq!(seen.handover(), None);
        }
        seen.reply(start + MS * 455, "new".into());
        let gap = MS * 150;
        let settling = Duration::ZERO;
        assert_eq!(seen.handover(), Some(Handover { gap, settling }));
        for at_ms in [475, 975, 995] {
            seen.reply(start + MS * at_ms, "new".into());
        }
        let settling = MS * 500;
        assert_eq!(seen.handover(), Some(Handover { gap, settling }));
        assert_eq!(seen.count(), 8);
        assert_eq!(seen.longest_gap(start + MS * 310), Some(MS * 500));
        assert_eq!(seen.longest_gap(start), Some(MS * 500));
        assert_eq!(seen.longest_gap(start + MS * 980), Some(MS * 20));
        assert_eq!(seen.longest_gap(start + MS * 995), None);
    }

    #[test]
    fn a_reply_that_names_no_boot_does_not_count() {
        let id = |text: &str| boot_id(text.as_bytes());
        assert_eq!(
            id("{\"kernel\":\"6\",\"boot_id\":\"a-b\"}\n"),
            Some("a-b".into())
        );
        for other in ["", "{}", "{\"boot_id\":1}", "<html>"] {
            assert_eq!(id(other), None, "{other}");
        }
    }

    /// Answers `good` requests, then none for `silence`, then again as another kernel. Returns how many it did not
    /// answer.
    fn serve(listener: &TcpListener, good: usize, silence: Duration) -> usize {
        let mut quiet_since = None;
        let mut unanswered = Vec::new();
        for count in 0..good + 50 {
            let (mut stream, _) = listener.accept().unwrap();
            if count >= good {
                let since = *quiet_since.get_or_insert_with(Instant::now);
                if since.elapsed() < silence {
                    // As a dead guest's: neither an answer nor an end.
                    unanswered.push(stream);
                    continue;
                }
            }
            let _ = stream.read(&mut [0; 1024]);
            let id = if count < good { "a" } else { "b" };
            let body = format!("{{\"boot_id\":\"{id}\"}}");
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
        unanswered.len()
    }

    #[test]
    fn a_silence_is_measured_although_old_requests_hang() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = GapProbe::start(port);
        let unanswered = serve(&listener, 10, MS * 300);
        let seen = client.end();
        let gap = seen.handover().unwrap().gap;
        // On a busy host it may be seen late, but never early.
        assert!(gap >= MS * 280 && gap < MS * 2000, "{gap:?}");
        assert!(seen.count() > 15, "{}", seen.count());
        // Each period a new one, whatever became of the others.
        assert!(unanswered > 6, "{unanswered}");
    }
}
