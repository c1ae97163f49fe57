//! QEMU's control channel (QMP): lines of JSON over a socket, as much of it as the harness needs.

use std::io::{BufRead, BufReader, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use partition::range::Range;
use serde_json::{Value, json};

use crate::problem::Problem;

/// An answer takes no longer than this from a QEMU that is well.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The part of CR3 that is an address (Intel SDM vol. 3A, 4.5); the others are a process-context identifier and flags.
const PAGE_TABLE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// A connection to one QEMU.
pub struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects to the abstract socket `name`, waiting for QEMU to make it.
    ///
    /// # Errors
    /// It is not there within `limit`, or speaks something else.
    pub fn connect(name: &str, limit: Duration) -> Result<Self, Problem> {
        let deadline = Instant::now() + limit;
        let address = SocketAddr::from_abstract_name(name).map_err(broken)?;
        let stream = loop {
            match UnixStream::connect_addr(&address) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= deadline => return Err(broken(error)),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        };
        Self::greet(stream)
    }

    fn greet(stream: UnixStream) -> Result<Self, Problem> {
        stream
            .set_read_timeout(Some(ANSWER_LIMIT))
            .map_err(broken)?;
        stream
            .set_write_timeout(Some(ANSWER_LIMIT))
            .map_err(broken)?;
        let mut qmp = Self {
            stream: BufReader::new(stream),
        };
        let greeting = qmp.read()?;
        if greeting.get("QMP").is_none() {
            return Err(broken(format!("greets with {greeting}")));
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Executes a command, and returns the answer.
    ///
    /// # Errors
    /// QEMU refuses the command, or is gone.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, Problem> {
        let mut request = json!({ "execute": command, "arguments": arguments }).to_string();
        request.push('\n');
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .map_err(broken)?;
        loop {
            let mut answer = self.read()?;
            if let Some(error) = answer.get("error") {
                return Err(broken(format!("{command}: {error}")));
            }
            // Anything else without an answer in it is an event.
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    /// Returns what QEMU says the machine is doing: `running`, `paused`, ...
    ///
    /// # Errors
    /// As [`execute`](Self::execute); so for the others.
    pub fn status(&mut self) -> Result<String, Problem> {
        let answer = self.execute("query-status", json!({}))?;
        Ok(answer["status"].as_str().unwrap_or_default().into())
    }

    /// Stops all CPUs of the machine, and its time.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn pause(&mut self) -> Result<(), Problem> {
        self.execute("stop", json!({})).map(drop)
    }

    /// Lets a paused machine go on.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn resume(&mut self) -> Result<(), Problem> {
        self.execute("cont", json!({})).map(drop)
    }

    /// Presses keys of the keyboard, all at once.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn press(&mut self, keys: &[&str]) -> Result<(), Problem> {
        let keys: Vec<Value> = keys
            .iter()
            .map(|key| json!({ "type": "qcode", "data": key }))
            .collect();
        self.execute("send-key", json!({ "keys": keys })).map(drop)
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn reset(&mut self) -> Result<(), Problem> {
        self.execute("system_reset", json!({})).map(drop)
    }

    /// Ends QEMU.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn quit(&mut self) -> Result<(), Problem> {
        self.execute("quit", json!({})).map(drop)
    }

    /// Returns the host's port that is forwarded to the guest.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), or there is none.
    pub fn forwarded_port(&mut self, guest_port: Option<u16>) -> Result<u16, Problem> {
        let ports = self.forwarded_ports(guest_port)?;
        let first = ports.first().copied();
        first.ok_or_else(|| broken(format!("no port leads to {guest_port:?} of the guest")))
    }

    /// Returns all ports of the host that are forwarded to the guest.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn forwarded_ports(&mut self, guest_port: Option<u16>) -> Result<Vec<u16>, Problem> {
        let answer = self.execute(
            "human-monitor-command",
            json!({ "command-line": "info usernet" }),
        )?;
        let text = answer.as_str().unwrap_or_default();
        Ok(forwarded_ports(text, guest_port))
    }

    /// Returns the physical address of each CPU's page table.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn page_tables(&mut self) -> Result<Vec<u64>, Problem> {
        let answer = self.execute(
            "human-monitor-command",
            json!({ "command-line": "info registers -a" }),
        )?;
        Ok(page_tables(answer.as_str().unwrap_or_default()))
    }

    /// Has a range of the machine's physical memory written to a file, while the machine runs on.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), or the file cannot be written.
    pub fn save_memory(&mut self, range: Range, path: &Path) -> Result<(), Problem> {
        let arguments =
            json!({ "val": range.start, "size": range.len(), "filename": path.to_string_lossy() });
        self.execute("pmemsave", arguments).map(drop)
    }

    /// Returns whether a driver has taken the first virtio device whose name has `kind` in it (virtio 1.2, section
    /// 2.1).
    ///
    /// # Errors
    /// As [`execute`](Self::execute), or there is no such device.
    pub fn is_virtio_driven(&mut self, kind: &str) -> Result<bool, Problem> {
        let devices = self.execute("x-query-virtio", json!({}))?;
        let paths = devices.as_array().into_iter().flatten();
        let path = paths
            .filter(|device| device["name"].as_str().is_some_and(|it| it.contains(kind)))
            .find_map(|device| device["path"].as_str());
        let path = path.ok_or_else(|| broken(format!("there is no virtio device {kind}")))?;
        let answer = self.execute(
            "human-monitor-command",
            json!({ "command-line": format!("info virtio-status {path}") }),
        )?;
        Ok(answer.as_str().is_some_and(|text| text.contains("DRIVER")))
    }

    /// Has a picture of the machine's screen written to a file, a portable pixmap.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), or the file cannot be written.
    pub fn screenshot(&mut self, path: &Path) -> Result<(), Problem> {
        let arguments = json!({ "filename": path.to_string_lossy() });
        self.execute("screendump", arguments).map(drop)
    }

    fn read(&mut self) -> Result<Value, Problem> {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).map_err(broken)?;
        if length == 0 {
            return Err(broken("QEMU has hung up"));
        }
        serde_json::from_str(&line).map_err(broken)
    }
}

fn broken(error: impl std::fmt::Display) -> Problem {
    Problem::of_host("QMP", error)
}

/// Finds the ports in QEMU's table of user-network connections: `TCP[HOST_FORWARD] fd address port address port ...`.
fn forwarded_ports(table: &str, guest_port: Option<u16>) -> Vec<u16> {
    let rows = table.lines().filter(|line| line.contains("HOST_FORWARD"));
    let ports = rows.filter_map(|row| {
        let mut words = row.split_whitespace().skip(3);
        Some((
            words.next()?.parse().ok()?,
            words.nth(1)?.parse::<u16>().ok(),
        ))
    });
    let ports = ports.filter(|(host, guest)| {
        *host != 0 && guest_port.is_none_or(|wanted| *guest == Some(wanted))
    });
    ports.map(|(host, _)| host).collect()
}

/// Reads the page tables' addresses in QEMU's dump of all CPUs' registers: `CR0=... CR2=... CR3=... CR4=...` for each
/// CPU. The low bits are no part of the address.
fn page_tables(dump: &str) -> Vec<u64> {
    let words = dump.split_whitespace();
    words
        .filter_map(|word| u64::from_str_radix(word.strip_prefix("CR3=")?, 16).ok())
        .map(|register| register & PAGE_TABLE_ADDRESS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forwarded_ports_are_found() {
        let table = "Hub -1 (n0):\r\n  \
                     Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
                     TCP[HOST_FORWARD]   8       127.0.0.1 45667       10.0.2.15  6379     0     0\r\n";
        assert_eq!(forwarded_ports(table, None), [45667]);
        let two = format!("{table}TCP[HOST_FORWARD] 9 127.0.0.1 4000 10.0.2.15 80 0 0\r\n");
        assert_eq!(forwarded_ports(&two, None), [45667, 4000]);
        assert_eq!(forwarded_ports(&two, Some(80)), [4000]);
        for none in [
            "TCP[HOST_FORWARD] 8 127.0.0.1 0 x 1",
            "TCP[ESTABLISHED] 8 127.0.0.1 7 x 1",
        ] {
            assert_eq!(forwarded_ports(none, None), [0; 0], "{none}");
        }
        assert_eq!(forwarded_ports(&two, Some(81)), [0; 0]);
    }

    #[test]
    fn every_cpus_page_table_is_found() {
        let dump = "\r\nCPU#0\r\nRAX=0000000000000001 RBX=00000000CR3=\r\n\
            CR0=80050033 CR2=00007f15 CR3=000000000034a000 CR4=00040ee0\r\n\
            \r\nCPU#1\r\nCR0=80050033 CR2=00007f15 CR3=800000000c1b4802 CR4=00040ee0\r\n";
        assert_eq!(page_tables(dump), [0x34a000, 0xc1b4000]);
        assert!(page_tables("").is_empty());
    }

    /// Plays a QEMU that reads `requests` lines and answers with `answers` at once.
    fn fake(answers: &str, requests: usize) -> (UnixStream, thread::JoinHandle<Vec<Value>>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (&theirs).write_all(answers.as_bytes()).unwrap();
        let reader = thread::spawn(move || {
            let lines = BufReader::new(theirs).lines().take(requests);
            lines
                .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
                .collect()
        });
        (ours, reader)
    }

    #[test]
    fn events_are_passed_over_and_refusals_reported() {
        let answers = r#"{"QMP": {"capabilities": []}}
{"return": {}}
{"event": "RESUME", "data": {}}
{"return": {"status": "paused"}}
{"error": {"class": "GenericError", "desc": "no"}}
"#;
        let (stream, requests) = fake(answers, 3);
        let mut qmp = Qmp::greet(stream).unwrap();
        assert_eq!(qmp.status(), Ok("paused".into()));
        assert!(qmp.pause().unwrap_err().text().contains("stop: "));
        let sent: Vec<Value> = requests.join().unwrap();
        let commands: Vec<&str> = sent
            .iter()
            .map(|request| request["execute"].as_str().unwrap())
            .collect();
        assert_eq!(commands, ["qmp_capabilities", "query-status", "stop"]);
        assert!(qmp.resume().is_err());
    }

    #[test]
    fn what_is_no_qemu_is_refused() {
        let (stream, _requests) = fake("{\"hello\": 1}\n", 0);
        assert!(Qmp::greet(stream).is_err());
        assert!(Qmp::connect("understudy-nobody-is-here", Duration::from_millis(20)).is_err());
    }
}
