//! The service in a Linux guest: a small HTTP server that shows who answers, and keeps what it acknowledges.
//!
//! `linux-guest [PORT [ROOT]]`: port 80 and `/` by default. Called by the name of a hook it is that hook (see [`hooks`]), with `rehearse` a rehearsal of
//! it. One thread; it listens before there is a network and before anything is mounted. Only the
//! standard library is used, so that it can be linked statically by `rustc` alone.

mod hooks;
mod http;
mod network;
mod order;
mod readiness;
mod service;
mod stamp;
mod system;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use http::{Parsed, Reply};
use readiness::Poll;
use service::Service;

/// A client that says nothing for this long is let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients at a time; others wait in the backlog.
const MAX_CONNECTIONS: usize = 256;

/// A client, from its first byte to the last of its reply.
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    since: Instant,
}

impl Connection {
    /// Goes on as far as it can without waiting; false when it is over.
    fn advance(&mut self, service: &Service) -> bool {
        match self.try_advance(service) {
            Ok(is_over) => !is_over,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    fn try_advance(&mut self, service: &Service) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        while self.output.is_empty() {
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Ok(true);
            }
            self.input.extend_from_slice(&chunk[..count]);
            let reply = match http::parse(&self.input) {
                Parsed::Whole(request) => service.answer(&request),
                Parsed::Refused(status, reason) => Reply::text(status, reason),
                Parsed::Partial => continue,
            };
            self.output = reply.bytes();
        }
        while self.sent < self.output.len() {
            self.sent += self.stream.write(&self.output[self.sent..])?;
        }
        service.first_reply.reply_left();
        Ok(true)
    }
}

fn serve(listener: &TcpListener, service: &Service) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections: Vec<Connection> = Vec::new();
    let mut poll = Poll::default();
    loop {
        poll.clear();
        for connection in &connections {
            poll.add(&connection.stream, !connection.output.is_empty());
        }
        let has_room = connections.len() < MAX_CONNECTIONS;
        if has_room {
            poll.add(listener, false);
        }
        poll.wait(PATIENCE)?;

        let mut index = 0;
        connections.retain_mut(|connection| {
            index += 1;
            let goes_on = !poll.is_ready(index - 1) || connection.advance(service);
            goes_on && connection.since.elapsed() < PATIENCE
        });
        if has_room && poll.is_ready(index) {
            accept(listener, service, &mut connections);
        }
    }
}

/// Takes in one client. Its request usually is there already.
fn accept(listener: &TcpListener, service: &Service, connections: &mut Vec<Connection>) {
    // A client that is gone again, or a lack of descriptors that passes, is no reason to stop.
    let Ok((stream, _)) = listener.accept() else {
        return;
    };
    if stream.set_nonblocking(true).is_err() || stream.set_nodelay(true).is_err() {
        return;
    }
    let mut connection = Connection {
        stream,
        input: Vec::with_capacity(1024),
        output: Vec::new(),
        sent: 0,
        since: Instant::now(),
    };
    if connection.advance(service) {
        connections.push(connection);
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let own_name = arguments.next().unwrap_or_default();
    if let Some(hook) = own_name.rsplit('/').next().and_then(hooks::named) {
        let is_rehearsal = arguments.next().is_some_and(|word| word == "rehearse");
        return match hook(is_rehearsal) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{own_name}: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let port = arguments.next().unwrap_or_else(|| "80".into());
    let root = arguments.next().unwrap_or_else(|| "/".into());
    let Ok(port) = port.parse::<u16>() else {
        eprintln!("linux-guest: {port} is no port; 80 would work");
        return ExitCode::FAILURE;
    };
    let outcome = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .and_then(|listener| serve(&listener, &Service::at(root.as_ref())));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("linux-guest: port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}
