//! A client and its connection: what it sends, what it was told, and what the primaries said they had.

use std::collections::VecDeque;
use std::fmt;

use super::reply::{Expected, reply_length};
use super::workload::Workload;
use crate::machine::MS;
use crate::machine::frame::Frame;
use crate::oracle::Law;
use crate::world::World;

/// Limit of the request bytes in a frame.
const FRAME_BYTES_MAX: usize = 700;
/// Time without an acknowledgement after which everything unacknowledged is sent again, in ns.
const RESEND_NS: u64 = 5 * MS;

/// A client and its one connection.
pub struct Client {
    number: usize,
    /// Number of commands still to begin.
    to_do: u32,
    workload: Workload,
    /// All requests made so far, as one stream.
    stream: Vec<u8>,
    /// Number of bytes of `stream` that the server has acknowledged.
    acknowledged: u64,
    /// When something was last sent or came, in ns.
    moved_ns: u64,
    /// All replies received so far, as one stream.
    replies: Vec<u8>,
    /// Number of bytes of `replies` that were checked.
    read: usize,
    /// What the replies to come must be.
    expected: VecDeque<Expected>,
    /// The last value of the shared count that it received.
    shared_count: u64,
    /// Per epoch: the lowest and the highest acknowledgement of its primary.
    acks: Vec<(u64, u64, u64)>,
    /// It sent a request that kills: a reply may say that this was skipped.
    is_poisoned: bool,
    /// The server closed the connection.
    is_hung_up: bool,
    /// It received something impossible: what it expects means nothing any more.
    is_confused: bool,
}

impl Client {
    /// Makes a client that will begin this many commands.
    pub fn new(number: usize, commands: u32) -> Self {
        Self {
            number,
            to_do: commands,
            workload: Workload::new(number),
            stream: Vec::new(),
            acknowledged: 0,
            moved_ns: 0,
            replies: Vec::new(),
            read: 0,
            expected: VecDeque::new(),
            shared_count: 0,
            acks: Vec::new(),
            is_poisoned: false,
            is_hung_up: false,
            is_confused: false,
        }
    }

    /// Returns whether it has every reply and no command left to begin.
    pub fn is_done(&self) -> bool {
        self.to_do == 0 && self.expected.is_empty() && self.acknowledged == self.stream.len() as u64
    }

    /// Begins commands if it may. Returns the frames to be sent.
    pub fn look(&mut self, world: &World) -> Vec<Frame> {
        let is_new = self.ask(world);
        self.frames(world, is_new)
    }

    /// Begins commands, up to the length of the pipeline. Returns whether it began any.
    fn ask(&mut self, world: &World) -> bool {
        let mut is_new = false;
        let window = world.scenario.pipeline as usize;
        let value_bytes_max = world.scenario.value_bytes_max;
        while self.to_do > 0 && self.expected.len() < window && !world.random.once_in(3) {
            self.to_do -= 1;
            let (words, expected) = self.workload.next(&world.random, value_bytes_max);
            self.request(&words, expected);
            is_new = true;
        }
        is_new
    }

    /// Adds a request that stops every kernel that applies it.
    pub fn poison(&mut self) {
        self.is_poisoned = true;
        self.request(&["DEBUG", "POISON"], Expected::Anything);
    }

    /// Gives up every open request, because the server closes the connection.
    fn hang_up(&mut self) {
        self.is_hung_up = true;
        self.to_do = 0;
        self.expected.clear();
        self.acknowledged = self.stream.len() as u64;
    }

    /// Adds a request for a switchover. It may be refused.
    pub fn switch_over(&mut self) {
        self.request(&["FAILOVER"], Expected::Anything);
    }

    fn request(&mut self, words: &[impl AsRef<str>], expected: Expected) {
        if self.is_hung_up {
            return;
        }
        self.stream
            .extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            let word = word.as_ref();
            let head = format!("${}\r\n{word}\r\n", word.len());
            self.stream.extend_from_slice(head.as_bytes());
        }
        self.expected.push_back(expected);
    }

    /// Returns everything unacknowledged, cut into frames, if some of it is new or the time to send again has come.
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
            let bytes = rest[..1 + world.random.below(most as u64) as usize].to_vec();
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

    /// Takes a frame and checks it. Returns the acknowledgement, if it brought bytes.
    pub fn receive(&mut self, world: &World, frame: &Frame) -> Option<Frame> {
        if let Err(law) = self.take(world, frame) {
            self.is_confused = true;
            world
                .oracle
                .missed(format!("client {}: {law}", self.number));
        }
        let end = self.stream.len() as u64;
        (!frame.bytes.is_empty()).then(|| self.frame(end, Vec::new()))
    }

    fn take(&mut self, world: &World, frame: &Frame) -> Law {
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

    /// Checks that no primary lacks what an earlier one has acknowledged.
    fn note_ack(&mut self, frame: &Frame) -> Law {
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

    /// Checks the next reply, if it is complete. Returns whether it was.
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
        // A request may also be skipped because two kernels died by chance while they applied it: law 7 allows one
        // retry only.
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

    fn count_shared(&mut self, world: &World, said: &str) -> Law {
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
        world.oracle.counts(count)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "client {}: {} of {} bytes acknowledged, {} bytes of replies, {} to come, the next one {:?}, \
             {} commands to do",
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
