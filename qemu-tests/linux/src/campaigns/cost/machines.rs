//! The machines on which the work is done: Linux alone, and beside a backup.

use std::path::PathBuf;
use std::time::Duration;

use sharedmem::event::Worked;

use harness::images::Images;
use harness::machine::{Launch, QemuMachine, model_arguments};
use harness::problem::{Problem, require, require_equal};
use harness::setup::LocalSystem;
use harness::{files, paths};
use linux_kit::cache::Cache;
use linux_kit::initrd::Initrd;
use linux_kit::kmod::{Module, ModuleTree};
use linux_kit::packages::{LinuxKernel, PackageStore};
use linux_kit::{ctl, guest, module};

use super::run::{CPUS, Cost, CostRun};
use crate::tenants::{self, Pair};

/// Rounds of work on each CPU: a few seconds of the model's time.
const ROUNDS: u32 = 200;

/// Two boots, one instruction after the other, on a busy host.
const LIMIT: Duration = Duration::from_secs(400);

/// The two machines, ready to be started.
pub struct Machines<'a> {
    cost: &'a Cost,
    images: &'a Images,
    pair: Pair,
    kernels: [LinuxKernel; 2],
    archive: PathBuf,
    initrd: PathBuf,
}

impl<'a> Machines<'a> {
    /// Builds what the machines boot.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; something does not build.
    pub fn new(cost: &'a Cost, images: &'a Images) -> Result<Self, Problem> {
        let mut pair = Pair::new("bench-linux-cost", cost.primary, cost.backup);
        pair.words = format!("no5lvl work_rounds={ROUNDS}");
        // QEMU 10 aborts when a guest sets its timer through x2APIC's registers while instructions are counted.
        pair.append = "apic=xapic".into();
        let kernels = pair.kernels()?;
        let own = |kernel| module::build(kernel, &module::source());
        let initrds = [
            initrd(&kernels[0], &own(&kernels[0])?)?,
            initrd(&kernels[1], &own(&kernels[1])?)?,
        ];
        let archive = tenants::boot_archive(&pair.name, &kernels, &initrds, &[])?;
        let path = paths::scratch(&pair.name).join("initrd-alone.cpio");
        files::write(&path, &initrd(&kernels[0], &[])?)?;
        Ok(Self {
            cost,
            images,
            pair,
            kernels,
            archive,
            initrd: path,
        })
    }

    /// Returns the release of the kernel that works.
    pub fn release(&self) -> String {
        self.kernels[0].release.clone()
    }

    /// Lets Linux work alone.
    ///
    /// # Errors
    /// The machine does not do what it should.
    pub fn alone(&self, seed: u32) -> Result<CostRun, Problem> {
        let launch = self.launch(
            self.kernels[0].image.clone(),
            self.initrd.clone(),
            &format!("alone-{seed}"),
        )?;
        let machine = self.start(CPUS, &self.pair.kernel_words(), seed, &launch)?;
        worked(&machine, "alone")
    }

    /// Lets Linux work beside a backup.
    ///
    /// # Errors
    /// The machine does not do what it should.
    pub fn beside(&self, timeout: Duration, seed: u32) -> Result<CostRun, Problem> {
        let pair = Pair {
            timeout,
            ..self.pair.clone()
        };
        let launch = self.launch(
            self.images.kernel.clone(),
            self.archive.clone(),
            &format!("{}ms-{seed}", timeout.as_millis()),
        )?;
        let machine = self.start(CPUS + 1, &pair.boot_line(), seed, &launch)?;
        let run = worked(&machine, "beside")?;
        let is_protected =
            machine
                .console()
                .wait_for("the status", machine.time_left(), |line| {
                    let (_, status) = line.split_once("init: status ")?;
                    Some(status.contains("\"protected\":true"))
                })?;
        require(is_protected, || {
            "the backup was lost during the work".into()
        })?;
        Ok(run)
    }

    fn launch(&self, kernel: PathBuf, archive: PathBuf, name: &str) -> Result<Launch, Problem> {
        Ok(Launch {
            kernel,
            archive,
            log: paths::fresh_log(&format!("{}-{name}", self.pair.name))?,
            limit: LIMIT,
            is_echoed: false,
        })
    }

    /// Starts a machine without devices: what they do depends on the host, and differs from run to run.
    fn start(
        &self,
        cpus: u32,
        line: &str,
        seed: u32,
        launch: &Launch,
    ) -> Result<QemuMachine, Problem> {
        let cpus = cpus.to_string();
        let words = [
            "-machine", "q35", "-cpu", "max", "-smp", &cpus, "-m", "1G", "-nic", "none", "-append",
            line,
        ];
        let mut arguments = words.map(String::from).to_vec();
        arguments.extend(model_arguments(self.cost.shift, seed));
        QemuMachine::start_with(&arguments, launch)
    }
}

fn initrd(kernel: &LinuxKernel, own: &[Module]) -> Result<Vec<u8>, Problem> {
    let busybox = PackageStore::new(&LocalSystem, Cache::of_user()?).busybox()?;
    let initrd = Initrd::new(&busybox, include_str!("init.sh"))?
        // A backup adopts devices by its drivers, also where there are none.
        .modules(&ModuleTree::of(kernel)?.in_order(&["virtio_pci"])?)
        .modules(own)
        .program("/bin/linux-work", &files::read(&guest::build_work()?)?)
        .program("/bin/understudyctl", &files::read(&ctl::build()?)?);
    Ok(initrd.finish())
}

/// Waits until the work is done, and reads the guest's report.
fn worked(machine: &QemuMachine, kind: &str) -> Result<CostRun, Problem> {
    let worked = machine.wait_event_where(|worked: &Worked| worked.kind == *kind)?;
    require_equal("CPUs that worked", worked.cpus, CPUS)?;
    CostRun::of(&worked)
}
