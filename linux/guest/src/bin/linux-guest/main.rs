//! The service in a Linux guest: a small HTTP server that shows who answers, and keeps what it acknowledges.
//!
//! `linux-guest [PORT [ROOT]]`: port 80 and `/` by default. Called by the name of a hook it is that hook (see
//! [`hooks`]); with `rehearse` it rehearses the hook. It has one thread, and listens before there is a network and
//! before anything is mounted.

mod hooks;
mod http;
mod kexec;
mod network;
mod order;
mod readiness;
mod service;
mod stamp;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use http::{Parsed, Response};
use nix::poll::{PollFd, PollFlags};
use service::Service;

/// A client that is silent for this long is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients at a time; others wait in the backlog.
const MAX_CONNECTIONS: usize = 256;

/// A client, from its first byte to the last byte of its response.
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    since: Instant,
}

impl Connection {
    /// Returns what the client waits for: input, or room for its response.
    fn interest(&self) -> PollFd<'_> {
        let events = match self.output.is_empty() {
            true => PollFlags::POLLIN,
            false => PollFlags::POLLOUT,
        };
        PollFd::new(self.stream.as_fd(), events)
    }

    /// Advances as far as it can without waiting; returns false when the connection is over.
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
                Parsed::Refused(status, reason) => Response::text(status, reason),
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
    loop {
        let mut sockets: Vec<PollFd<'_>> = connections.iter().map(Connection::interest).collect();
        if connections.len() < MAX_CONNECTIONS {
            sockets.push(PollFd::new(listener.as_fd(), PollFlags::POLLIN));
        }
        let mut is_ready = readiness::wait(&mut sockets, PATIENCE)?.into_iter();
        connections.retain_mut(|connection| {
            let goes_on = is_ready.next() != Some(true) || connection.advance(service);
            goes_on && connection.since.elapsed() < PATIENCE
        });
        // The listener comes last, if it was added at all.
        if is_ready.next() == Some(true) {
            accept(listener, service, &mut connections);
        }
    }
}

/// Accepts one client. Its request has usually arrived already.
fn accept(listener: &TcpListener, service: &Service, connections: &mut Vec<Connection>) {
    // The client may be gone again, or descriptors may be short for a while: neither is a reason to stop.
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
    // Where there is no /proc there are no hooks, either.
    let disks = hooks::count_of("disks").unwrap_or(1);
    let outcome = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .and_then(|listener| serve(&listener, &Service::at(root.as_ref(), disks)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("linux-guest: port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}
