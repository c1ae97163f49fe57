//! Two Redis servers and three sentinels, as processes of this host, by
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::client::{self, ONE_OF_MANY};
use harness::files;
use harness::problem::{Problem, require};
use harness::writer::FindPort;
use redis::RedisResult;
use tempfile::TempDir;

use crate::{Cause, Peer};

/// What the sentinels call the pair.
const GROUP: &str = "pair";

/// Sentinels that have to agree on a death, of three.
const QUORUM: usize = 2;

/// Until all know each other. A sentinel asks its master every ten seconds.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at what starts.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The processes, with their configuration.
pub struct Sentinel {
    servers: Vec<Server>,
    sentinels: Vec<Server>,
    down_after: Duration,
    /// Holds their files.
    _place: TempDir,
}

impl Sentinel {
    /// Starts them with `program`, a `redis-server`, and waits until all know each other. A server counts as dead when
    /// it was silent for `down_after`.
    ///
    /// # Errors
    /// The program is missing, or they do not come up.
    pub fn start(program: &Path, down_after: Duration) -> Result<Self, Problem> {
        let place = tempfile::tempdir().map_err(|error| Problem::of_host("a directory", error))?;
        let ports = free_ports(5)?;
        let [master, replica, ..] = ports[..] else {
            return Err(Problem::BrokenSetUp("no ports are free".into()));
        };
        let mut pair = Self {
            servers: Vec::new(),
            sentinels: Vec::new(),
            down_after,
            _place: place,
        };
        let place = pair._place.path().to_path_buf();
        let following = format!("replicaof 127.0.0.1 {master}\n");
        for (port, more) in [(master, ""), (replica, following.as_str())] {
            // Nothing is written to a disk: the second server is the copy.
            let text = format!("save \"\"\nappendonly no\n{more}");
            pair.servers
                .push(Server::start(program, &place, port, &text, &[])?);
        }
        let down_after_ms = down_after.as_millis();
        for port in &ports[2..] {
            let text = format!(
                "sentinel monitor {GROUP} 127.0.0.1 {master} {QUORUM}\nsentinel down-after-milliseconds {GROUP} \
                 {down_after_ms}\nsentinel failover-timeout {GROUP} {}\n",
                3 * down_after_ms
            );
            let server = Server::start(program, &place, *port, &text, &["--sentinel"])?;
            pair.sentinels.push(server);
        }
        pair.wait_until_all_know_each_other()?;
        Ok(pair)
    }

    fn wait_until_all_know_each_other(&self) -> Result<(), Problem> {
        let deadline = Instant::now() + START_LIMIT;
        let knows_all = |sentinel: &Server| {
            let info: RedisResult<String> = sentinel.ask("INFO sentinel");
            info.is_ok_and(|info| info.contains("slaves=1,sentinels=3"))
        };
        let is_copied = || {
            let info: RedisResult<String> = self.servers[1].ask("INFO replication");
            info.is_ok_and(|info| info.contains("master_link_status:up"))
        };
        while !(is_copied() && self.sentinels.iter().all(knows_all)) {
            require(Instant::now() < deadline, || {
                format!("servers and sentinels do not know each other after {START_LIMIT:?}")
            })?;
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn sentinel_ports(&self) -> Vec<u16> {
        self.sentinels
            .iter()
            .map(|sentinel| sentinel.port)
            .collect()
    }
}

impl Peer for Sentinel {
    fn name(&self) -> String {
        let mut name = String::from("redis + 3 sentinels");
        let _ = write!(name, " (down after {} ms)", self.down_after.as_millis());
        name
    }

    fn runs_on(&self) -> &'static str {
        "processes of the host"
    }

    /// Asks the sentinels, one after the other, as clients of Sentinel do.
    fn finder(&self) -> FindPort {
        let ports = self.sentinel_ports();
        Box::new(move || ports.iter().find_map(|port| master_by(*port)))
    }

    fn strike(&mut self, cause: Cause) -> Result<(), Problem> {
        let serving = (self.finder())();
        let server = self
            .servers
            .iter()
            .find(|server| Some(server.port) == serving);
        let server = server.ok_or_else(|| Problem::Failed("no server serves".into()))?;
        server.signal(match cause {
            Cause::Death => "KILL",
            Cause::Hang => "STOP",
        })
    }
}

/// Asks a sentinel for the port of the master.
fn master_by(sentinel: u16) -> Option<u16> {
    let mut connection = client::connect(sentinel, ONE_OF_MANY).ok()?;
    let command = format!("SENTINEL get-master-addr-by-name {GROUP}");
    let (_, port): (String, String) = client::run(&mut connection, &command).ok()?;
    port.parse().ok()
}

/// A process that listens at a port.
struct Server {
    port: u16,
    process: Child,
}

impl Server {
    fn start(
        program: &Path,
        place: &Path,
        port: u16,
        text: &str,
        arguments: &[&str],
    ) -> Result<Self, Problem> {
        let own = place.join(port.to_string());
        std::fs::create_dir(&own).map_err(|error| Problem::of_host(own.display(), error))?;
        let configuration = own.join("server.conf");
        let all = format!("port {port}\nbind 127.0.0.1\ndir {}\n{text}", own.display());
        files::write(&configuration, all.as_bytes())?;
        let process = Command::new(program)
            .arg(&configuration)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Problem::of_host(program.display(), error))?;
        Ok(Self { port, process })
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &str) -> RedisResult<T> {
        client::run(&mut client::connect(self.port, ONE_OF_MANY)?, command)
    }

    fn signal(&self, signal: &str) -> Result<(), Problem> {
        let status = Command::new("kill")
            .args(["-s", signal, &self.process.id().to_string()])
            .status()
            .map_err(|error| Problem::of_host("kill", error))?;
        require(status.success(), || format!("SIG{signal} cannot be sent"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns ports that nobody uses now.
fn free_ports(count: usize) -> Result<Vec<u16>, Problem> {
    let broken = |error| Problem::of_host("a free port", error);
    // All are held until all are found, so that none comes twice.
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<_, _>>()
        .map_err(broken)?;
    let ports = listeners.iter().map(TcpListener::local_addr);
    let addresses: Result<Vec<_>, _> = ports.collect();
    Ok(addresses
        .map_err(broken)?
        .iter()
        .map(std::net::SocketAddr::port)
        .collect())
}
