//! What an armed backup costs the primary: the same work in the same Linux, beside a backup and alone, in the deterministic model.
//!
//! Time in the model is the count of instructions that all CPUs have executed, one after the other: at 1 ns each, all of them together are as fast as
//! one core of 1 GHz that completes one in each cycle. The seat's are charged to the primary, which they are not on a machine; that an interrupt
//! costs a core more than its instructions is not in it. What comes so often in a second weighs the more, the slower the model is.

mod report;

use std::path::PathBuf;
use std::time::Duration;

pub use report::CostReport;

use crate::linux::tenants::{self, Pair};
use harness::console::Event;
use harness::images::Images;
use harness::machine::{Launch, QemuMachine, model_arguments};
use harness::problem::{Problem, require, require_equal};
use harness::setup::LocalSystem;
use harness::{files, paths};
use linux_kit::cache::Cache;
use linux_kit::initrd::Initrd;
use linux_kit::kmod::ModuleTree;
use linux_kit::packages::{LinuxKernel, PackageStore, Series};
use linux_kit::{ctl, guest, module};

/// CPUs that Linux has, in every machine. Beside a backup there is one more, the seat.
const CPUS: u32 = 3;

/// Rounds of work on each CPU: a few seconds of the model's time.
const ROUNDS: u32 = 200;

/// Two boots, one instruction after the other, on a busy host.
const LIMIT: Duration = Duration::from_secs(400);

/// What is measured.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The kernel that works.
    pub primary: Series,
    /// The one that waits.
    pub backup: Series,
    /// The time-outs that are tried.
    pub timeouts: Vec<Duration>,
    /// Runs of each, with other random numbers in each.
    pub runs: u32,
    /// An instruction takes 2 to the power of this, in ns.
    pub shift: u32,
}

/// One run of the work.
#[derive(Clone, Debug, PartialEq)]
pub struct CostRun {
    /// How long it took, in ns of the model's time.
    pub took_ns: f64,
    /// Interrupts of each CPU's local timer per second.
    pub interrupts_hz: Vec<f64>,
    /// Keepalives per second; 0 without a backup.
    pub keepalives_hz: f64,
    /// What Linux tells the time by.
    pub clock: String,
}

/// The runs with the same random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Without a monitor and a backup.
    pub alone: CostRun,
    /// Beside a backup, for each time-out.
    pub beside: Vec<CostRun>,
}

impl Cost {
    /// Measures it, telling of it as it goes.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; a machine does not do what it should.
    pub fn measure(&self, images: &Images) -> Result<CostReport, Problem> {
        linux_kit::check()?;
        let machines = Machines::new(self, images)?;
        let mut rounds = Vec::new();
        for seed in 1..=self.runs {
            let alone = machines.alone(seed)?;
            println!("bench: run {seed} of {}: alone {}", self.runs, told(&alone));
            let mut beside = Vec::new();
            for timeout in &self.timeouts {
                let run = machines.beside(*timeout, seed)?;
                println!("bench: beside a backup, {timeout:?}: {}", told(&run));
                require_equal("the clock beside a backup", &run.clock, &alone.clock)?;
                beside.push(run);
            }
            rounds.push(Round { alone, beside });
        }
        Ok(CostReport::new(self.clone(), machines.release(), rounds))
    }
}

fn told(run: &CostRun) -> String {
    let rates: Vec<String> = run
        .interrupts_hz
        .iter()
        .map(|hz| format!("{hz:.0}"))
        .collect();
    format!(
        "{:.3} ms; timer interrupts per second by CPU: {}; {:.0} keepalives per second; clock {}",
        run.took_ns / 1e6,
        rates.join(", "),
        run.keepalives_hz,
        run.clock
    )
}

/// The two machines, ready to be started.
struct Machines<'a> {
    cost: &'a Cost,
    images: &'a Images,
    pair: Pair,
    kernels: [LinuxKernel; 2],
    archive: PathBuf,
    initrd: PathBuf,
}

impl<'a> Machines<'a> {
    fn new(cost: &'a Cost, images: &'a Images) -> Result<Self, Problem> {
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
        let archive = tenants::boot_archive(&pair.name, &kernels, &initrds)?;
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

    fn release(&self) -> String {
        self.kernels[0].release.clone()
    }

    fn alone(&self, seed: u32) -> Result<CostRun, Problem> {
        let launch = self.launch(
            self.kernels[0].image.clone(),
            self.initrd.clone(),
            &format!("alone-{seed}"),
        )?;
        let machine = self.start(CPUS, &self.pair.kernel_words(), seed, &launch)?;
        worked(&machine, "alone")
    }

    fn beside(&self, timeout: Duration, seed: u32) -> Result<CostRun, Problem> {
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

    /// No devices: what they do depends on the host, and is not the same twice.
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

fn initrd(kernel: &LinuxKernel, own: &[linux_kit::kmod::Module]) -> Result<Vec<u8>, Problem> {
    let busybox = PackageStore::new(&LocalSystem, Cache::of_user()?).busybox()?;
    let initrd = Initrd::new(&busybox, include_str!("init.sh"))?
        // A backup adopts devices by its drivers, also where there are none.
        .modules(&ModuleTree::of(kernel)?.in_order(&["virtio_pci"])?)
        .modules(own)
        .program("/bin/linux-work", &files::read(&guest::build_work()?)?)
        .program("/bin/understudyctl", &files::read(&ctl::build()?)?);
    Ok(initrd.finish())
}

/// Waits until the work is done, and reads what is told of it.
fn worked(machine: &QemuMachine, kind: &str) -> Result<CostRun, Problem> {
    let limit = machine.time_left();
    let event = machine
        .console()
        .wait_for_event("worked", limit, |event| event.says("kind", kind))?;
    require_equal("CPUs that worked", event.number("cpus")?, CPUS.into())?;
    CostRun::read(&event)
}

impl CostRun {
    fn read(event: &Event) -> Result<Self, Problem> {
        let took_ns = event.decimal("took_ns")?;
        let counts = event.text("interrupts")?.split(',');
        let interrupts_hz: Vec<f64> = counts
            .filter_map(|count| Some(count.parse::<f64>().ok()? / took_ns * 1e9))
            .collect();
        require_equal("timers counted", interrupts_hz.len(), CPUS as usize)?;
        Ok(Self {
            took_ns,
            interrupts_hz,
            keepalives_hz: rate(event.text("before")?, event.text("after")?).unwrap_or(0.0),
            clock: event.text("clock")?.into(),
        })
    }
}

/// Keepalives per second between two texts `COUNT@SECONDS`; `None` if there were none.
fn rate(before: &str, after: &str) -> Option<f64> {
    let read = |text: &str| {
        let (count, time_s) = text.split_once('@')?;
        Some((count.parse::<f64>().ok()?, time_s.parse::<f64>().ok()?))
    };
    let ((count, since_s), (count_after, until_s)) = (read(before)?, read(after)?);
    Some((count_after - count) / (until_s - since_s)).filter(|rate| rate.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "[   20.000000] init: event=worked kind=beside cpus=3 clock=tsc before=1000@10.00 after=5000@14.00 took_ns=2000000000 interrupts=2500,600,600";

    #[test]
    fn what_the_guest_tells_is_read() {
        let run = CostRun::read(&Event::parse(LINE).unwrap()).unwrap();
        assert_eq!(run.interrupts_hz, [1250.0, 300.0, 300.0]);
        assert_eq!(
            (run.took_ns, run.keepalives_hz, run.clock.as_str()),
            (2e9, 1000.0, "tsc")
        );
        let alone = LINE.replace("1000@", "@").replace("5000@", "@");
        let run = CostRun::read(&Event::parse(&alone).unwrap()).unwrap();
        assert!(run.keepalives_hz.abs() < f64::EPSILON);
        let fewer = LINE.replace("2500,", "");
        assert!(CostRun::read(&Event::parse(&fewer).unwrap()).is_err());
    }
}
