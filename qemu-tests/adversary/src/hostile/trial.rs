//! One attack on one machine, and a look at the machine afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult};
use sharedmem::event::Protected;

use super::wire::Wire;
use super::{Attack, Target};
use harness::client::{self, ONE_OF_MANY, Patience};
use harness::images::Images;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::Problem;

/// What the boot line says beyond the usual.
const OPTIONS: &str = "failover_rearm=auto";
/// The seat's CPU, and two of the primary.
const CPUS: u32 = 3;
/// A machine that has survived serves a new client within this time, ...
const SERVED_AFTER: Duration = Duration::from_secs(10);
/// ... is protected within this, ...
const PROTECTED_AFTER: Duration = Duration::from_secs(15);
/// ... and has given back what it kept for clients that are gone.
const MEMORY_AFTER: Duration = Duration::from_secs(15);
/// More memory may be in use than before: tables that have grown do not shrink.
const SLACK_BYTES: u64 = 2 << 20;
/// The password of a machine that has one.
const PASSWORD: &str = "password-of-the-trial";
/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Time for one attack.
const LIMIT: Duration = Duration::from_secs(240);
/// The client that works beside the attack waits so long before it counts the wait and connects anew.
const BYSTANDER: Patience = Patience {
    connect: Duration::from_secs(5),
    reply: Duration::from_secs(5),
};

/// What was observed of a machine.
#[derive(Debug, Default)]
pub struct Observed {
    /// Whether a new client was served.
    pub has_served: bool,
    /// Whether the machine was protected.
    pub is_protected: bool,
    /// Whether memory was given back.
    pub is_memory_back: bool,
    /// Takeovers since the boot.
    pub takeovers: u64,
    /// Heap in use before and after, in bytes.
    pub bytes_before: u64,
    /// See [`bytes_before`](Self::bytes_before).
    pub bytes_after: u64,
    /// The longest time for which another client waited for a reply.
    pub longest_wait: Duration,
    /// What the attack itself found wrong.
    pub harm: Option<Problem>,
}

/// Describes the machine for `attack`.
pub fn spec(attack: &Attack) -> MachineSpec {
    let mut spec = MachineSpec::new(format!("hostile-{}", attack.name), Accel::Tcg)
        .append(OPTIONS)
        .append(attack.options);
    spec.cpus = CPUS;
    spec.may_reset = true;
    spec
}

/// Boots a machine, makes the attack, and returns what was observed.
///
/// # Errors
/// The machine does not come up.
pub fn run(attack: &Attack, images: &Images) -> Result<Observed, Problem> {
    let mut spec = spec(attack);
    let log = paths::fresh_log(&spec.name)?;
    let wire = Wire::open(&paths::scratch(&spec.name))?;
    spec.wire = Some(wire.ends());
    let machine = QemuMachine::start(&spec, &Launch::of(images, &log, LIMIT))?;
    machine.wait_serving(1)?;
    machine.wait_event::<Protected>()?;
    let port = machine.port()?;
    let target = Target {
        machine: &machine,
        port,
        wire: &wire,
    };
    let mut observed = Observed::default();
    if !wait_until(SERVED_AFTER, || {
        observed.bytes_before = used_bytes(port)?;
        Some(())
    }) {
        let silent = "the machine does not say how much memory it uses";
        return Err(Problem::Failed(silent.into()));
    }
    let bystander = Bystander::start(port);
    observed.harm = (attack.strike)(&target).err();
    observed.longest_wait = bystander.finish();
    if let Some(Problem::Skipped(_)) = observed.harm {
        return Err(observed.harm.take().expect("it was just seen"));
    }
    look(&machine, port, &mut observed);
    match machine.console().ended() {
        None => Ok(observed),
        Some(end) => Err(Problem::TimedOut(format!("the machine has ended: {end:?}"))),
    }
}

fn look(machine: &QemuMachine, port: u16, observed: &mut Observed) {
    observed.has_served = wait_until(SERVED_AFTER, || {
        let mut client = open(port, ONE_OF_MANY).ok()?;
        client::run::<String>(&mut client, "SET after it").ok()?;
        let value: String = client::run(&mut client, "GET after").ok()?;
        (value == "it").then_some(())
    });
    observed.is_protected = wait_until(PROTECTED_AFTER, || {
        (field(port, "replication", "protected")? == 1).then_some(())
    });
    let allowed = observed.bytes_before + SLACK_BYTES;
    observed.is_memory_back = wait_until(MEMORY_AFTER, || {
        observed.bytes_after = used_bytes(port)?;
        (observed.bytes_after <= allowed).then_some(())
    });
    let epoch = field(port, "replication", "epoch");
    let logged = machine
        .console()
        .events::<sharedmem::event::Takeover>()
        .len() as u64;
    observed.takeovers = logged.max(epoch.map_or(0, |epoch| epoch.saturating_sub(1)));
}

/// Returns the memory in use: all that the kernel has taken from its heap, whether the service counts it or not.
fn used_bytes(port: u16) -> Option<u64> {
    field(port, "memory", "used_memory_rss")
}

/// Asks for a number of INFO.
fn field(port: u16, section: &str, name: &str) -> Option<u64> {
    let mut client = open(port, ONE_OF_MANY).ok()?;
    let info: String = client::run(&mut client, &format!("INFO {section}")).ok()?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().parse().ok()
}

/// Connects, and gives the password. A machine that has none refuses it, and serves all the same.
fn open(port: u16, patience: Patience) -> RedisResult<Connection> {
    let mut connection = client::connect(port, patience)?;
    let answer = client::run::<()>(&mut connection, &format!("AUTH {PASSWORD}"));
    match answer {
        Err(error) if !client::is_answer(&error) => Err(error),
        _ => Ok(connection),
    }
}

fn wait_until(limit: Duration, mut is_so: impl FnMut() -> Option<()>) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if is_so().is_some() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// A client that asks all the time, and measures how long it waits.
struct Bystander {
    is_stopped: Arc<AtomicBool>,
    thread: thread::JoinHandle<Duration>,
}

impl Bystander {
    fn start(port: u16) -> Self {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stopped = is_stopped.clone();
        let thread = thread::spawn(move || {
            let (mut longest, mut connection) = (Duration::ZERO, None);
            while !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answer = match &mut connection {
                    Some(open) => client::run::<String>(open, "PING"),
                    none => self::open(port, BYSTANDER).map(|open| {
                        *none = Some(open);
                        String::new()
                    }),
                };
                longest = longest.max(asked.elapsed());
                if answer.is_err() {
                    connection = None;
                }
                thread::sleep(POLL_INTERVAL);
            }
            longest
        });
        Self { is_stopped, thread }
    }

    fn finish(self) -> Duration {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(Duration::MAX)
    }
}
