//! A client that writes without end, keeps a ledger, and reconnects when the server is gone for a moment.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use redis::{Connection, RedisError, RedisResult};

use crate::client::{self, Patience};
use crate::ledger::KeyLedger;
use crate::problem::Problem;

/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(5);

/// Between two looks at how far a client has come.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// One of so many writes is an increment.
const INCREMENT_EVERY: u64 = 8;

/// Finds the port of whoever serves now; `None` if nobody is known to.
pub type FindPort = Box<dyn FnMut() -> Option<u16> + Send>;

/// A client at work.
pub struct KeyWriter {
    is_stopped: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    broken: Arc<AtomicU64>,
    thread: JoinHandle<Result<KeyLedger, Problem>>,
}

impl KeyWriter {
    /// Starts client `name` of the server at `port`.
    pub fn start(port: u16, name: impl Into<String>, patience: Patience) -> Self {
        Self::follow(Box::new(move || Some(port)), name, patience)
    }

    /// Starts client `name`, which looks for its server with `find` before each connection.
    pub fn follow(find: FindPort, name: impl Into<String>, patience: Patience) -> Self {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let acked = Arc::new(AtomicU64::new(0));
        let broken = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            find,
            patience,
            ledger: KeyLedger::new(name),
            next: 0,
            connection: None,
            is_stopped: is_stopped.clone(),
            acked: acked.clone(),
            broken: broken.clone(),
        };
        Self {
            is_stopped,
            acked,
            broken,
            thread: thread::spawn(|| worker.run()),
        }
    }

    /// Waits until `count` more writes than now are acknowledged.
    ///
    /// # Errors
    /// They are not within `limit`, or the client has stopped over an answer it did not expect.
    pub fn wait_more(&self, count: u64, limit: Duration) -> Result<(), Problem> {
        Self::all_wait_more(std::slice::from_ref(self), count, limit)
    }

    /// Waits until each of `writers` has `count` more writes acknowledged than now.
    ///
    /// # Errors
    /// As [`wait_more`](Self::wait_more).
    pub fn all_wait_more(writers: &[Self], count: u64, limit: Duration) -> Result<(), Problem> {
        let deadline = Instant::now() + limit;
        // All goals are set before the first is waited for: the others write on meanwhile.
        let goals: Vec<u64> = writers
            .iter()
            .map(|writer| writer.acked() + count)
            .collect();
        for (writer, goal) in writers.iter().zip(goals) {
            while writer.acked() < goal {
                if writer.thread.is_finished() {
                    return Err(Problem::Failed("a writing client has stopped".into()));
                }
                if Instant::now() >= deadline {
                    let missing = goal - writer.acked();
                    return Err(Problem::TimedOut(format!(
                        "{missing} of {count} writes not acknowledged within {limit:.1?}"
                    )));
                }
                thread::sleep(POLL_INTERVAL);
            }
        }
        Ok(())
    }

    /// Returns how many connections broke, or were given up because no reply came.
    pub fn broken_connections(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// Stops the client and returns its ledger.
    ///
    /// # Errors
    /// The client got an answer that it did not expect.
    pub fn finish(self) -> Result<KeyLedger, Problem> {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| Problem::BrokenSetUp("the writing client panicked".into()))?
    }
}

struct Worker {
    find: FindPort,
    patience: Patience,
    ledger: KeyLedger,
    next: u64,
    connection: Option<Connection>,
    is_stopped: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    broken: Arc<AtomicU64>,
}

impl Worker {
    fn run(mut self) -> Result<KeyLedger, Problem> {
        while !self.is_stopped.load(Ordering::Relaxed) {
            match self.write() {
                Ok(()) => self
                    .acked
                    .store(self.ledger.acked_writes(), Ordering::Relaxed),
                Err(error) if client::is_answer(&error) => {
                    return Err(Problem::Failed(format!(
                        "the service answers a write with: {error}"
                    )));
                }
                // Nobody knows whether it happened: it is sent again.
                Err(_) => {
                    let was_open = self.connection.take().is_some();
                    self.broken.fetch_add(was_open.into(), Ordering::Relaxed);
                    thread::sleep(RETRY);
                }
            }
        }
        Ok(self.ledger)
    }

    fn write(&mut self) -> RedisResult<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let port = (self.find)().ok_or_else(nobody_serves)?;
                none.insert(client::connect(port, self.patience)?)
            }
        };
        let ledger = &mut self.ledger;
        if self.next % INCREMENT_EVERY == INCREMENT_EVERY - 1 {
            ledger.increment_sent();
            let value = redis::cmd("INCR")
                .arg(ledger.counter_key())
                .query(connection)?;
            ledger.increment_acknowledged(value, Instant::now());
        } else {
            ledger.sent(self.next);
            let (key, value) = (ledger.key(self.next), ledger.value(self.next));
            redis::cmd("SET")
                .arg(key)
                .arg(value)
                .query::<()>(connection)?;
            ledger.acknowledged(self.next, Instant::now());
        }
        self.next += 1;
        Ok(())
    }
}

fn nobody_serves() -> RedisError {
    io::Error::from(io::ErrorKind::NotConnected).into()
}

#[cfg(test)]
mod tests;
