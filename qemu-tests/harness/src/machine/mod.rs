//! A running machine: a QEMU that is watched, spoken to, and killed with its owner.

mod disc;
mod launch;
mod process;
mod spec;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sharedmem::event::{self, Event};

pub use disc::{Disc, Firmware, OVMF};
pub use launch::Launch;
pub use process::Process;
pub use spec::{Accel, Chipset, HostPort, MachineSpec, WireEnds, model_arguments};

use crate::console::{ConsoleLine, Logged};
use crate::problem::{Problem, require};
use crate::qmp::Qmp;
use crate::timeline_report::TimelineReport;
use crate::transcript::Transcript;
use crate::{disk, paths};

/// The program that runs machines.
pub const QEMU: &str = "qemu-system-x86_64";

const CONTROL_LIMIT: Duration = Duration::from_secs(10);

/// A running machine. Dropping it kills it; so does the death of the thread that started it.
pub struct QemuMachine {
    process: Process,
    console: Transcript,
    control_socket: String,
    fixed_port: Option<u16>,
    port: OnceLock<u16>,
    disk: PathBuf,
    deadline: Instant,
}

/// A proof that the guest was well at the end. Only a machine gives one, and every test ends with one.
#[derive(Debug)]
pub struct ClosingWord(());

impl ClosingWord {
    /// Checks that the guest has not printed what no guest may print, whatever is done to it.
    ///
    /// # Errors
    /// It has printed such a line.
    pub fn of(console: &Transcript) -> Result<Self, Problem> {
        const FORBIDDEN: [&str; 2] = [
            event::MonitorPanicked::SPEC.name,
            event::WildWriteSucceeded::SPEC.name,
        ];
        for line in console.lines() {
            // A line that was cut counts as well.
            let name = ConsoleLine::parse(&line).and_then(|line| event::name_in(line.text));
            require(name.is_none_or(|name| !FORBIDDEN.contains(&name)), || {
                format!("the guest says: {line}")
            })?;
        }
        Ok(Self(()))
    }
}

impl QemuMachine {
    /// Starts QEMU.
    ///
    /// # Errors
    /// QEMU or one of the files is missing. What QEMU itself finds wrong shows at the first wait.
    pub fn start(spec: &MachineSpec, launch: &Launch) -> Result<Self, Problem> {
        let control_socket = fresh_control_socket();
        let disk = paths::scratch(&spec.name).join("incidents.img");
        if spec.has_disk() {
            disk::create(&disk)?;
        }
        let arguments = spec.arguments(&launch.kernel, &launch.archive, &disk, &control_socket);
        let mut machine = Self::spawn(QEMU, &arguments, launch)?;
        machine.control_socket = control_socket;
        machine.disk = disk;
        machine.fixed_port = match spec.port {
            HostPort::Any => None,
            HostPort::Fixed(port) => Some(port),
        };
        Ok(machine)
    }

    /// Starts QEMU with a disc to boot from, instead of the launch's image and archive.
    ///
    /// # Errors
    /// As [`start`](Self::start); `Skipped` if the firmware is not there.
    pub fn start_disc(spec: &MachineSpec, disc: &Disc, launch: &Launch) -> Result<Self, Problem> {
        let disk = paths::scratch(&spec.name).join("incidents.img");
        if spec.has_disk() {
            disk::create(&disk)?;
        }
        let mut machine = Self::start_disc_with(&spec.hardware(&disk), disc, launch)?;
        machine.disk = disk;
        Ok(machine)
    }

    /// Starts QEMU with a disc as [`start_disc`](Self::start_disc) does, on hardware of the caller's.
    ///
    /// # Errors
    /// As [`start_disc`](Self::start_disc).
    pub fn start_disc_with(
        hardware: &[String],
        disc: &Disc,
        launch: &Launch,
    ) -> Result<Self, Problem> {
        let control_socket = fresh_control_socket();
        let mut arguments = hardware.to_vec();
        arguments.extend(disc.arguments()?);
        arguments.extend(spec::kept_arguments(&control_socket));
        let mut machine = Self::spawn(QEMU, &arguments, launch)?;
        machine.control_socket = control_socket;
        Ok(machine)
    }

    /// Starts QEMU with arguments of the caller's; what it boots, its console and its control channel are added.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(arguments: &[String], launch: &Launch) -> Result<Self, Problem> {
        let control_socket = fresh_control_socket();
        let mut arguments = arguments.to_vec();
        arguments.extend(spec::usual_arguments(
            &launch.kernel,
            &launch.archive,
            &control_socket,
        ));
        let mut machine = Self::spawn(QEMU, &arguments, launch)?;
        machine.control_socket = control_socket;
        Ok(machine)
    }

    fn spawn(program: &str, arguments: &[String], launch: &Launch) -> Result<Self, Problem> {
        let (process, console) = Process::spawn(program, arguments, launch)?;
        Ok(Self {
            process,
            console,
            control_socket: String::new(),
            fixed_port: None,
            port: OnceLock::new(),
            disk: PathBuf::new(),
            deadline: Instant::now() + launch.limit,
        })
    }

    /// Returns the console.
    pub fn console(&self) -> &Transcript {
        &self.console
    }

    /// Returns the time that the machine has left.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Returns the path of its incident disk.
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// Connects to QEMU's control channel.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn control(&self) -> Result<Qmp, Problem> {
        Qmp::connect(&self.control_socket, CONTROL_LIMIT.min(self.time_left()))
    }

    /// Returns the name of QEMU's control socket, which no other machine has.
    pub fn control_name(&self) -> &str {
        &self.control_socket
    }

    /// Returns the host's port at which the service is reached.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn port(&self) -> Result<u16, Problem> {
        if let Some(port) = self.fixed_port.or_else(|| self.port.get().copied()) {
            return Ok(port);
        }
        let port = self.control()?.forwarded_port(None)?;
        Ok(*self.port.get_or_init(|| port))
    }

    /// Returns the host's port that leads to `guest_port`, on a machine with several.
    ///
    /// # Errors
    /// QEMU does not answer, or none does.
    pub fn port_to(&self, guest_port: u16) -> Result<u16, Problem> {
        self.control()?.forwarded_port(Some(guest_port))
    }

    /// Types a line on the serial console.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn type_line(&self, line: &str) -> Result<(), Problem> {
        self.process.type_line(line)
    }

    /// Waits for an event, logged already or yet to come.
    ///
    /// # Errors
    /// It does not come in the time the machine has.
    pub fn wait_event<E: Event>(&self) -> Result<E, Problem> {
        self.wait_event_where(|_| true)
    }

    /// Waits for an event that `is_wanted`, logged already or yet to come.
    ///
    /// # Errors
    /// It does not come in the time the machine has.
    pub fn wait_event_where<E: Event>(&self, is_wanted: impl Fn(&E) -> bool) -> Result<E, Problem> {
        self.console.wait_for_event(self.time_left(), is_wanted)
    }

    /// Waits for an event, with its time and its writer.
    ///
    /// # Errors
    /// It does not come in the time the machine has.
    pub fn wait_logged<E: Event>(&self) -> Result<Logged<E>, Problem> {
        let what = format!("event={}", E::SPEC.name);
        self.console
            .wait_for(&what, self.time_left(), Logged::parse)
    }

    /// Waits until an instance serves in `epoch`.
    ///
    /// # Errors
    /// It does not in the time the machine has.
    pub fn wait_serving(&self, epoch: u64) -> Result<event::Serving, Problem> {
        self.wait_event_where(|serving: &event::Serving| serving.epoch == epoch)
            .map_err(|problem| waiting_for(epoch, problem))
    }

    /// Waits for the takeover that leads to `epoch`.
    ///
    /// # Errors
    /// It does not come in the time the machine has.
    pub fn wait_takeover(&self, epoch: u64) -> Result<TimelineReport, Problem> {
        self.wait_event_where(|takeover: &event::Takeover| takeover.epoch == epoch)
            .map_err(|problem| waiting_for(epoch, problem))
            .and_then(TimelineReport::of)
    }

    /// Waits for the takeover that leads to `epoch`, and for the first reply after it.
    ///
    /// # Errors
    /// They do not come in the time the machine has.
    pub fn wait_first_reply(&self, epoch: u64) -> Result<TimelineReport, Problem> {
        let takeover = self.wait_takeover(epoch)?;
        self.wait_event_where(|reply: &event::FirstReply| reply.epoch == epoch)
            .and_then(|reply| takeover.with_first_reply(&reply))
    }

    /// Asks the guest for its closing word: a line typed on the serial console, which the service echoes. The guest
    /// must not have printed anything before that no guest may print.
    ///
    /// # Errors
    /// It does not answer, or has complained.
    pub fn closing_word(&self) -> Result<ClosingWord, Problem> {
        let word = format!("closing-word-{}", self.console.lines().len());
        self.type_line(&format!("ECHO {word}"))?;
        self.said_closing_word(&word)
    }

    /// Waits for the closing word `word` that the boot line's script asks for; see
    /// [`closing_word`](Self::closing_word).
    ///
    /// # Errors
    /// It does not come, or the guest has complained.
    pub fn said_closing_word(&self, word: &str) -> Result<ClosingWord, Problem> {
        self.wait_event_where(|reply: &event::ExecReply| reply.text.as_str().contains(word))
            .map_err(|problem| problem.while_doing("asking for the closing word"))?;
        ClosingWord::of(&self.console)
    }

    /// Waits for an event, which is the closing word of a guest that stops with it.
    ///
    /// # Errors
    /// It does not come, or the guest has complained.
    pub fn closing_event<E: Event>(&self) -> Result<ClosingWord, Problem> {
        self.wait_event::<E>()?;
        ClosingWord::of(&self.console)
    }

    /// Sends the emulator's process a signal, such as `STOP` or `CONT`.
    ///
    /// # Errors
    /// It could not be sent.
    pub fn signal(&self, signal: &str) -> Result<(), Problem> {
        self.process.signal(signal)
    }

    /// Kills the machine now.
    pub fn end(&self) {
        self.process.kill();
    }

    /// Waits for QEMU to end by itself.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub fn wait_end(&self, limit: Duration) -> Result<ExitStatus, Problem> {
        self.process.wait_end(limit)
    }
}

fn fresh_control_socket() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("understudy-{}-{number}", std::process::id())
}

/// Says for which epoch was waited.
fn waiting_for(epoch: u64, problem: Problem) -> Problem {
    problem.while_doing(&format!("waiting for epoch {epoch}"))
}

#[cfg(test)]
mod tests;
