//! The work of a steady client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::checksums::Checksums;
use super::connection::{ClientFailure, SteadyConnection};
use super::control::{Control, POLL_INTERVAL};
use super::workload::{ClientReport, Workload};
use crate::random::Random;

/// Commands that are sent at once.
const PIPELINE: u64 = 1000;
/// A large value, in bytes.
const LARGE_BYTES: usize = 1 << 20;
/// Large values that a slow reader asks for at once.
const UNREAD: usize = 4;
/// Most pieces of a value that are sent at once, ...
const PIECES_MAX: u64 = 8;
/// ... and most bytes of a piece.
const PIECE_BYTES_MAX: u64 = 3000;

/// A client's work, and how far it has come.
pub(super) struct Worker {
    port: u16,
    workload: Workload,
    name: String,
    control: Arc<Control>,
    rounds: Arc<AtomicU64>,
    /// Of increments.
    count: u64,
    checksums: Checksums,
    longest_silence: Duration,
}

impl Worker {
    pub(super) fn new(
        port: u16,
        workload: Workload,
        name: &str,
        control: Arc<Control>,
        rounds: Arc<AtomicU64>,
    ) -> Self {
        Self {
            port,
            workload,
            name: name.to_owned(),
            control,
            rounds,
            count: 0,
            checksums: Checksums::default(),
            longest_silence: Duration::ZERO,
        }
    }

    /// Works until the client is told to stop, or something goes wrong.
    pub(super) fn run(mut self) -> ClientReport {
        let trouble = self.work().err();
        ClientReport {
            rounds: self.rounds.load(Ordering::Relaxed),
            longest_silence: self.longest_silence,
            checksums: (self.workload == Workload::Checksum).then_some(self.checksums),
            trouble,
        }
    }

    fn work(&mut self) -> Result<(), ClientFailure> {
        // The one connection; a visitor makes one for every round.
        let mut line = SteadyConnection::open(self.port)?;
        let value = self.large_value();
        let key = format!("{}:large", self.name);
        if self.workload == Workload::SlowReader {
            let set = command(&[b"SET", key.as_bytes(), &value]);
            self.exchange(&mut line, &set, b"+OK\r\n")?;
        }
        loop {
            self.round(&mut line, &key, &value)?;
            self.rounds.fetch_add(1, Ordering::Relaxed);
            if self.control.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn round(
        &mut self,
        line: &mut SteadyConnection,
        key: &str,
        value: &[u8],
    ) -> Result<(), ClientFailure> {
        let count = self.rounds.load(Ordering::Relaxed);
        let text = format!("{} {count}", self.name);
        let get = command(&[b"GET", key.as_bytes()]);
        let echo = command(&[b"ECHO", text.as_bytes()]);
        match self.workload {
            Workload::Chat => self.increments(line, 1),
            Workload::Pipeline => self.increments(line, PIPELINE),
            Workload::Large => {
                let set = command(&[b"SET", key.as_bytes(), value]);
                self.exchange(line, &set, b"+OK\r\n")?;
                self.exchange(line, &get, &bulk(value))
            }
            Workload::Checksum => self.there_and_back(line),
            Workload::Idle => {
                self.exchange(line, &echo, &bulk(text.as_bytes()))?;
                self.wait_for_go();
                Ok(())
            }
            Workload::SlowReader => {
                line.send(&get.repeat(UNREAD))?;
                self.wait_for_go();
                line.begin_to_wait();
                self.receive(line, &bulk(value).repeat(UNREAD))
            }
            Workload::Visitor => {
                line.send(&echo)?;
                line.send(&command(&[b"QUIT"]))?;
                self.receive(line, &[&bulk(text.as_bytes())[..], b"+OK\r\n"].concat())?;
                line.expect_end()?;
                *line = SteadyConnection::open(self.port)?;
                Ok(())
            }
        }
    }

    /// Sends `count` increments at once; each must be executed once.
    fn increments(&mut self, line: &mut SteadyConnection, count: u64) -> Result<(), ClientFailure> {
        let key = format!("{}:count", self.name);
        let commands = command(&[b"INCR", key.as_bytes()]).repeat(count as usize);
        let mut replies = Vec::new();
        for _ in 0..count {
            self.count += 1;
            replies.extend_from_slice(format!(":{}\r\n", self.count).as_bytes());
        }
        self.exchange(line, &commands, &replies)
    }

    /// Has the service append some pieces to a value, and reads the value back. Only the checksum of its content is
    /// compared.
    fn there_and_back(&mut self, line: &mut SteadyConnection) -> Result<(), ClientFailure> {
        let key = format!("{}:sum", self.name);
        let mut random = Random::new(self.checksums.seed());
        let (mut commands, mut replies, mut length) = (Vec::new(), Vec::new(), 0);
        for _ in 0..=random.below(PIECES_MAX) {
            let bytes = 1 + random.below(PIECE_BYTES_MAX);
            let piece = random.bytes(bytes);
            self.checksums.send(&piece);
            length += piece.len();
            commands.extend(command(&[b"APPEND", key.as_bytes(), &piece]));
            replies.extend_from_slice(format!(":{length}\r\n").as_bytes());
        }
        commands.extend(command(&[b"GETSET", key.as_bytes(), b""]));
        replies.extend_from_slice(format!("${length}\r\n").as_bytes());
        self.exchange(line, &commands, &replies)?;
        let checksums = &mut self.checksums;
        let silence = line.take(length, |bytes| {
            checksums.receive(bytes);
            Ok(())
        })?;
        self.longest_silence = self.longest_silence.max(silence);
        self.receive(line, b"\r\n")?;
        match self.checksums.agree() {
            true => Ok(()),
            false => Err(ClientFailure::Lost(format!(
                "checksums: {:?}",
                self.checksums
            ))),
        }
    }

    fn exchange(
        &mut self,
        line: &mut SteadyConnection,
        commands: &[u8],
        replies: &[u8],
    ) -> Result<(), ClientFailure> {
        line.begin_to_wait();
        line.send(commands)?;
        self.receive(line, replies)
    }

    fn receive(
        &mut self,
        line: &mut SteadyConnection,
        expected: &[u8],
    ) -> Result<(), ClientFailure> {
        let silence = line.receive(expected)?;
        self.longest_silence = self.longest_silence.max(silence);
        Ok(())
    }

    fn wait_for_go(&self) {
        self.control.is_waiting.store(true, Ordering::Relaxed);
        while !self.control.go_on.load(Ordering::Relaxed) {
            thread::sleep(POLL_INTERVAL);
        }
        self.control.is_waiting.store(false, Ordering::Relaxed);
    }

    /// Makes a value of which no two parts are the same.
    fn large_value(&self) -> Vec<u8> {
        let seed = self.name.bytes().fold(1_u64, |seed, byte| {
            seed.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Random::new(seed).bytes(LARGE_BYTES as u64)
    }
}

/// Encodes a command in RESP2.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| bytes.extend(bulk(word)));
    bytes
}

fn bulk(content: &[u8]) -> Vec<u8> {
    [
        format!("${}\r\n", content.len()).as_bytes(),
        content,
        b"\r\n",
    ]
    .concat()
}
