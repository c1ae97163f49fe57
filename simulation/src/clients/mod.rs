//! Clients: each knows what every reply must be, byte for byte, and never connects a second time.

pub mod reply;

use std::collections::VecDeque;
use std::fmt;

use crate::machine::wire::Frame;
use crate::scenario::Scenario;
use crate::world::{Event, MS, US, World};
use reply::{Expected, reply_length};

/// The longest piece of a request in a frame.
const FRAME_BYTES_MAX: usize = 700;
/// After so long without news everything that was not acknowledged is sent again, in ns.
const RESEND_NS: u64 = 5 * MS;
/// Key that all clients count up.
const SHARED: &str = "shared";

/// A client.
pub struct Client {
    number: usize,
    /// Commands that it will still begin.
    to_do: u32,
    /// Requests that were made, as one stream; nothing is forgotten.
    stream: Vec<u8>,
    /// So much of it the server is known to have.
    acknowledged: u64,
    moved_ns: u64,
    /// Replies that came, as one stream.
    replies: Vec<u8>,
    /// So much of it was looked at.
    read: usize,
    expected: VecDeque<Expected>,
    count: u64,
    shared_count: u64,
    appended_bytes: usize,
    pushed: u64,
    kept: Option<Vec<u8>>,
    /// Per epoch, the least and the most that its owner said it had.
    acks: Vec<(u64, u64, u64)>,
    /// It sent what kills: its next reply may be that this was skipped, with all that came with it.
    is_poisoned: bool,
    /// The server has ended the connection.
    is_hung_up: bool,
    /// It was told something that cannot be: what it expects is no measure any more.
    is_confused: bool,
}

impl Client {
    /// All clients of a scenario.
    pub fn all(scenario: &Scenario) -> Vec<Self> {
        let client = |number| Self {
            number,
            to_do: scenario.commands,
            stream: Vec::new(),
            acknowledged: 0,
            moved_ns: 0,
            replies: Vec::new(),
            read: 0,
            expected: VecDeque::new(),
            count: 0,
            shared_count: 0,
            appended_bytes: 0,
            pushed: 0,
            kept: None,
            acks: Vec::new(),
            is_poisoned: false,
            is_hung_up: false,
            is_confused: false,
        };
        (0..scenario.clients).map(client).collect()
    }

    /// Whether it has every reply that it waits for, and asks for nothing more.
    pub fn is_done(&self) -> bool {
        self.to_do == 0 && self.expected.is_empty() && self.acknowledged == self.stream.len() as u64
    }

    /// Looks whether there is something to do, and does it.
    pub fn look(world: &World, number: usize) {
        let frames = {
            let mut clients = world.clients.borrow_mut();
            let client = &mut clients[number];
            let is_new = client.ask(world);
            client.frames(world, is_new)
        };
        for frame in frames {
            world.transmit(frame, Event::Arrival);
        }
        world.after(50 * US + world.below(MS), Event::Client(number));
    }

    /// Begins commands; true if it did.
    fn ask(&mut self, world: &World) -> bool {
        let mut is_new = false;
        let window = world.scenario.pipeline as usize;
        while self.to_do > 0 && self.expected.len() < window && !world.once_in(3) {
            self.to_do -= 1;
            self.begin(world);
            is_new = true;
        }
        is_new
    }

    fn begin(&mut self, world: &World) {
        let me = self.number;
        match world.below(9) {
            0 | 1 => {
                self.count += 1;
                self.request(
                    &["INCR", &format!("count:{me}")],
                    Expected::number(self.count),
                );
            }
            2 => self.request(&["INCR", SHARED], Expected::SharedCount),
            3 => {
                let piece = "x".repeat(1 + world.below(world.scenario.value_bytes_max) as usize);
                self.appended_bytes += piece.len();
                let expected = Expected::number(self.appended_bytes as u64);
                self.request(&["APPEND", &format!("text:{me}"), &piece], expected);
            }
            4 => {
                self.pushed += 1;
                let element = format!("{me}-{}", self.pushed);
                let expected = Expected::number(self.pushed);
                self.request(&["RPUSH", &format!("list:{me}"), &element], expected);
            }
            5 => {
                let value =
                    format!("{}", world.below(u64::MAX)).repeat(1 + world.below(20) as usize);
                self.request(
                    &["SET", &format!("kept:{me}"), &value],
                    Expected::Exact(b"+OK\r\n".into()),
                );
                self.kept = Some(value.into_bytes());
            }
            6 => {
                let expected = match &self.kept {
                    None => Expected::Exact(b"$-1\r\n".into()),
                    Some(value) => Expected::bulk(value),
                };
                self.request(&["GET", &format!("kept:{me}")], expected);
            }
            7 => self.request(&["INFO", "replication"], Expected::Text),
            _ => self.request(
                &["LLEN", &format!("list:{me}")],
                Expected::number(self.pushed),
            ),
        }
    }

    /// Sends a command whatever is planned: it stops every kernel that applies it.
    pub fn poison(&mut self) {
        self.is_poisoned = true;
        self.request(&["DEBUG", "POISON"], Expected::Anything);
    }

    /// The server ends the connection: nothing more will come of what was asked.
    fn hang_up(&mut self) {
        self.is_hung_up = true;
        self.to_do = 0;
        self.expected.clear();
        self.acknowledged = self.stream.len() as u64;
    }

    /// Asks for a switchover, whatever is planned; it may be refused.
    pub fn switch_over(&mut self) {
        self.request(&["FAILOVER"], Expected::Anything);
    }

    fn request(&mut self, words: &[&str], expected: Expected) {
        if self.is_hung_up {
            return;
        }
        self.stream
            .extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            let head = format!("${}\r\n{word}\r\n", word.len());
            self.stream.extend_from_slice(head.as_bytes());
        }
        self.expected.push_back(expected);
    }

    /// What is to be sent: everything not acknowledged if that is new or old enough; else nothing.
    fn frames(&mut self, world: &World, is_new: bool) -> Vec<Frame> {
        let now_ns = world.now_ns();
        let is_late = now_ns >= self.moved_ns + RESEND_NS && !self.is_done();
        if !is_new && !is_late {
            return Vec::new();
        }
        self.moved_ns = now_ns;
        let mut frames = Vec::new();
        let mut from = self.acknowledged;
        while from < self.stream.len() as u64 {
            let rest = &self.stream[from as usize..];
            let most = rest.len().min(FRAME_BYTES_MAX);
            let bytes = rest[..1 + world.below(most as u64) as usize].to_vec();
            let next = from + bytes.len() as u64;
            frames.push(self.frame(from, bytes));
            from = next;
        }
        if frames.is_empty() {
            frames.push(self.frame(from, Vec::new()));
        }
        frames
    }

    fn frame(&self, from: u64, bytes: Vec<u8>) -> Frame {
        Frame {
            client: self.number,
            from,
            bytes,
            ack: self.replies.len() as u64,
            epoch: 0,
        }
    }

    /// A frame reaches its client.
    pub fn receive(world: &World, frame: &Frame) {
        let ack = {
            let mut clients = world.clients.borrow_mut();
            let Some(client) = clients.get_mut(frame.client) else {
                let law = format!("a frame goes to client {}, who is nobody", frame.client);
                return world.oracle.broken(law);
            };
            if let Err(law) = client.take(world, frame) {
                client.is_confused = true;
                world
                    .oracle
                    .missed(format!("client {}: {law}", frame.client));
            }
            let end = client.stream.len() as u64;
            (!frame.bytes.is_empty()).then(|| client.frame(end, Vec::new()))
        };
        if let Some(ack) = ack {
            world.transmit(ack, Event::Arrival);
        }
    }

    fn take(&mut self, world: &World, frame: &Frame) -> Result<(), String> {
        if !self.is_confused {
            self.note_ack(frame)?;
        }
        if frame.ack > self.acknowledged {
            self.acknowledged = frame.ack.min(self.stream.len() as u64);
            self.moved_ns = world.now_ns();
        }
        let Some(known) = (self.replies.len() as u64).checked_sub(frame.from) else {
            return Ok(());
        };
        let (old, new) = frame
            .bytes
            .split_at((known as usize).min(frame.bytes.len()));
        let from = frame.from as usize;
        if old != &self.replies[from..from + old.len()] && !self.is_confused {
            return Err(format!(
                "replies from byte {from} on are not what they were"
            ));
        }
        self.replies.extend_from_slice(new);
        if !new.is_empty() {
            self.moved_ns = world.now_ns();
        }
        while self.read_reply(world)? {}
        Ok(())
    }

    /// What an owner says that it has, no later one may lack.
    fn note_ack(&mut self, frame: &Frame) -> Result<(), String> {
        if frame.ack > self.stream.len() as u64 {
            return Err(format!(
                "{} bytes are acknowledged that were never sent",
                frame.ack
            ));
        }
        match self
            .acks
            .iter_mut()
            .find(|(epoch, ..)| *epoch == frame.epoch)
        {
            Some((_, least, most)) => {
                *least = frame.ack.min(*least);
                *most = frame.ack.max(*most);
            }
            None => self.acks.push((frame.epoch, frame.ack, frame.ack)),
        }
        let (epoch, ack) = (frame.epoch, frame.ack);
        let lost = self.acks.iter().find(|(other, least, most)| {
            (*other < epoch && *most > ack) || (*other > epoch && *least < ack)
        });
        match lost {
            None => Ok(()),
            Some((other, least, most)) => Err(format!(
                "epoch {epoch} has {ack} bytes of it, epoch {other} {least} to {most}: what was acknowledged is lost"
            )),
        }
    }

    /// Takes one reply, if it is there as a whole.
    fn read_reply(&mut self, world: &World) -> Result<bool, String> {
        let rest = &self.replies[self.read..];
        let Some(length) = reply_length(rest) else {
            return Ok(false);
        };
        let reply = rest[..length].to_vec();
        self.read += length;
        if self.is_confused {
            self.expected.pop_front();
            return Ok(true);
        }
        let said = String::from_utf8_lossy(&reply).into_owned();
        // Also what kills by chance alone: law 7 asks for one retry of what was in flight, whoever is to blame.
        let may_be_skipped = self.is_poisoned || world.oracle.deaths.get() > 1;
        if may_be_skipped && said.starts_with("-ERR skipped") {
            self.hang_up();
            return Ok(true);
        }
        let expected = self.expected.pop_front();
        match expected {
            None => return Err(format!("{said:?} answers nothing")),
            Some(Expected::Exact(bytes)) if bytes == reply => {}
            Some(Expected::Text) if said.starts_with('$') => {}
            Some(Expected::Anything) if said == "+OK\r\n" || said.starts_with('-') => {}
            Some(Expected::SharedCount) => self.count_shared(world, &said)?,
            Some(other) => return Err(format!("{said:?} where {other:?} must be")),
        }
        Ok(true)
    }

    fn count_shared(&mut self, world: &World, said: &str) -> Result<(), String> {
        let count: u64 = said
            .trim_start_matches(':')
            .trim_end()
            .parse()
            .map_err(|_| format!("{said:?} is no number"))?;
        if count <= self.shared_count {
            return Err(format!(
                "the shared count goes from {} to {count}",
                self.shared_count
            ));
        }
        self.shared_count = count;
        match world.oracle.shared_counts.borrow_mut().insert(count) {
            true => Ok(()),
            false => Err(format!("the shared count {count} was told twice")),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "client {}: {} of {} bytes acknowledged, {} bytes of replies, {} to come, the next one {:?}, {} commands to do",
            self.number,
            self.acknowledged,
            self.stream.len(),
            self.replies.len(),
            self.expected.len(),
            self.expected.front(),
            self.to_do
        )
    }
}
