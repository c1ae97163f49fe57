//! Makes a disc with a pair of Linux tenants, and tries it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sharedmem::event::Ready;

use crate::tenants::Pair;
use harness::images::Images;
use harness::linux::gap::GapProbe;
use harness::linux::http;
use harness::machine::{Disc, Firmware, Launch, QemuMachine};
use harness::problem::{Problem, require};
use harness::setup::LocalSystem;
use harness::{files, paths};
use linux_kit::file_system;
use linux_kit::iso::{self, Iso};

/// GRUB reads some 50 MiB, and two kernels boot one after the other, 4 to 10 s each on a quiet host.
const LIMIT: Duration = Duration::from_secs(300);

/// From the death to the first reply, at most, before it counts as not survived.
const SURVIVAL_LIMIT: Duration = Duration::from_secs(40);

/// A reply of a healthy machine takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes a disc of two kernels, their initrds and the runtime.
///
/// # Errors
/// `Skipped` where the packages cannot be had; something does not build, or a tool fails.
pub fn make(pair: &Pair, images: &Images, out: &Path) -> Result<(), Problem> {
    iso::check(&LocalSystem)?;
    let archive = files::read(&pair.archive()?)?;
    Iso::new(files::read(&images.kernel)?, pair.boot_line())
        .files_of(&archive)?
        .write(&pair.name, out)
}

/// Boots a disc that was made of `pair`, kills the primary by a panic, and waits until the backup serves. Returns how
/// long a client was without a reply.
///
/// # Errors
/// Anything that is not as it should be.
pub fn try_out(
    pair: &Pair,
    images: &Images,
    iso: &Path,
    firmware: Firmware,
) -> Result<Duration, Problem> {
    let name = format!("{}-{firmware}", pair.name);
    let disk = paths::scratch(&name).join("data.img");
    file_system::make_disk(&disk)?;
    let log = paths::fresh_log(&name)?;
    let disc = Disc {
        iso: iso.to_path_buf(),
        firmware,
    };
    let launch = Launch::of(images, &log, LIMIT);
    let machine = QemuMachine::start_disc_with(&pair.hardware.arguments(&[&disk]), &disc, &launch)?;
    survive(&machine, &pair.kernels()?.map(|kernel| kernel.release))
        .map_err(|problem| problem.while_doing(&format!("{firmware} (log: {})", log.display())))
}

fn survive(machine: &QemuMachine, releases: &[String; 2]) -> Result<Duration, Problem> {
    machine.wait_event::<Ready>()?;
    let port = machine.port()?;
    let client = GapProbe::start(port);
    wait_for_kernel(port, &releases[0])?;
    // This request gets no answer.
    let _ = http::request(port, "POST", "/fault", b"panic", PATIENCE);
    wait_for_kernel(port, &releases[1])?;
    let files = http::request(port, "GET", "/file?file=0", b"", PATIENCE);
    // The file was never written, and only a mounted disk can say so.
    require(
        files.as_ref().is_ok_and(|reply| reply.status == 404),
        || format!("the new primary has no disk: {files:?}"),
    )?;
    let handover = client.end().handover();
    handover.map(|handover| handover.gap).ok_or_else(|| {
        Problem::Failed("the client saw no reply before or none after the death".into())
    })
}

fn wait_for_kernel(port: u16, release: &str) -> Result<(), Problem> {
    let until = Instant::now() + SURVIVAL_LIMIT;
    while Instant::now() < until {
        let reply = http::request(port, "GET", "/", b"", Duration::from_millis(500));
        let is_it = |reply: http::HttpReply| reply.text().contains(&format!("\"{release}\""));
        if reply.is_ok_and(is_it) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(Problem::TimedOut(format!("no Linux {release} serves")))
}
