//! One run: clients, a cable, and kernels that die one after another.

use std::ops::Range;

use crate::client::Clients;
use crate::dialogue::Random;
use crate::forge;
use crate::server::{Kernel, ServiceState};
use crate::wire::{Cable, NEVER, Way, segment_in};

const SECOND_NS: u64 = 1_000_000_000;
/// A run that takes longer than this does not end.
const RUN_NS_MAX: u64 = 2_000 * SECOND_NS;
/// Connections have to be gone this long after the last client is done.
const CLOSING_NS_MAX: u64 = 30 * SECOND_NS;

/// How hard a run is.
#[derive(Clone, Debug)]
pub struct Hardship {
    pub clients: usize,
    pub deaths: u64,
    /// Number of steps between two deaths.
    pub steps: Range<u64>,
    pub cable: Cable,
    /// The longest packet that a router on the way to the clients takes, in bytes.
    pub mtu: Option<u16>,
}

impl Hardship {
    /// Returns the number of steps until the next death, if there is another one.
    fn steps(&self, random: &mut Random, deaths: u64) -> Option<u64> {
        let Range { start, end } = self.steps;
        (deaths < self.deaths).then(|| start + random.below(end - start))
    }
}

/// What happened in a run.
#[derive(Debug, Default)]
pub struct Outcome {
    pub deaths: u64,
    pub prebuilt: usize,
}

/// Runs until all clients are done and all connections are gone.
pub fn run(seed: u64, hardship: Hardship) -> Result<Outcome, String> {
    let mut run = Run::new(seed, hardship);
    while run.round()? {}
    let left = ServiceState::of(&run.kernel.server.journal);
    match left.flows.is_empty() {
        true => Ok(run.outcome),
        false => Err(format!("connections are left: {:?}", left.flows)),
    }
}

struct Run {
    hardship: Hardship,
    random: Random,
    clients: Clients,
    up: Way,
    down: Way,
    kernel: Kernel,
    now_ns: u64,
    /// When the last client was done.
    over_ns: Option<u64>,
    outcome: Outcome,
}

impl Run {
    fn new(seed: u64, hardship: Hardship) -> Self {
        let mut random = Random::new(seed);
        let clients = Clients::new(hardship.clients, random.next());
        let steps = hardship.steps(&mut random, 0);
        let now_ns = 1_000_000;
        Self {
            kernel: Kernel::start(Vec::new(), now_ns, random.next(), steps),
            up: Way::of(hardship.cable),
            down: Way::of(hardship.cable),
            hardship,
            random,
            clients,
            now_ns,
            over_ns: None,
            outcome: Outcome::default(),
        }
    }

    /// Runs one round of everything. Returns false when it is over.
    fn round(&mut self) -> Result<bool, String> {
        self.clients_send()?;
        self.kernel_serves()?;
        if self.kernel.server.is_dead() {
            self.take_over();
        }
        for frame in self.down.arrived(self.now_ns) {
            self.clients.arrive(frame);
        }
        let mut clients = self.clients.clients.iter();
        if let Some(trouble) = clients.find_map(|client| client.trouble.clone()) {
            return Err(trouble);
        }
        if self.clients.are_done()
            && *self.over_ns.get_or_insert(self.now_ns) + CLOSING_NS_MAX < self.now_ns
        {
            return Ok(false);
        }
        if self.now_ns > RUN_NS_MAX {
            return Err(self.describe("it does not end"));
        }
        self.now_ns = self.next_ns();
        Ok(true)
    }

    fn clients_send(&mut self) -> Result<(), String> {
        for frame in self.clients.round(self.now_ns) {
            if self.is_wrong_reset(&frame) {
                return Err(self.describe("a client resets its connection"));
            }
            self.up.send(frame, self.now_ns, &mut self.random);
        }
        Ok(())
    }

    fn kernel_serves(&mut self) -> Result<(), String> {
        let arrived = self.up.arrived(self.now_ns);
        self.kernel.network.device_mut().arrived.extend(arrived);
        for frame in self.kernel.round(self.now_ns) {
            if self.is_wrong_reset(&frame) {
                return Err(self.describe("the service resets a connection"));
            }
            let length = frame.len() - 14;
            match self.hardship.mtu.filter(|mtu| length > usize::from(*mtu)) {
                Some(mtu) => {
                    let message = forge::too_long(&frame, mtu);
                    self.up.send(message, self.now_ns, &mut self.random);
                }
                None => self.down.send(frame, self.now_ns, &mut self.random),
            }
        }
        Ok(())
    }

    /// Replaces the dead kernel by a successor, which has only its journal.
    fn take_over(&mut self) {
        self.outcome.deaths += 1;
        self.outcome.prebuilt += self.kernel.prebuilt;
        self.now_ns += self.random.below(5_000_000);
        // Frames that came in meanwhile are lost, or wait in the device.
        if self.random.one_in(2) {
            self.up.arrived(self.now_ns);
        }
        let steps = self.hardship.steps(&mut self.random, self.outcome.deaths);
        let journal = std::mem::take(&mut self.kernel.server.journal);
        self.kernel = Kernel::start(journal, self.now_ns, self.random.next(), steps);
    }

    /// Returns when the next round is due.
    fn next_ns(&mut self) -> u64 {
        let due = [
            self.clients.due_ns(self.now_ns),
            self.kernel.network.due_ns(self.now_ns),
            self.up.next_ns(),
            self.down.next_ns(),
            self.over_ns.map(|_| self.now_ns + SECOND_NS),
        ];
        let due = due.into_iter().flatten().min();
        due.unwrap_or(self.now_ns + SECOND_NS)
            .max(self.now_ns + 10_000)
    }

    /// Returns whether a frame resets a connection that is still in use.
    fn is_wrong_reset(&self, frame: &[u8]) -> bool {
        let Cable { loss, corruption } = self.hardship.cable;
        let is_cable_bad = loss.min(corruption) != NEVER;
        segment_in(frame)
            .is_some_and(|it| it.is_reset && !self.clients.may_be_reset(it, is_cable_bad))
    }

    fn describe(&self, what: &str) -> String {
        let flows = &ServiceState::of(&self.kernel.server.journal).flows;
        let clients = self.clients.describe();
        format!("{what} at {}\n{clients}{flows:?}", self.now_ns)
    }
}
