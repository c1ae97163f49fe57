//! Clients that connect once and stay: whatever dies behind the service, they get every byte they are owed, in order, on the same connection.
//!
//! Every reply is known beforehand to the byte, so that one that is lost, doubled or moved is seen at once, and so is a command that is carried out twice.

mod checksums;
mod line;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use checksums::Checksums;
pub use line::ClientFailure;

use crate::problem::Problem;
use work::Worker;

/// Between two looks of one that waits.
const LOOK: Duration = Duration::from_millis(5);

/// What a client does all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// One command, one reply.
    Chat,
    /// A thousand commands, a thousand replies.
    Pipeline,
    /// Values of 1 MiB there and back.
    Large,
    /// Bytes that nobody can foretell, there and back, with a running checksum of either direction.
    Checksum,
    /// Nothing, until it is told to go on.
    Idle,
    /// It asks for some MiB, and does not read them until it is told to go on: the window is closed.
    SlowReader,
    /// It connects, asks, and hangs up, again and again. No connection of its own fails.
    Visitor,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Chat,
        Self::Pipeline,
        Self::Large,
        Self::Checksum,
        Self::Idle,
        Self::SlowReader,
        Self::Visitor,
    ];
}

/// What a client is told, and whether it waits for that.
#[derive(Default)]
struct Control {
    go_on: AtomicBool,
    stop: AtomicBool,
    is_awaited: AtomicBool,
    has_ended: AtomicBool,
}

/// What became of a client.
#[derive(Debug)]
pub struct ClientReport {
    /// Rounds that it has done.
    pub rounds: u64,
    /// The longest time for which it waited for a reply.
    pub longest_silence: Duration,
    /// Of what went there and came back, if it keeps them.
    pub checksums: Option<Checksums>,
    /// What went wrong, if anything did.
    pub trouble: Option<ClientFailure>,
}

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
            let account = work.run();
            ended.has_ended.store(true, Ordering::Relaxed);
            account
        });
        Self {
            workload,
            control,
            rounds,
            thread,
        }
    }

    /// What the client does.
    pub fn workload(&self) -> Workload {
        self.workload
    }

    /// Rounds that the client has done.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Waits until each of `clients` has done `count` rounds more, waits to be told, or has ended over something that its
    /// [`finish`](Self::finish) tells.
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
                    || client.control.is_awaited.load(Ordering::Relaxed)
                    || client.control.has_ended.load(Ordering::Relaxed)
            };
            while !is_there() {
                if Instant::now() >= deadline {
                    return Err(Problem::TimedOut(format!(
                        "{:?} has not done {count} rounds within {limit:.1?}",
                        client.workload
                    )));
                }
                thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// Tells a client that waits to go on.
    pub fn go_on(&self) {
        self.control.go_on.store(true, Ordering::Relaxed);
    }

    /// Whether it has ended over something that its [`account`](Self::account) tells.
    pub fn has_ended(&self) -> bool {
        self.control.has_ended.load(Ordering::Relaxed)
    }

    /// Lets the client finish its round, and says what became of it.
    ///
    /// # Errors
    /// The client itself is at fault.
    pub fn account(self) -> Result<ClientReport, Problem> {
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
        let account = self.account()?;
        match account.trouble {
            None => Ok(account.longest_silence),
            Some(trouble) => Err(Problem::Failed(format!("{workload:?}: {trouble}"))),
        }
    }
}
