//! Machines in Bochs, an emulator that shares nothing with QEMU: its processor, its APICs, its INIT and SIPI are its
//! own, and it has VMX.

use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::files;
use crate::machine::{Launch, Process};
use crate::problem::Problem;
use crate::setup::{self, System};
use crate::transcript::{Stream, Transcript};

/// What is needed. The ROMs are no programs and are named by their path.
pub const NEEDED: [setup::Need; 5] = [
    ("bochs", "bochs", "is a second emulator"),
    (
        "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so",
        "bochs-term",
        "lets Bochs run without a window",
    ),
    (BIOS, "bochsbios", "is the firmware of a machine in Bochs"),
    (
        VGA_BIOS,
        "vgabios",
        "is the screen's firmware of a machine in Bochs",
    ),
    ("script", "bsdutils", "gives Bochs a terminal"),
];

const BIOS: &str = "/usr/share/bochs/BIOS-bochs-latest";
const VGA_BIOS: &str = "/usr/share/bochs/VGABIOS-lgpl-latest";

/// The machine: four cores with x2APIC and VMX, a disc, an IDE controller, no card that we drive. Time is counted in
/// instructions, 20 ns each, so a run is the same whatever the host does.
const CONFIGURATION: &str = include_str!("bochsrc");

/// The file for what Bochs and its debugger print.
const DEBUGGER_OUTPUT: &str = "bochs.out";

/// What Bochs prints before the name of the terminal on which it draws, in quotation marks. The terminal that it was
/// started on is its debugger's.
const SCREEN_MARK: &str = "Bochs connected to screen ";

/// Checks that `system` has Bochs.
///
/// # Errors
/// Something is missing; says what to do.
pub fn check(system: &impl System) -> Result<(), Problem> {
    setup::check_programs(system, &NEEDED)
}

/// A running machine. Dropping it kills it.
pub struct BochsMachine {
    console: Transcript,
    deadline: Instant,
    process: Option<Process>,
    reader: Option<JoinHandle<()>>,
}

impl BochsMachine {
    /// Starts a machine from a disc, in a directory of its own.
    ///
    /// # Errors
    /// Bochs is missing, or a file cannot be written.
    pub fn start(iso: &Path, directory: &Path, launch: &Launch) -> Result<Self, Problem> {
        // Bochs buffers a serial port that goes to a file, and not one that goes to a socket.
        let of_host = |error| Problem::of_host("the serial port of a machine in Bochs", error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(of_host)?;
        let port = listener.local_addr().map_err(of_host)?.port();
        let configuration = CONFIGURATION
            .replace("@BIOS@", BIOS)
            .replace("@VGA_BIOS@", VGA_BIOS)
            .replace("@ISO@", &iso.to_string_lossy())
            .replace("@PORT@", &port.to_string());
        files::write(&directory.join("bochsrc"), configuration.as_bytes())?;
        // Debian's build stops in its debugger; `c` lets it go on.
        files::write(&directory.join("rc"), b"c\n")?;
        // Descriptor 3 keeps our pipe open for as long as it runs.
        let command = format!(
            "cd '{}' && exec 3>&1 && TERM=xterm exec script -qfc 'bochs -q -f bochsrc -rc rc' /dev/null \
             </dev/null >{DEBUGGER_OUTPUT} 2>bochs.err",
            directory.display()
        );
        let (process, console) = Process::spawn("sh", &["-c".into(), command], launch)?;
        listener.set_nonblocking(true).map_err(of_host)?;
        let deadline = Instant::now() + launch.limit;
        let serial = accept(&listener, &console, deadline)?;
        serial.set_nonblocking(false).map_err(of_host)?;
        let reader = console.follow(serial, Stream::Console, launch.is_echoed);
        discard_screen(&directory.join(DEBUGGER_OUTPUT))?;
        Ok(Self {
            console,
            deadline,
            process: Some(process),
            reader: Some(reader),
        })
    }

    /// Returns what the machine has printed.
    pub fn console(&self) -> &Transcript {
        &self.console
    }

    /// Returns how much time is left.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Drop for BochsMachine {
    fn drop(&mut self) {
        // Killed first: its end closes the serial port, which ends the reader.
        self.process = None;
        if let Some(reader) = self.reader.take() {
            // A reader that failed has nothing more to report.
            let _ = reader.join();
        }
    }
}

/// Waits until Bochs connects its serial port.
fn accept(
    listener: &TcpListener,
    console: &Transcript,
    deadline: Instant,
) -> Result<TcpStream, Problem> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(_) if Instant::now() < deadline && console.ended().is_none() => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => {
                return Err(Problem::of_host(
                    "Bochs does not connect its serial port",
                    error,
                ));
            }
        }
    }
}

/// Reads what Bochs draws, until Bochs ends, and discards it: when its terminal is full, Bochs stops.
fn discard_screen(output: &Path) -> Result<(), Problem> {
    let text = files::read(output)?;
    let text = String::from_utf8_lossy(&text);
    let name = screen_in(&text)
        .ok_or_else(|| Problem::BrokenSetUp("Bochs does not name its screen's terminal".into()))?;
    // It must not become the terminal that this process is controlled by.
    let options = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOCTTY)
        .open(name);
    let mut screen = options.map_err(|error| Problem::of_host(name, error))?;
    // The end of Bochs is an error here, and ends the thread.
    thread::spawn(move || io::copy(&mut screen, &mut io::sink()));
    Ok(())
}

/// Finds the name of the screen's terminal in what Bochs printed.
fn screen_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(SCREEN_MARK)?;
    rest.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_found_in_what_bochs_prints() {
        let text = "00000000000i[      ] using log file\r\nBochs connected to screen \"/dev/pts/7\"\r\n<bochs:1> c\r\n";
        assert_eq!(screen_in(text), Some("/dev/pts/7"));
        assert_eq!(screen_in("Bochs connected to nothing"), None);
    }
}
