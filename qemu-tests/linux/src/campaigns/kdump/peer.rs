//! A machine with kdump: it panics or hangs, and the crash kernel comes up, or does not.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sharedmem::event::{CrashUserspace, Ready};

use harness::console::Logged;
use harness::linux::gap::GapProbe;
use harness::linux::http::{self, HttpReply};
use harness::machine::{Launch, QemuMachine};
use harness::problem::{Problem, require, require_equal};
use harness::setup::{self, LocalSystem};
use harness::{files, paths, tools};
use linux_kit::cache::Cache;
use linux_kit::hardware::Hardware;
use linux_kit::initrd::{Initrd, USUAL_MODULES};
use linux_kit::kmod::ModuleTree;
use linux_kit::packages::{KernelSource, LinuxKernel, PackageStore};
use linux_kit::{file_system, guest, module};

/// The words of the demonstration's tenants, memory for the crash kernel, and a watchdog. The watchdog would end a hang
/// if the machine had the counters that it needs.
const FIRST_WORDS: &str = "console=ttyS0 printk.devkmsg=on mitigations=off random.trust_cpu=on cryptomgr.notests \
    loglevel=5 no5lvl crashkernel=192M nmi_watchdog=panic,1";

/// Words that make the crash kernel quick: one CPU, no checks, no relocation, little output.
const CRASH_WORDS: &str = "console=ttyS0 printk.devkmsg=on mitigations=off random.trust_cpu=on cryptomgr.notests \
    loglevel=5 no5lvl nr_cpus=1 reset_devices nokaslr numa=off mce=off cgroup_disable=memory tsc=reliable \
    no_timer_check initcall_blacklist=jent_mod_init";

/// What the crash kernel needs to serve: disk, file system and network.
const CRASH_MODULES: [&str; 5] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "crc32c_intel",
    "ext4",
];

/// A first kernel boots in 4 to 10 s on a quiet host, a crash kernel in about 5.
const LIMIT: Duration = Duration::from_secs(240);

/// A request that fsyncs takes longer than one that does not.
const PATIENCE: Duration = Duration::from_secs(5);

/// A death counts as survived if the crash kernel replies within this time: ten times of what a panic takes on a quiet
/// host.
const SURVIVAL_LIMIT: Duration = Duration::from_secs(60);

/// Lines written before the death.
const LINES: u64 = 10;

/// One panic, and how kdump came back from it.
#[derive(Clone, Debug)]
pub struct KdumpRun {
    /// The kernel, the first and the crash kernel alike.
    pub release: String,
    /// From the last good reply of the first kernel to the first good reply of the crash kernel, in ms.
    pub client_gap_ms: f64,
    /// From the entry of the crash kernel to its first program, by its own clock, in ms. Checksums and decompression
    /// come before that and are not counted.
    pub crash_boot_ms: f64,
    /// Lines acknowledged before the death.
    pub acknowledged: u64,
    /// Of those, missing afterwards.
    pub lost: u64,
}

impl KdumpRun {
    /// Formats the run for tools.
    pub fn json(&self) -> Value {
        json!({
            "kernel": self.release,
            "client_gap_ms": self.client_gap_ms,
            "crash_boot_ms": self.crash_boot_ms,
            "files_acked": self.acknowledged,
            "files_lost": self.lost,
        })
    }
}

/// What became of a hang of all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HangRun {
    /// Whether a crash kernel was entered.
    pub is_survived: bool,
    /// Whether the first kernel's NMI watchdog could run: it needs performance counters, which emulated CPUs do not
    /// have.
    pub has_nmi_watchdog: bool,
}

/// The peer of one series of kernels, ready to be started any number of times.
pub struct Peer {
    name: String,
    kernel: LinuxKernel,
    initrd: PathBuf,
}

impl Peer {
    /// Fetches the kernel and builds the two initrds.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; something does not build.
    pub fn new(source: &KernelSource) -> Result<Self, Problem> {
        setup::check(&LocalSystem)?;
        linux_kit::check()?;
        let packages = PackageStore::new(&LocalSystem, Cache::of_user()?);
        let (kernel, busybox) = (packages.kernel_of(source)?, packages.busybox()?);
        let name = format!("linux-kdump-{}", kernel.release);
        let scratch = paths::scratch(&name);
        let crash_initrd = crash_initrd(&kernel, &busybox, &scratch.join("crash.cpio"))?;
        let initrd = scratch.join("initrd.cpio");
        files::write(&initrd, &first_initrd(&kernel, &busybox, &crash_initrd)?)?;
        Ok(Self {
            name,
            kernel,
            initrd,
        })
    }

    /// Lets the kernel panic, and measures how long a client is without a reply.
    ///
    /// # Errors
    /// It does not come up, the crash kernel does not come back, or what was acknowledged is not there.
    pub fn panic(&self) -> Result<KdumpRun, Problem> {
        let machine = self.start("panic")?;
        let port = machine.port()?;
        let client = GapProbe::start(port);
        for number in 0..LINES {
            let line = format!("line {number}");
            let reply = ask(port, "POST", "/append?file=0", line.as_bytes())?;
            require_equal("the answer to an append", reply.status, 200)?;
        }
        let died = Instant::now();
        kill(port, "panic");
        wait_for_crash_kernel(port, died)?;
        let seen = client.end();
        let handover = seen.handover().ok_or_else(|| {
            Problem::Failed("the client saw no reply before or none after the death".into())
        })?;
        let text = ask(port, "GET", "/file?file=0", b"")?.text();
        let userspace: Logged<CrashUserspace> = machine.wait_logged()?;
        let lost = (0..LINES).filter(|number| !text.lines().any(|l| l == format!("line {number}")));
        Ok(KdumpRun {
            release: self.kernel.release.clone(),
            client_gap_ms: handover.gap.as_secs_f64() * 1e3,
            crash_boot_ms: userspace.time_us as f64 / 1e3,
            acknowledged: LINES,
            lost: lost.count() as u64,
        })
    }

    /// Lets all CPUs hang with interrupts off.
    ///
    /// # Errors
    /// It does not come up, or goes on as if nothing had happened.
    pub fn hang(&self) -> Result<HangRun, Problem> {
        let machine = self.start("hang")?;
        let ready: Ready = machine.wait_event()?;
        let port = machine.port()?;
        let died = Instant::now();
        kill(port, "hang");
        let is_survived = match wait_for_crash_kernel(port, died) {
            Ok(()) => true,
            // A crash kernel that has begun may only be slow.
            Err(Problem::TimedOut(_)) => !machine.console().events::<CrashUserspace>().is_empty(),
            Err(problem) => return Err(problem),
        };
        Ok(HangRun {
            is_survived,
            has_nmi_watchdog: ready.nmi_watchdog == Some(1),
        })
    }

    /// Starts a machine and waits until it serves with the crash kernel loaded.
    fn start(&self, death: &str) -> Result<QemuMachine, Problem> {
        let name = format!("{}-{death}", self.name);
        let disk = paths::scratch(&name).join("data.img");
        file_system::make_disk(&disk)?;
        let launch = Launch {
            kernel: self.kernel.image.clone(),
            archive: self.initrd.clone(),
            log: paths::fresh_log(&name)?,
            limit: LIMIT,
            is_echoed: false,
        };
        let mut arguments = Hardware::default().arguments(&[&disk]);
        arguments.extend(["-append", FIRST_WORDS].map(String::from));
        let machine = QemuMachine::start_with(&arguments, &launch)?;
        let ready: Ready = machine.wait_event()?;
        require_equal("crash_loaded", ready.crash_loaded, Some(1))?;
        let identity = ask(machine.port()?, "GET", "/", b"")?.text();
        require(identity.contains("\"role\":\"primary\""), || {
            format!("the first kernel says it is {identity}")
        })?;
        Ok(machine)
    }
}

fn crash_initrd(kernel: &LinuxKernel, busybox: &Path, path: &Path) -> Result<Vec<u8>, Problem> {
    let bytes = Initrd::new(busybox, include_str!("crash-init.sh"))?
        .modules(&ModuleTree::of(kernel)?.in_order(&CRASH_MODULES)?)
        .program("/bin/linux-guest", &files::read(&guest::build()?)?)
        .finish();
    files::write(path, &bytes)?;
    // Before the crash kernel is entered, a slow SHA-256 checks all that was loaded: a packed initrd is quicker in all.
    let packed = path.with_extension("cpio.gz");
    tools::run("gzip", &["-9nf", &path.to_string_lossy()], "", LIMIT)?;
    files::read(&packed)
}

fn first_initrd(
    kernel: &LinuxKernel,
    busybox: &Path,
    crash_initrd: &[u8],
) -> Result<Vec<u8>, Problem> {
    let faults = module::build(kernel, &module::source().join("tests"))?;
    Ok(Initrd::new(busybox, include_str!("first-init.sh"))?
        .modules(&ModuleTree::of(kernel)?.in_order(&USUAL_MODULES)?)
        .modules(&faults)
        .program("/bin/linux-guest", &files::read(&guest::build()?)?)
        .program(
            "/bin/crash-load",
            &files::read(&guest::build_crash_loader()?)?,
        )
        .file("/kdump/vmlinuz", &files::read(&kernel.image)?)
        .file("/kdump/initrd", crash_initrd)
        .file("/kdump/cmdline", CRASH_WORDS.as_bytes())
        .finish())
}

fn ask(port: u16, method: &str, target: &str, body: &[u8]) -> Result<HttpReply, Problem> {
    http::request(port, method, target, body, PATIENCE)
        .map_err(|error| Problem::Failed(format!("{method} {target}: {error}")))
}

/// Kills by the same fault as the demonstration does. The request gets no answer.
fn kill(port: u16, fault: &str) {
    let _ = http::request(
        port,
        "POST",
        "/fault",
        fault.as_bytes(),
        Duration::from_secs(1),
    );
}

/// Waits until the crash kernel serves the disk.
fn wait_for_crash_kernel(port: u16, died: Instant) -> Result<(), Problem> {
    while died.elapsed() < SURVIVAL_LIMIT {
        let identity = http::request(port, "GET", "/", b"", Duration::from_millis(500));
        let identity = identity.map_or_else(|_| String::new(), |reply| reply.text());
        if identity.contains("\"role\":\"crash\"") {
            return Ok(());
        }
        require(!identity.contains("\"role\":\"primary\""), || {
            "the first kernel is still alive after its death".into()
        })?;
        thread::sleep(Duration::from_millis(50));
    }
    Err(Problem::TimedOut(format!(
        "no crash kernel serves {} s after the death",
        SURVIVAL_LIMIT.as_secs()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crash_kernel_has_memory_and_needs_one_cpu() {
        assert!(
            FIRST_WORDS
                .split(' ')
                .any(|word| word == "crashkernel=192M")
        );
        assert!(CRASH_WORDS.split(' ').any(|word| word == "nr_cpus=1"));
        // Debian's kernels take no more than this.
        assert!(CRASH_WORDS.len() < 1024 && !CRASH_WORDS.contains("  "));
        assert!(!CRASH_WORDS.contains("crashkernel="));
    }
}
