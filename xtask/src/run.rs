//! Boots a machine for the user's own client, and leaves it running.

use std::io::BufRead;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use harness::images::Images;
use harness::machine::{HostPort, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::Problem;

/// No machine should run unnoticed for longer than this.
const LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Between two looks at whether the user has stopped the machine.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs the machine until it ends, or the user ends it. Lines that the user types go to the guest's console.
///
/// # Errors
/// The port is taken, or QEMU does not start.
pub fn run(images: &Images, spec: &MachineSpec) -> Result<(), Problem> {
    if let HostPort::Fixed(port) = spec.port {
        check_free(port)?;
    }
    let is_stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, is_stopped.clone())
            .map_err(|error| Problem::of_host("signals", error))?;
    }
    let launch = Launch {
        is_echoed: true,
        ..Launch::of(images, &paths::fresh_log(&spec.name)?, LIMIT)
    };
    let machine = Arc::new(QemuMachine::start(spec, &launch)?);
    println!(
        "run: port {} of this host is the service; Ctrl-C ends the machine",
        machine.port()?
    );
    forward_typing(machine.clone());
    while !is_stopped.load(Ordering::Relaxed) && machine.console().ended().is_none() {
        thread::sleep(POLL_INTERVAL);
    }
    machine.end();
    if is_stopped.load(Ordering::Relaxed) {
        println!("run: ended");
        return Ok(());
    }
    match machine.console().tail(0) {
        complaints if complaints.is_empty() => {
            println!("run: the machine has switched itself off");
            Ok(())
        }
        complaints => Err(Problem::BrokenSetUp(complaints.join("; "))),
    }
}

/// Checks that a port is free. QEMU would report a taken port, too, but not what to do about it.
fn check_free(port: u16) -> Result<(), Problem> {
    TcpListener::bind(("127.0.0.1", port))
        .map(drop)
        .map_err(|error| {
            Problem::BrokenSetUp(format!(
                "port {port} of this host cannot be used ({error}); --port with another would work"
            ))
        })
}

/// Forwards typed lines to the guest. The thread ends with the process, because standard input has no time limit.
fn forward_typing(machine: Arc<QemuMachine>) {
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_ok_and(|line| machine.type_line(&line).is_ok()) {
                continue;
            }
            break;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let problem = check_free(port).unwrap_err();
        assert!(problem.text().contains(&port.to_string()) && problem.text().contains("--port"));
        drop(listener);
        assert_eq!(check_free(port), Ok(()));
    }
}
