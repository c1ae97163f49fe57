//! Clients that connect once and stay: whatever dies behind the service, they get every byte they are owed, in order, on the same connection.
//!
//! Every reply is known beforehand to the byte, so that one that is lost, doubled or moved is seen at once, and so is a command that is carried out twice.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::problem::Problem;

/// How long a client waits for anything; QEMU's user network, which speaks TCP with the guest, sends again after a second or more.
const PATIENCE: Duration = Duration::from_secs(20);
/// Commands that are sent at once.
const PIPELINE: u64 = 1000;
/// A large value, in bytes.
const LARGE_BYTES: usize = 1 << 20;
/// Large values that a slow reader asks for at once.
const UNREAD: usize = 4;
/// Between two looks of one that waits.
const LOOK: Duration = Duration::from_millis(5);

/// What a client does all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// One command, one reply.
    Chat,
    /// A thousand commands, a thousand replies.
    Pipeline,
    /// Values of 1 MiB there and back.
    Large,
    /// Nothing, until it is told to go on.
    Idle,
    /// It asks for some MiB, and does not read them until it is told to go on: the window is closed.
    SlowReader,
    /// It connects, asks, and hangs up, again and again. No connection of its own fails.
    Visitor,
}

impl Habit {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Chat,
        Self::Pipeline,
        Self::Large,
        Self::Idle,
        Self::SlowReader,
        Self::Visitor,
    ];
}

/// What a client is told, and whether it waits for that.
#[derive(Default)]
struct Word {
    go_on: AtomicBool,
    stop: AtomicBool,
    is_awaited: AtomicBool,
    has_ended: AtomicBool,
}

/// A client at work.
pub struct Steady {
    habit: Habit,
    word: Arc<Word>,
    rounds: Arc<AtomicU64>,
    thread: JoinHandle<Result<Duration, Problem>>,
}

impl Steady {
    /// Starts a client; `name` is in its keys.
    pub fn start(port: u16, habit: Habit, name: &str) -> Self {
        let (word, rounds) = (Arc::new(Word::default()), Arc::new(AtomicU64::new(0)));
        let mut work = Work {
            port,
            habit,
            name: name.to_owned(),
            stream: None,
            count: 0,
            word: word.clone(),
            rounds: rounds.clone(),
            last_reply: Instant::now(),
            longest_silence: Duration::ZERO,
        };
        let thread = thread::spawn(move || {
            let result = work.run();
            work.word.has_ended.store(true, Ordering::Relaxed);
            let reason = |reason| Problem::Failed(format!("{habit:?}: {reason}"));
            result.map(|()| work.longest_silence).map_err(reason)
        });
        Self {
            habit,
            word,
            rounds,
            thread,
        }
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
                    || client.word.is_awaited.load(Ordering::Relaxed)
                    || client.word.has_ended.load(Ordering::Relaxed)
            };
            while !is_there() {
                if Instant::now() >= deadline {
                    return Err(Problem::TimedOut(format!(
                        "{:?} has not done {count} rounds within {limit:.1?}",
                        client.habit
                    )));
                }
                thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// Tells a client that waits to go on.
    pub fn go_on(&self) {
        self.word.go_on.store(true, Ordering::Relaxed);
    }

    /// Lets the client finish its round. Returns the longest time for which it waited for a reply.
    ///
    /// # Errors
    /// Its connection failed, or something came that is not what it was owed.
    pub fn finish(self) -> Result<Duration, Problem> {
        self.go_on();
        self.word.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| Problem::BrokenSetUp("a client panicked".into()))?
    }
}

struct Work {
    port: u16,
    habit: Habit,
    name: String,
    stream: Option<TcpStream>,
    /// Of increments.
    count: u64,
    word: Arc<Word>,
    rounds: Arc<AtomicU64>,
    last_reply: Instant,
    longest_silence: Duration,
}

impl Work {
    fn run(&mut self) -> Result<(), String> {
        // The one connection; a visitor makes one for every round.
        self.connect()?;
        let value = self.large_value();
        let key = format!("{}:large", self.name);
        if self.habit == Habit::SlowReader {
            self.exchange(&command(&[b"SET", key.as_bytes(), &value]), b"+OK\r\n")?;
        }
        loop {
            self.round(&key, &value)?;
            self.rounds.fetch_add(1, Ordering::Relaxed);
            if self.word.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn round(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let count = self.rounds.load(Ordering::Relaxed);
        match self.habit {
            Habit::Chat => self.increments(1),
            Habit::Pipeline => self.increments(PIPELINE),
            Habit::Large => {
                self.exchange(&command(&[b"SET", key.as_bytes(), value]), b"+OK\r\n")?;
                self.exchange(&command(&[b"GET", key.as_bytes()]), &bulk(value))
            }
            Habit::Idle => {
                let text = format!("{} {count}", self.name);
                self.exchange(
                    &command(&[b"ECHO", text.as_bytes()]),
                    &bulk(text.as_bytes()),
                )?;
                self.wait_for_word();
                Ok(())
            }
            Habit::SlowReader => {
                self.send(&command(&[b"GET", key.as_bytes()]).repeat(UNREAD))?;
                self.wait_for_word();
                self.last_reply = Instant::now();
                self.receive(&bulk(value).repeat(UNREAD))
            }
            Habit::Visitor => {
                let text = format!("{} {count}", self.name);
                self.send(&command(&[b"ECHO", text.as_bytes()]))?;
                self.send(&command(&[b"QUIT"]))?;
                self.receive(&[&bulk(text.as_bytes())[..], b"+OK\r\n"].concat())?;
                self.expect_end()?;
                self.connect()
            }
        }
    }

    fn connect(&mut self) -> Result<(), String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(stream)
            })
            .map_err(|error| format!("it cannot connect: {error}"))?;
        self.stream = Some(stream);
        self.last_reply = Instant::now();
        Ok(())
    }

    /// So many increments at once, each of which must be carried out once.
    fn increments(&mut self, count: u64) -> Result<(), String> {
        let key = format!("{}:count", self.name);
        let commands = command(&[b"INCR", key.as_bytes()]).repeat(count as usize);
        let mut replies = Vec::new();
        for _ in 0..count {
            self.count += 1;
            replies.extend_from_slice(format!(":{}\r\n", self.count).as_bytes());
        }
        self.exchange(&commands, &replies)
    }

    fn exchange(&mut self, commands: &[u8], replies: &[u8]) -> Result<(), String> {
        self.last_reply = Instant::now();
        self.send(commands)?;
        self.receive(replies)
    }

    fn stream(&mut self) -> Result<&mut TcpStream, String> {
        self.stream
            .as_mut()
            .ok_or_else(|| "there is no connection".into())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = self.stream()?.write_all(bytes);
        sent.map_err(|error| format!("it cannot send: {error}"))
    }

    /// Reads exactly `expected`.
    fn receive(&mut self, mut expected: &[u8]) -> Result<(), String> {
        let mut buffer = [0; 16 << 10];
        while !expected.is_empty() {
            let room = expected.len().min(buffer.len());
            let count = self
                .stream()?
                .read(&mut buffer[..room])
                .map_err(|error| format!("it cannot receive: {error}"))?;
            if count == 0 {
                return Err(format!(
                    "the connection ends, {} bytes early",
                    expected.len()
                ));
            }
            let (now, later) = expected.split_at(count);
            if buffer[..count] != *now {
                return Err(format!(
                    "{:?} came instead of {:?}",
                    text(&buffer[..count]),
                    text(now)
                ));
            }
            expected = later;
            let silence = self.last_reply.elapsed();
            self.longest_silence = self.longest_silence.max(silence);
            self.last_reply = Instant::now();
        }
        Ok(())
    }

    fn expect_end(&mut self) -> Result<(), String> {
        match self.stream()?.read(&mut [0; 1]) {
            Ok(0) => Ok(()),
            Ok(_) => Err("more came after the end".into()),
            Err(error) => Err(format!("the connection does not end in order: {error}")),
        }
    }

    fn wait_for_word(&self) {
        self.word.is_awaited.store(true, Ordering::Relaxed);
        while !self.word.go_on.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
        self.word.is_awaited.store(false, Ordering::Relaxed);
    }

    /// Bytes of which no two parts are the same.
    fn large_value(&self) -> Vec<u8> {
        let seed = self.name.bytes().fold(1_u64, |seed, byte| {
            seed.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        (0..LARGE_BYTES as u64)
            .map(|index| {
                (index
                    .wrapping_mul(seed | 1)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    >> 56) as u8
            })
            .collect()
    }
}

/// A command in RESP2.
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned()
}
