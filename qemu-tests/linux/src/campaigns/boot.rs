//! A plain boot of a distribution's kernel, without a monitor: shows that kernel, initrd and service work together.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sharedmem::event::{DataMounted, DaxMounted, ModuleMissing, NetworkUp, Ready, Userspace};

use harness::console::Logged;
use harness::linux::http::{self, HttpReply};
use harness::machine::{Launch, QemuMachine};
use harness::problem::{Problem, require, require_equal};
use harness::setup::{self, LocalSystem};
use harness::{files, paths};
use linux_kit::cache::Cache;
use linux_kit::hardware::Hardware;
use linux_kit::initrd::{Initrd, USUAL_MODULES};
use linux_kit::kmod::ModuleTree;
use linux_kit::packages::{LinuxKernel, PackageStore, Series};
use linux_kit::{file_system, guest, module};

/// A boot takes 4 to 10 s under translation on a quiet host.
const LIMIT: Duration = Duration::from_secs(120);

/// A request takes milliseconds.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// Words that make the boot short and quiet, and a RAM disk; no other word is needed.
const COMMAND_LINE: &str = "console=ttyS0 printk.devkmsg=on no5lvl mitigations=off random.trust_cpu=on \
    cryptomgr.notests memmap=64M!256M";

/// Boots the newest kernel of a series on one CPU and tries its service. Prints the console. `own_module` is the source
/// of a module that is built and loaded, too.
///
/// # Errors
/// `Skipped` where the packages cannot be had; anything that the guest does wrong.
pub fn run(series: Series, own_module: Option<&Path>) -> Result<(), Problem> {
    setup::check(&LocalSystem)?;
    linux_kit::check()?;
    let packages = PackageStore::new(&LocalSystem, Cache::of_user()?);
    let kernel = packages.kernel(series)?;
    let initrd = initrd(&kernel, &packages.busybox()?, own_module)?;
    let name = format!("linux-boot-{}", series.name());
    let disk = paths::scratch(&name).join("data.img");
    file_system::make_disk(&disk)?;
    let launch = Launch {
        kernel: kernel.image.clone(),
        archive: initrd,
        log: paths::fresh_log(&name)?,
        limit: LIMIT,
        is_echoed: true,
    };
    let started = Instant::now();
    let hardware = Hardware {
        cpus: 1,
        memory: "512M",
        has_x2apic: false,
        ..Hardware::default()
    };
    let mut arguments = hardware.arguments(&[&disk]);
    arguments.extend(["-append", COMMAND_LINE].map(String::from));
    let machine = QemuMachine::start_with(&arguments, &launch)?;
    let userspace: Logged<Userspace> = machine.wait_logged()?;
    require_equal(
        "the guest's kernel",
        userspace.event.kernel.as_str(),
        &kernel.release,
    )?;
    let ready: Logged<Ready> = machine.wait_logged()?;
    let console = machine.console();
    for (what, count) in [
        ("its disk", console.events::<DataMounted>().len()),
        ("its RAM disk", console.events::<DaxMounted>().len()),
        ("its address", console.events::<NetworkUp>().len()),
    ] {
        require(count > 0, || format!("the guest is ready without {what}"))?;
    }
    if let Some(missing) = console.events::<ModuleMissing>().first() {
        return Err(Problem::Failed(format!("{} does not load", missing.name)));
    }
    try_service(machine.port()?, &kernel.release)?;
    machine.end();
    println!(
        "linux-boot: Linux {}: userspace after {:.1} s of its time, ready after {:.1} s; \
         all answered after {:.1} s of ours",
        kernel.release,
        userspace.time_us as f64 / 1e6,
        ready.time_us as f64 / 1e6,
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn initrd(
    kernel: &LinuxKernel,
    busybox: &Path,
    own_module: Option<&Path>,
) -> Result<PathBuf, Problem> {
    let modules = ModuleTree::of(kernel)?.in_order(&USUAL_MODULES)?;
    let own = own_module.map_or(Ok(Vec::new()), |source| module::build(kernel, source))?;
    let bytes = Initrd::new(busybox, include_str!("plain-init.sh"))?
        .modules(&modules)
        .modules(&own)
        .program("/bin/linux-guest", &files::read(&guest::build()?)?)
        .finish();
    let path = paths::artifacts().join(format!("initrd-plain-{}.cpio", kernel.release));
    files::write(&path, &bytes)?;
    println!("linux-boot: initrd of {} KiB", bytes.len() >> 10);
    Ok(path)
}

/// Tries everything that the service can do.
fn try_service(port: u16, release: &str) -> Result<(), Problem> {
    let ask = |method: &str, target: &str, body: &[u8]| -> Result<HttpReply, Problem> {
        let started = Instant::now();
        let reply = http::request(port, method, target, body, REQUEST_LIMIT)
            .map_err(|error| Problem::Failed(format!("{method} {target}: {error}")))?;
        let took = started.elapsed();
        println!(
            "linux-boot: {method} {target}: {} in {took:.1?}",
            reply.status
        );
        require(reply.status == 200, || {
            format!("{method} {target}: {}", reply.text())
        })?;
        Ok(reply)
    };
    let identity = ask("GET", "/", b"")?.text();
    require(
        identity.contains(&format!("\"kernel\":\"{release}\"")),
        || format!("the service says it is {identity}"),
    )?;
    ask("POST", "/append?file=1", b"one")?;
    ask("POST", "/append?file=1", b"two")?;
    require_equal(
        "the file",
        ask("GET", "/file?file=1", b"")?.text(),
        "one\ntwo\n".into(),
    )?;
    let bytes: Vec<u8> = (0..100_000_u32).map(|index| (index % 251) as u8).collect();
    ask("PUT", "/dax?at=4096", &bytes)?;
    let read = ask("GET", "/dax?at=4096&len=100000", b"")?.body;
    require(read == bytes, || {
        "other bytes come back from DAX than went in".into()
    })
}
