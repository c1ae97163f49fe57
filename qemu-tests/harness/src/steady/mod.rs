//! Clients that connect once and stay. Whatever dies behind the service, they get every byte they are owed, in order,
//! on the same connection.
//!
//! A client knows every reply beforehand, to the byte. So it notices at once a reply that is lost, doubled or moved,
//! and a command that is executed twice.

mod checksums;
mod connection;
mod control;
mod worker;
mod workload;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use checksums::Checksums;
pub use connection::ClientFailure;
pub use workload::{ClientReport, Workload};

use crate::problem::Problem;
use control::{Control, POLL_INTERVAL};
use worker::Worker;

/// A client at work.
pub struct SteadyClient {
    workload: Workload,
    control: Arc<Control>,
    rounds: Arc<AtomicU64>,
    thread: JoinHandle<ClientReport>,
}

impl SteadyClient {
    /// Starts a client; `name` is in its keys.
    pub fn start(port: u16, workload: Workload, name: &str) -> Self {
        let (control, rounds) = (Arc::new(Control::default()), Arc::new(AtomicU64::new(0)));
        let work = Worker::new(port, workload, name, control.clone(), rounds.clone());
        let ended = control.clone();
        let thread = thread::spawn(move || {
            let report = work.run();
            ended.has_ended.store(true, Ordering::Relaxed);
            report
        });
        Self {
            workload,
            control,
            rounds,
            thread,
        }
    }

    /// Returns what the client does.
    pub fn workload(&self) -> Workload {
        self.workload
    }

    /// Returns the number of rounds that the client has done.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Waits until each of `clients` has done `count` rounds more, waits for [`go_on`](Self::go_on), or has ended over
    /// something that its [`finish`](Self::finish) names.
    ///
    /// # Errors
    /// They do not within `limit`.
    pub fn all_do_more(clients: &[Self], count: u64, limit: Duration) -> Result<(), Problem> {
        let deadline = Instant::now() + limit;
        let goals: Vec<u64> = clients
            .iter()
            .map(|client| client.rounds() + count)
            .collect();
        for (client, goal) in clients.iter().zip(goals) {
            let is_there = || {
                client.rounds() >= goal
                    || client.control.is_waiting.load(Ordering::Relaxed)
                    || client.control.has_ended.load(Ordering::Relaxed)
            };
            while !is_there() {
                if Instant::now() >= deadline {
                    return Err(Problem::TimedOut(format!(
                        "{:?} has not done {count} rounds within {limit:.1?}",
                        client.workload
                    )));
                }
                thread::sleep(POLL_INTERVAL);
            }
        }
        Ok(())
    }

    /// Tells a client that waits to go on.
    pub fn go_on(&self) {
        self.control.go_on.store(true, Ordering::Relaxed);
    }

    /// Says whether the client has ended over something that its [`report`](Self::report) names.
    pub fn has_ended(&self) -> bool {
        self.control.has_ended.load(Ordering::Relaxed)
    }

    /// Lets the client finish its round, and returns what became of it.
    ///
    /// # Errors
    /// The client itself is at fault.
    pub fn report(self) -> Result<ClientReport, Problem> {
        self.go_on();
        self.control.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| Problem::BrokenSetUp("a client panicked".into()))
    }

    /// Lets the client finish its round. Returns the longest time for which it waited for a reply.
    ///
    /// # Errors
    /// Its connection failed, or something came that is not what it was owed.
    pub fn finish(self) -> Result<Duration, Problem> {
        let workload = self.workload;
        let report = self.report()?;
        match report.trouble {
            None => Ok(report.longest_silence),
            Some(trouble) => Err(Problem::Failed(format!("{workload:?}: {trouble}"))),
        }
    }
}
