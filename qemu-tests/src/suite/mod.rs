//! The tests that need a machine: what a test is, and its context.

pub mod runner;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sharedmem::event::Protected;

use harness::archive::ArchiveWriter;
use harness::client::{self, PATIENT};
use harness::images::Images;
use harness::ledger::KeyLedger;
use harness::machine::{Accel, ClosingWord, Launch, MachineSpec, QemuMachine};
use harness::problem::Problem;
use harness::setup::Version;
use harness::{files, paths};

/// The guest's closing word, or what is wrong.
pub type Verdict = Result<ClosingWord, Problem>;

/// A test with machines.
pub struct Test {
    /// Its name, as on the command line.
    pub name: String,
    /// What holds if it passes.
    pub doc: String,
    /// The machine it starts.
    pub machine: MachineSpec,
    /// When it is given up.
    pub limit: Duration,
    /// Whether the emulated CPU must have x2APIC.
    pub needs_x2apic: bool,
    /// Whether it runs only when the command line names it: it takes long, and a shorter one shows nearly the same.
    pub is_long: bool,
    body: Body,
}

type Body = Box<dyn Fn(&TestContext<'_>) -> Verdict + Send + Sync>;

/// Enough for a takeover on a busy host.
const LIMIT_USUAL: Duration = Duration::from_secs(60);

impl Test {
    /// Describes a test on the usual machine, with `append` on its boot line.
    pub(crate) fn new(
        name: impl Into<String>,
        doc: impl Into<String>,
        append: &str,
        body: impl Fn(&TestContext<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        Self {
            machine: MachineSpec::new(&name, Accel::Tcg).append(append),
            name,
            doc: doc.into(),
            limit: LIMIT_USUAL,
            needs_x2apic: false,
            is_long: false,
            body: Box::new(body),
        }
    }

    /// Changes the test's machine.
    pub(crate) fn on(mut self, change: impl FnOnce(&mut MachineSpec)) -> Self {
        change(&mut self.machine);
        self
    }
}

/// What a test runs with.
pub struct TestContext<'a> {
    /// The QEMU there is.
    pub qemu: Version,
    /// What was built.
    pub images: &'a Images,
    /// The test's machine.
    pub spec: MachineSpec,
    /// The test's log.
    pub log: PathBuf,
    deadline: Instant,
}

impl<'a> TestContext<'a> {
    fn new(test: &Test, images: &'a Images, qemu: Version) -> Result<Self, Problem> {
        let log = paths::fresh_log(&test.name)?;
        Ok(Self {
            qemu,
            images,
            spec: test.machine.clone(),
            log,
            deadline: Instant::now() + test.limit,
        })
    }

    /// Returns the time that the test has left.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Starts a machine with the images as they were built.
    ///
    /// # Errors
    /// QEMU does not start.
    pub fn start(&self, spec: &MachineSpec) -> Result<QemuMachine, Problem> {
        QemuMachine::start(spec, &Launch::of(self.images, &self.log, self.time_left()))
    }

    /// Starts the test's machine with another boot archive.
    ///
    /// # Errors
    /// The archive cannot be written, or QEMU does not start.
    pub fn start_with(&self, archive: ArchiveWriter) -> Result<QemuMachine, Problem> {
        let path = paths::scratch(&self.spec.name).join("boot.cpio");
        files::write(&path, &archive.finish())?;
        let launch = Launch {
            archive: path,
            ..Launch::of(self.images, &self.log, self.time_left())
        };
        QemuMachine::start(&self.spec, &launch)
    }

    /// Starts the test's machine and waits until its primary serves, under the protection of a backup.
    ///
    /// # Errors
    /// It does not come up.
    pub fn boot(&self) -> Result<QemuMachine, Problem> {
        let machine = self.start(&self.spec)?;
        machine.wait_serving(1)?;
        machine.wait_event::<Protected>()?;
        Ok(machine)
    }
}

/// Compares what a client was promised with what is there.
///
/// # Errors
/// Something was lost or invented, or the service does not answer.
pub(crate) fn audit(port: u16, ledger: &KeyLedger) -> Result<(), Problem> {
    let unreadable = |error| Problem::Failed(format!("taking stock: {error}"));
    let mut store = client::connect(port, PATIENT).map_err(unreadable)?;
    let audit = ledger.audit(&mut store).map_err(unreadable)?;
    if audit.is_clean() {
        Ok(())
    } else {
        Err(Problem::Failed(audit.to_string()))
    }
}

/// Returns the last lines of a log.
fn tail(log: &Path, count: usize) -> Vec<String> {
    let text = std::fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}
