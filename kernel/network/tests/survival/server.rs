//! A kernel that may die after any step, and a successor that goes on from its journal.

use std::collections::BTreeMap;

use network::testing::FakeCard;
use network::{ConnectionEvent, ConnectionId, EventSink, Fact, Flows, Network, NetworkConfig};
use smoltcp::wire::Ipv4Address;

use crate::dialogue::{Dialogue, Random};

pub const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
pub const PORT: u16 = 6379;
pub const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
/// Most connections at a time.
pub const CONNECTIONS_MAX: usize = 64;
const UNACKED_BYTES_MAX: usize = 1 << 20;

/// One record of the journal.
#[derive(Clone, Debug)]
pub enum Entry {
    Fact(Vec<u8>),
    Opened(ConnectionId),
    Bytes(ConnectionId, Vec<u8>),
    Closed(ConnectionId),
}

/// The state that the records of a journal make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceState {
    pub flows: Flows,
    dialogues: BTreeMap<ConnectionId, Dialogue>,
}

impl ServiceState {
    pub fn of(journal: &[Entry]) -> Self {
        let mut state = Self {
            flows: Flows::new(UNACKED_BYTES_MAX),
            dialogues: BTreeMap::new(),
        };
        journal.iter().for_each(|entry| state.apply(entry));
        state
    }

    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Fact(payload) => {
                let fact = Fact::decode(payload).expect("the journal is whole");
                self.flows
                    .apply(&fact)
                    .expect("the facts follow one another");
            }
            Entry::Opened(connection) => {
                self.flows.opened(*connection);
                self.dialogues.insert(*connection, Dialogue::default());
            }
            Entry::Bytes(connection, bytes) => {
                self.flows.received(*connection, bytes.len());
                let Some(dialogue) = self.dialogues.get_mut(connection) else {
                    return;
                };
                let mut reply = Vec::new();
                let hangs_up = dialogue.answer(bytes, &mut reply);
                self.flows.reply(*connection, &reply);
                if hangs_up {
                    self.flows.hang_up(*connection);
                    self.dialogues.remove(connection);
                }
            }
            Entry::Closed(connection) => {
                self.flows.closed(*connection);
                self.dialogues.remove(connection);
            }
        }
    }
}

/// The kernel that serves. Nothing that it does after its death has an effect.
pub struct Kernel {
    pub network: Network<FakeCard>,
    pub server: TestServer,
    /// Number of connections whose socket was made before the takeover.
    pub prebuilt: usize,
}

/// The service and its journal.
pub struct TestServer {
    pub journal: Vec<Entry>,
    state: ServiceState,
    /// Steps until the kernel dies; `None` if it does not.
    pub steps_left: Option<u64>,
}

impl TestServer {
    /// Counts a step. Returns false if the kernel is dead.
    fn step(&mut self) -> bool {
        match &mut self.steps_left {
            None => true,
            Some(0) => false,
            Some(steps) => {
                *steps -= 1;
                true
            }
        }
    }

    pub fn is_dead(&self) -> bool {
        self.steps_left == Some(0)
    }
}

impl EventSink for TestServer {
    fn flows(&self) -> &Flows {
        &self.state.flows
    }

    fn commit_event(&mut self, event: ConnectionEvent<'_>) {
        let entry = match event {
            ConnectionEvent::Fact(fact) => {
                let mut payload = Vec::new();
                fact.encode(&mut payload);
                Entry::Fact(payload)
            }
            ConnectionEvent::Opened(connection, _) => Entry::Opened(connection),
            ConnectionEvent::Bytes(connection, bytes) => Entry::Bytes(connection, bytes.to_vec()),
            ConnectionEvent::Closed(connection) => Entry::Closed(connection),
        };
        if self.step() {
            self.journal.push(entry.clone());
        }
        // A death between commit and application is the same as one after both: the state dies with the kernel.
        self.state.apply(&entry);
    }

    fn progress(&mut self) {}

    fn now_ns(&self) -> u64 {
        0
    }
}

impl Kernel {
    /// Starts a kernel that goes on from `journal`, at `now_ns`. Before that it has waited as a backup, and has
    /// followed the journal up to some record.
    pub fn start(journal: Vec<Entry>, now_ns: u64, seed: u64, steps_left: Option<u64>) -> Self {
        let config = NetworkConfig {
            address: ADDRESS,
            prefix_len: 24,
            gateway: None,
            port: PORT,
            seed,
            connections_max: CONNECTIONS_MAX,
        };
        let mut network = Network::prepare(FakeCard::default(), &config);
        wait(&mut network, &journal, now_ns, &mut Random::new(seed));
        let server = TestServer {
            state: ServiceState::of(&journal),
            journal,
            steps_left,
        };
        network.start(MAC, &server);
        Self {
            network,
            server,
            prebuilt: 0,
        }
    }

    /// Runs one round of the main loop. Returns the frames that left.
    pub fn round(&mut self, now_ns: u64) -> Vec<Vec<u8>> {
        self.network.ingress(now_ns, &mut self.server);
        self.network.report(now_ns, &mut self.server);
        self.network.egress(now_ns, &mut self.server);
        assert_eq!(self.network.take_complaint(), None);
        if let Some(rebuilt) = self.network.take_rebuild_report() {
            self.prebuilt += rebuilt.connections - rebuilt.made;
        }
        let leaving = std::mem::take(&mut self.network.device_mut().leaving);
        leaving.into_iter().filter(|_| self.server.step()).collect()
    }
}

/// Makes sockets as a backup does: at first it is some records behind, in the end a few or none.
fn wait(network: &mut Network<FakeCard>, journal: &[Entry], now_ns: u64, random: &mut Random) {
    let behind = [random.below(40), random.below(3)];
    let mut then_ns = now_ns.saturating_sub(20_000_000);
    for behind in behind {
        let flows =
            ServiceState::of(&journal[..journal.len().saturating_sub(behind as usize)]).flows;
        // The first sweep makes the buffers of a connection, the second its socket, the third finds nothing to do.
        for _ in 0..3 {
            then_ns += 3_000_000;
            while network.prebuild(then_ns, &flows) {}
        }
    }
}
