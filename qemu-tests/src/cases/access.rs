//! Who may use the service and the status page, on a machine: the password, and clients from outside of its network.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::json;
use sharedmem::cause::Cause;

use crate::suite::{Test, TestContext, Verdict};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};

/// What a client sends to a Redis 7.0.15 with `--requirepass "open sesame"`, and the beginning of each answer, as
/// recorded. The last is sent on the connection that authenticated.
const DIALOGUE: [(&str, &str); 15] = [
    ("PING", "-NOAUTH Authentication required.\r\n"),
    ("SET a 1", "-NOAUTH Authentication required.\r\n"),
    ("INFO", "-NOAUTH Authentication required.\r\n"),
    ("HELLO 2", HELLO_FIRST),
    ("HELLO 2 AUTH default wrong", WRONG),
    ("AUTH wrong", WRONG),
    ("AUTH somebody \"open sesame\"", WRONG),
    (
        "AUTH",
        "-ERR wrong number of arguments for 'auth' command\r\n",
    ),
    ("AUTH a b c", "-ERR syntax error\r\n"),
    ("HELLO 2 AUTH default \"open sesame\" SETNAME me", "*14\r\n"),
    ("CLIENT GETNAME", "$2\r\nme\r\n"),
    ("RESET", "+RESET\r\n"),
    ("SET a 1", "-NOAUTH Authentication required.\r\n"),
    ("AUTH \"open sesame\"", "+OK\r\n"),
    ("SET a 1", "+OK\r\n"),
];
const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const HELLO_FIRST: &str = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
                           AUTH <user> <pass> option can be used to authenticate the client and select the RESP \
                           protocol version at the same time\r\n";

/// A client waits so long for a reply.
const PATIENCE: Duration = Duration::from_secs(20);
/// Ports of the guest.
const SERVICE_PORT: u16 = 6379;
const STATUS_PORT: u16 = 80;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new(
            "password",
            "with requirepass= nothing is done before the password is given; a takeover asks nobody again",
            "debug=1 requirepass=\"open sesame\"",
            password,
        ),
        Test::new(
            "far-clients",
            "clients from outside of the machine's network are refused by the service and reset by the status page",
            "status_clients=near",
            |context| far_clients(context, true),
        ),
        Test::new(
            "far-clients-allowed",
            "with protected_mode=no and status_clients=all they are served",
            "status_clients=all protected_mode=no",
            |context| far_clients(context, false),
        ),
    ]
}

fn password(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = SocketAddr::from(([127, 0, 0, 1], machine.port()?));
    let mut client = Client::connect(port)?;
    let mut stranger = Client::connect(port)?;
    for (line, expected) in DIALOGUE {
        let reply = client.ask(line)?;
        let beginning: String = reply.chars().take(expected.len()).collect();
        require_equal(line, beginning.as_str(), expected)?;
    }
    client.send("DEBUG PANIC")?;
    let takeover = machine.wait_takeover(2)?;
    let cause = takeover.event.cause;
    require_equal("the takeover's cause", cause, Some(Cause::Panic))?;
    // The same connections, on the other kernel. DEBUG PANIC is answered, too.
    let reply = client.ask("GET a")?;
    let reply = match reply.as_str() {
        "+OK\r\n" => client.read()?,
        _ => reply,
    };
    require(reply.ends_with("$1\r\n1\r\n"), || {
        format!("after the takeover GET is answered {reply:?}")
    })?;
    let refused = stranger.ask("GET a")?;
    require_equal("a stranger's reply", refused.as_str(), DIALOGUE[0].1)?;
    machine.closing_word()
}

/// Asks service and status page from an address that is not the machine's own network's.
fn far_clients(context: &TestContext<'_>, is_refused: bool) -> Verdict {
    let Some(far) = address_of_host() else {
        return Err(Problem::Skipped(
            "this host has no address but 127.0.0.1".into(),
        ));
    };
    let machine = context.boot()?;
    let forwarded = [SERVICE_PORT, STATUS_PORT].map(|port| forward(&machine, port));
    let [service, status] = forwarded;
    let (service, status) = (service?, status?);
    // QEMU gives clients from 127.0.0.1 an address of the machine's network, and leaves that of others as it is.
    for (address, is_far) in [(IpAddr::from([127, 0, 0, 1]), false), (far, true)] {
        let is_refused = is_far && is_refused;
        let reply = Client::connect((address, service).into())?.ask("PING")?;
        let expected = if is_refused { "-DENIED " } else { "+PONG\r\n" };
        require(reply.starts_with(expected), || {
            format!("a client at {address} is answered {reply:?}")
        })?;
        let page = Client::connect((address, status).into())
            .and_then(|mut client| client.ask("GET / HTTP/1.1\r\nHost: x\r\n"));
        let is_shown = page.is_ok_and(|page| page.starts_with("HTTP/1.1 200"));
        require_equal("whether the page is shown", is_shown, !is_refused)?;
    }
    machine.closing_word()
}

/// Returns an address of this host that is not 127.0.0.1. No packet is sent.
fn address_of_host() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

/// Forwards a port, on all addresses of the host, to a port of the machine.
fn forward(machine: &QemuMachine, guest_port: u16) -> Result<u16, Problem> {
    let broken = |error| Problem::of_host("port", error);
    let free = TcpListener::bind(("0.0.0.0", 0)).map_err(broken)?;
    let port = free.local_addr().map_err(broken)?.port();
    drop(free);
    let line = format!("hostfwd_add n0 tcp:0.0.0.0:{port}-:{guest_port}");
    let arguments = json!({ "command-line": line });
    machine
        .control()?
        .execute("human-monitor-command", arguments)?;
    Ok(port)
}

/// A client that reads whatever comes.
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr) -> Result<Self, Problem> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        Ok(Self(stream))
    }

    fn send(&mut self, line: &str) -> Result<(), Problem> {
        self.0
            .write_all(format!("{line}\r\n").as_bytes())
            .map_err(failed)
    }

    /// Sends a line and returns what comes next, as far as it comes at once.
    fn ask(&mut self, line: &str) -> Result<String, Problem> {
        self.send(line)?;
        self.read()
    }

    fn read(&mut self) -> Result<String, Problem> {
        let mut buffer = vec![0; 64 << 10];
        let count = self.0.read(&mut buffer).map_err(failed)?;
        Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }
}

fn failed(error: std::io::Error) -> Problem {
    Problem::Failed(format!("a client: {error}"))
}
