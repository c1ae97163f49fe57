//! A client that writes without end, keeps a ledger, and goes on when the kernel behind its service is another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::http::{self, HttpReply};
use super::ledger::{self, FileLedger, FileStore};
use crate::problem::Problem;

/// How long it waits for an acknowledgement: an fsync takes milliseconds, and more on a busy host.
const PATIENCE: Duration = Duration::from_millis(500);

/// Between two writes: a guest under translation has more to do than to serve this client.
const PAUSE: Duration = Duration::from_millis(5);

/// Lines of a file; then the next one is begun. New files and old ones fail in different ways.
const LINES_PER_FILE: u64 = 4;

/// One of so many writes goes to the RAM disk.
const PUT_EVERY: u64 = 4;

/// Blocks of the RAM disk that are written in turn.
const BLOCKS: u64 = 40;

/// How long reading back may take.
const AUDIT_PATIENCE: Duration = Duration::from_secs(10);

/// A client at work; dropping the value ends it.
pub struct FileWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<FileLedger>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    longest_silence_ms: AtomicU64,
}

/// What a client writes to.
#[derive(Clone, Copy, Debug)]
struct Share {
    /// Its files are this one, and every so many from there.
    first_file: u64,
    step: u64,
    /// Whether it writes to the RAM disk, too.
    has_ram_disk: bool,
    pause: Duration,
}

impl Share {
    /// Everything, as fast as a guest can bear.
    const WHOLE: Self = Self {
        first_file: 0,
        step: 1,
        has_ram_disk: true,
        pause: PAUSE,
    };
}

impl FileWriter {
    /// Starts to write to the service behind a port of this host.
    pub fn start(port: u16) -> Self {
        Self::of(port, Share::WHOLE)
    }

    /// Starts to write to one of several `disks`: a guest keeps file `n` on disk `n % disks`.
    pub fn on_disk(port: u16, disk: u64, disks: u64) -> Self {
        let share = Share {
            first_file: disk,
            step: disks,
            has_ram_disk: false,
            pause: PAUSE * disks as u32,
        };
        Self::of(port, share)
    }

    fn of(port: u16, share: Share) -> Self {
        let shared = Arc::new(Shared::default());
        let worker = Worker {
            port,
            share,
            ledger: FileLedger::default(),
            place: 0,
        };
        let thread = thread::spawn({
            let shared = shared.clone();
            move || worker.run(&shared)
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// Waits until `count` more writes than now are acknowledged.
    ///
    /// # Errors
    /// They are not within `limit`.
    pub fn wait_more(&self, count: u64, limit: Duration) -> Result<(), Problem> {
        let deadline = Instant::now() + limit;
        let goal = self.acknowledged() + count;
        while self.acknowledged() < goal {
            if Instant::now() >= deadline {
                return Err(Problem::TimedOut(format!(
                    "{} of {count} writes not acknowledged within {limit:.1?}",
                    goal - self.acknowledged()
                )));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Returns the longest time between two acknowledgements.
    pub fn longest_silence(&self) -> Duration {
        Duration::from_millis(self.shared.longest_silence_ms.load(Ordering::Relaxed))
    }

    /// Returns how many writes are acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends the client, and returns its ledger.
    ///
    /// # Errors
    /// It has panicked.
    pub fn finish(mut self) -> Result<FileLedger, Problem> {
        self.stop()
            .ok_or_else(|| Problem::BrokenSetUp("the writing client panicked".into()))
    }

    fn stop(&mut self) -> Option<FileLedger> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    port: u16,
    share: Share,
    ledger: FileLedger,
    place: u64,
}

impl Worker {
    fn run(mut self, shared: &Shared) -> FileLedger {
        let mut last = Instant::now();
        for number in 0.. {
            if shared.is_over.load(Ordering::Relaxed) {
                break;
            }
            let is_kept = match number % PUT_EVERY {
                0 if self.share.has_ram_disk => self.put(number / PUT_EVERY % BLOCKS),
                _ => self.append(),
            };
            if is_kept {
                shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                let silence_ms = last.elapsed().as_millis() as u64;
                shared
                    .longest_silence_ms
                    .fetch_max(silence_ms, Ordering::Relaxed);
                last = Instant::now();
            }
            thread::sleep(self.share.pause);
        }
        self.ledger
    }

    /// Appends a line. After a file that is in doubt or full comes the next file.
    fn append(&mut self) -> bool {
        let index = self.place / LINES_PER_FILE;
        let file = self.share.first_file + index * self.share.step;
        let Some(line) = self.ledger.append(file) else {
            return false;
        };
        let is_kept = self.send("POST", &format!("/append?file={file}"), line.as_bytes());
        if is_kept {
            self.ledger.appended(file);
            self.place += 1;
        } else {
            self.place = (index + 1) * LINES_PER_FILE;
        }
        is_kept
    }

    fn put(&mut self, number: u64) -> bool {
        let Some(bytes) = self.ledger.put(number) else {
            return false;
        };
        let at = ledger::place(number);
        let is_kept = self.send("PUT", &format!("/dax?at={at}"), &bytes);
        if is_kept {
            self.ledger.has_put(number);
        }
        is_kept
    }

    fn send(&self, method: &str, target: &str, body: &[u8]) -> bool {
        http::request(self.port, method, target, body, PATIENCE)
            .is_ok_and(|reply| reply.status == 200)
    }
}

/// The service behind a port of this host, as a store.
pub struct HttpStore {
    /// The port.
    pub port: u16,
}

impl HttpStore {
    fn get(&self, target: &str, absent: u16) -> Result<Option<Vec<u8>>, Problem> {
        let failed = |text: String| Problem::Failed(format!("taking stock: GET {target}: {text}"));
        let HttpReply { status, body } =
            http::request(self.port, "GET", target, b"", AUDIT_PATIENCE)
                .map_err(|error| failed(error.to_string()))?;
        match status {
            200 => Ok(Some(body)),
            other if other == absent => Ok(None),
            other => Err(failed(format!(
                "{other} {}",
                String::from_utf8_lossy(&body).trim()
            ))),
        }
    }
}

impl FileStore for HttpStore {
    fn file(&mut self, number: u64) -> Result<Option<Vec<u8>>, Problem> {
        self.get(&format!("/file?file={number}"), 404)
    }

    fn bytes(&mut self, at: u64, length: usize) -> Result<Option<Vec<u8>>, Problem> {
        self.get(&format!("/dax?at={at}&len={length}"), 416)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    /// A service like the guest's. It forgets every fifth write, and does not answer it.
    #[derive(Default)]
    struct Forgetful {
        files: BTreeMap<String, Vec<u8>>,
        ram: Vec<u8>,
        writes: u32,
        forgotten_acknowledged: bool,
    }

    impl Forgetful {
        fn serve(mut self, listener: &TcpListener) {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (head, body) = receive(&mut stream);
                let words: Vec<&str> = head.split([' ', '?', '=', '&']).collect();
                let reply = match words[..] {
                    ["QUIT", ..] => return,
                    ["GET", "/file", _, file, ..] => self.files.get(file).cloned(),
                    ["GET", "/dax", _, at, _, length, ..] => {
                        let (at, length) = (number(at), number(length));
                        self.ram.get(at..at + length).map(<[u8]>::to_vec)
                    }
                    _ => self.write(&words, &body),
                };
                let absent = if words[1] == "/dax" { 416 } else { 404 };
                let status = if reply.is_some() { 200 } else { absent };
                let body = reply.unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            }
        }

        fn write(&mut self, words: &[&str], body: &[u8]) -> Option<Vec<u8>> {
            self.writes += 1;
            let is_forgotten = self.writes.is_multiple_of(5);
            match words[..] {
                _ if is_forgotten => {}
                ["POST", "/append", _, file, ..] => {
                    let file = self.files.entry(file.into()).or_default();
                    file.extend([body, b"\n"].concat());
                }
                ["PUT", "/dax", _, at, ..] => {
                    let at = number(at);
                    self.ram.resize(self.ram.len().max(at + body.len()), 0);
                    self.ram[at..at + body.len()].copy_from_slice(body);
                }
                _ => panic!("{words:?}"),
            }
            (self.forgotten_acknowledged || !is_forgotten).then(Vec::new)
        }
    }

    fn number(text: &str) -> usize {
        text.parse().unwrap()
    }

    fn receive(stream: &mut TcpStream) -> (String, Vec<u8>) {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let count = stream.read(&mut chunk).unwrap();
            bytes.extend_from_slice(&chunk[..count]);
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            let Some(end) = end else { continue };
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let (_, length) = head.rsplit_once(' ').unwrap();
            if bytes.len() == end + 4 + number(length) {
                return (head, bytes[end + 4..].to_vec());
            }
        }
    }

    fn audit_of(service: Forgetful, writes: u64) -> ledger::FileAudit {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::scope(|scope| {
            scope.spawn(|| service.serve(&listener));
            let writer = FileWriter::start(port);
            writer.wait_more(writes, Duration::from_secs(20)).unwrap();
            let ledger = writer.finish().unwrap();
            let audit = ledger.audit(&mut HttpStore { port }).unwrap();
            let _ = http::request(port, "QUIT", "/", b"", AUDIT_PATIENCE);
            audit
        })
    }

    #[test]
    fn only_what_was_acknowledged_is_asked_for() {
        let audit = audit_of(Forgetful::default(), 60);
        assert!(audit.is_clean(), "{audit}");
        assert!(
            audit.lines_acked >= 40 && audit.ram_bytes_acked > 0,
            "{audit}"
        );
    }

    #[test]
    fn a_client_of_one_disk_keeps_to_its_files() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::scope(|scope| {
            let service = scope.spawn(|| {
                let mut files = Vec::new();
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    let (head, _) = receive(&mut stream);
                    let _ = stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n");
                    let words: Vec<&str> = head.split([' ', '?', '=']).collect();
                    match words[..] {
                        ["POST", "/append", _, file, ..] => files.push(number(file)),
                        _ => return files,
                    }
                }
                files
            });
            let writer = FileWriter::on_disk(port, 1, 3);
            writer.wait_more(9, Duration::from_secs(20)).unwrap();
            writer.finish().unwrap();
            let _ = http::request(port, "QUIT", "/", b"", AUDIT_PATIENCE);
            let files = service.join().unwrap();
            assert_eq!(files[..9], [1, 1, 1, 1, 4, 4, 4, 4, 7]);
        });
    }

    #[test]
    fn what_was_acknowledged_and_forgotten_is_found() {
        let service = Forgetful {
            forgotten_acknowledged: true,
            ..Forgetful::default()
        };
        let audit = audit_of(service, 60);
        assert!(audit.files_lost > 0, "{audit}");
    }
}
