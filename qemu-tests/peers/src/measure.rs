//! Kills a service under a writing client, and takes the client's account.

use std::fmt;
use std::time::{Duration, Instant};

use harness::client::{self, ONE_OF_MANY, PATIENT};
use harness::ledger::KeyAudit;
use harness::problem::Problem;
use harness::writer::KeyWriter;
use serde_json::{Value, json};

use crate::Peer;

/// Acknowledged writes before the fault, and after it.
const WRITES: u64 = 1_000;

/// Limit for the writes after the fault: a sentinel may take a while.
const LIMIT: Duration = Duration::from_secs(60);

/// How a service dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// At once: a kernel that panics, a process that is killed.
    Death,
    /// It stands still and keeps its connections: a kernel whose cores all hang, a process that is stopped.
    Hang,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Death, Self::Hang];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Death => "death",
            Self::Hang => "hang",
        }
    }
}

/// What the client noticed.
#[derive(Clone, Debug)]
pub struct PeerOutcome {
    /// The service.
    pub peer: String,
    /// What it ran on.
    pub runs_on: &'static str,
    /// How it died.
    pub cause: Cause,
    /// The longest time without an acknowledgement.
    pub gap: Duration,
    /// What became of the acknowledged writes.
    pub audit: KeyAudit,
    /// Connections that broke, or were given up because no reply came.
    pub broken_connections: u64,
}

impl PeerOutcome {
    /// Returns it for programs.
    pub fn json(&self) -> Value {
        json!({
            "name": self.peer,
            "runs_on": self.runs_on,
            "cause": self.cause.name(),
            "client_gap_ms": self.gap_ms(),
            "acked": self.audit.acked_writes,
            "lost": self.audit.lost_writes,
            "reset": self.broken_connections,
        })
    }

    fn gap_ms(&self) -> f64 {
        self.gap.as_micros() as f64 / 1000.0
    }
}

impl fmt::Display for PeerOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<40}{:<8}{:>10.1} ms{:>7} lost{:>7} broken   {}",
            self.peer,
            self.cause.name(),
            self.gap_ms(),
            self.audit.lost_writes,
            self.broken_connections,
            self.runs_on,
        )
    }
}

/// Kills whoever serves under a client that writes, and waits until the client writes on.
///
/// # Errors
/// Nobody serves again within a minute, or the client gets an answer that it did not expect.
pub fn measure(peer: &mut dyn Peer, cause: Cause) -> Result<PeerOutcome, Problem> {
    let writer = KeyWriter::follow(peer.finder(), "peer", ONE_OF_MANY);
    writer.wait_more(WRITES, LIMIT)?;
    let fault = Instant::now();
    peer.strike(cause)?;
    writer.wait_more(WRITES, LIMIT)?;
    let broken_connections = writer.broken_connections();
    let ledger = writer.finish()?;
    let nobody = || Problem::Failed("nobody serves after the failover".into());
    let port = (peer.finder())().ok_or_else(nobody)?;
    let audit = client::connect(port, PATIENT)
        .and_then(|mut store| ledger.audit(&mut store))
        .map_err(|error| Problem::Failed(format!("taking stock: {error}")))?;
    let gap = ledger.longest_gap(fault);
    Ok(PeerOutcome {
        peer: peer.name(),
        runs_on: peer.runs_on(),
        cause,
        gap: gap.ok_or_else(nobody)?,
        audit,
        broken_connections,
    })
}
