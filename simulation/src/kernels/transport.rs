//! The primary's side of the network: what frames bring goes into the journal, replies leave through the gate. It
//! stands for `network` and the card's driver, over the simplest transport there is.

use std::collections::BTreeMap;

use health::{Fault, STALL_NS_MAX, Stall};
use network::{ConnectionEvent, EventSink, Fact, Flow, Handshake, Peer};
use replica::{Host, JournaledService};

use crate::kernels::host::Kernel;
use crate::machine::MS;
use crate::machine::events;
use crate::machine::frame::Frame;
use crate::world::World;

/// Limit of the frames fetched in one round.
const FRAMES_IN_MAX: usize = 8;
/// Limit of the reply bytes in a frame.
const FRAME_BYTES_MAX: usize = 1400;
/// Time without an acknowledgement after which everything unacknowledged is sent again, in ns.
const RESEND_NS: u64 = 4 * MS;

/// The state of a connection that is not in the journal.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Replies were sent up to this position.
    sent: u64,
    /// Number of received bytes that the client was told of.
    told_received: u64,
    /// When the client last acknowledged something or was sent something new, in ns.
    moved_ns: u64,
}

/// Sockets, gate and driver in one.
pub struct Transport {
    incarnation: u32,
    progress: BTreeMap<u64, Progress>,
    gate: Vec<Frame>,
    /// Frames that have left through the gate.
    released: u64,
    stall: Stall,
}

fn handshake() -> Handshake {
    Handshake {
        peer_mac: [0; 6],
        peer_seq: 0,
        local_seq: 0,
        mss: None,
        window_scale: None,
        sack_permitted: false,
    }
}

/// Returns the address of a client.
fn peer_of(client: usize) -> Peer {
    [10, 0, 0, 1, 0, client as u8]
}

impl Transport {
    /// Makes the transport of a new primary, which knows only what the journal says.
    pub fn new(incarnation: u32) -> Self {
        Self {
            incarnation,
            progress: BTreeMap::new(),
            gate: Vec::new(),
            released: 0,
            stall: Stall::default(),
        }
    }

    /// Fetches frames from the card and commits what they bring. Returns whether there may be more.
    pub fn ingress(&mut self, world: &World, journal: &mut JournaledService<Kernel>) -> bool {
        if world.faults.takes_impossible_fact() {
            let connection = journal.flows().next_connection();
            journal.commit_event(ConnectionEvent::Fact(Fact::PeerClosed { connection }));
        }
        for _ in 0..FRAMES_IN_MAX {
            let frame = world.wires.card.received.borrow_mut().pop_front();
            let Some(frame) = frame else { return false };
            self.take(world, journal, &frame);
        }
        true
    }

    fn take(&mut self, world: &World, journal: &mut JournaledService<Kernel>, frame: &Frame) {
        let peer = peer_of(frame.client);
        let known = |journal: &JournaledService<Kernel>| {
            let flows = journal.flows();
            let (connection, flow) = flows.iter().find(|(_, flow)| flow.peer() == peer)?;
            Some((connection, flow.clone()))
        };
        let begins = frame.from == 0 && frame.ack == 0;
        let (connection, flow) = match known(journal) {
            Some(known) => known,
            None if begins => {
                let connection = journal.flows().next_connection();
                let fact = Fact::Begun {
                    connection,
                    peer,
                    handshake: handshake(),
                };
                journal.commit_event(ConnectionEvent::Fact(fact));
                let Some(known) = known(journal) else { return };
                known
            }
            None => return,
        };
        if !flow.is_open() {
            journal.commit_event(ConnectionEvent::Opened(connection, peer));
        }
        // The bytes come first, because the acknowledgement may be of a reply to them that a dead primary had sent.
        let skipped = flow.received_bytes().checked_sub(frame.from);
        let news = skipped.and_then(|skipped| frame.bytes.get(skipped as usize..));
        if let Some(bytes) = news.filter(|bytes| !bytes.is_empty()) {
            journal.commit_event(ConnectionEvent::Bytes(connection, bytes));
        }
        let now = journal.flows().get(connection).cloned();
        if let Some(flow) = now {
            self.take_ack(world, journal, connection, &flow, frame.ack);
        }
    }

    fn take_ack(
        &mut self,
        world: &World,
        journal: &mut JournaledService<Kernel>,
        connection: u64,
        flow: &Flow,
        ack: u64,
    ) {
        let produced = flow.acknowledged_bytes() + flow.unacked_bytes() as u64;
        if ack > produced {
            world.oracle.missed(format!(
                "a client has {ack} bytes of replies on connection {connection}; the journal makes {produced}"
            ));
        } else if ack > flow.acknowledged_bytes() && ack <= produced {
            journal.commit_event(ConnectionEvent::Fact(Fact::Acknowledged {
                connection,
                bytes: ack,
                end: false,
            }));
            let progress = self.progress.entry(connection).or_default();
            progress.moved_ns = world.now_ns();
        }
    }

    /// Puts everything that has to be sent at the gate.
    pub fn egress(&mut self, world: &World, journal: &mut JournaledService<Kernel>) {
        let now_ns = world.now_ns();
        for (connection, flow) in journal.flows().iter() {
            let progress = self.progress.entry(connection).or_default();
            let acknowledged = flow.acknowledged_bytes();
            let end = acknowledged + flow.unacked_bytes() as u64;
            if progress.sent < acknowledged || now_ns >= progress.moved_ns + RESEND_NS {
                progress.sent = acknowledged;
            }
            let is_news = progress.told_received != flow.received_bytes();
            while progress.sent < end {
                let unacked = flow.unacked_from((progress.sent - acknowledged) as usize);
                let bytes = unacked[..unacked.len().min(FRAME_BYTES_MAX)].to_vec();
                let from = progress.sent;
                progress.sent += bytes.len() as u64;
                progress.moved_ns = now_ns;
                self.gate.push(Frame::to(flow, from, bytes));
            }
            if is_news {
                self.gate.push(Frame::to(flow, progress.sent, Vec::new()));
            }
            progress.told_received = flow.received_bytes();
        }
    }

    /// Checks that frames leave, as the kernel's gate does.
    ///
    /// # Errors
    /// They wait.
    pub fn check(&mut self, now_ns: u64) -> Result<(), Fault> {
        let waits = !self.gate.is_empty();
        match self.stall.look(now_ns, waits, self.released) > STALL_NS_MAX {
            true => Err(Fault::FramesWait),
            false => Ok(()),
        }
    }

    /// Opens the gate, if this kernel still is the primary.
    pub fn release(&mut self, world: &World, journal: &JournaledService<Kernel>, kernel: &Kernel) {
        if !journal.is_primary() {
            self.gate.clear();
            kernel.superseded(kernel.region().control.epoch.current());
        }
        if world.incarnations.get(self.incarnation).gate_stands.get() {
            return;
        }
        for frame in self.gate.drain(..) {
            self.released += 1;
            let (oracle, wires) = (&world.oracle, &world.wires);
            let driver = wires.card.driver.get();
            oracle.check(oracle.primary.transmits(self.incarnation, driver));
            let epoch = world.incarnations.get(self.incarnation).epoch.get();
            wires.transmit(Frame { epoch, ..frame }, events::Event::Delivery);
            world.spend(world.random.below(300) + 1);
        }
    }
}

impl Frame {
    fn to(flow: &Flow, from: u64, bytes: Vec<u8>) -> Self {
        let [.., client] = flow.peer();
        Self {
            client: client.into(),
            from,
            bytes,
            ack: flow.received_bytes(),
            epoch: 0,
        }
    }
}
