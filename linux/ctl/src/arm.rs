//! Loading a new backup.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use partition::linux::{BzImage, layout};
use sharedmem::Instance;
use sharedmem::device::DeviceInfo;
use sharedmem::event::Rearmed;
use sharedmem::mailbox::{ARGUMENTS, Command, ImageSource};
use sharedmem::protection::ProtectionState;

use crate::cpus;
use crate::hand_off::HandOff;
use crate::mailbox::{self, Before, Loading};
use crate::module::Module;
use crate::problem::Problem;
use crate::root::Root;

const PAGE_BYTES: u64 = 4096;

/// What the operator wants loaded.
pub struct Image {
    /// The bzImage.
    pub kernel: PathBuf,
    /// Its initrd.
    pub initrd: Option<PathBuf>,
    /// Its command line.
    pub cmdline: String,
}

/// How a backup is to be loaded.
#[derive(Default)]
pub struct Wish {
    /// What; without it, the other image of the boot line.
    pub image: Option<Image>,
    /// The CPU to lend.
    pub cpu: Option<u32>,
    /// How long it may take from the order to its being parked.
    pub limit: Duration,
}

/// Loads a backup, and waits until it protects this kernel. Lines of the monitor's log meanwhile go to `progress`.
///
/// # Errors
/// The image, the CPU or the monitor refuses; the backup does not come up.
pub fn arm(
    module: &dyn Module,
    root: &Root,
    wish: &Wish,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Problem> {
    let info = module.info()?;
    if !info.is_primary() {
        return Err(Problem::No("only the primary loads a backup".into()));
    }
    if module.control().protection.state() == ProtectionState::Armed {
        return Err(Problem::No(
            "a backup is ready already; `understudyctl disarm` gives it up".into(),
        ));
    }
    let (cpu, core) = lent(root, &info, wish.cpu)?;
    let [_, source, places @ ..] = match &wish.image {
        Some(image) => stage(module, &info, image)?,
        None => [0, other_image(&info) as u64, 0, 0, 0, 0, 0, 0],
    };
    let arguments = [&[core.into(), source][..], &places].concat();
    let arguments = <[u64; ARGUMENTS]>::try_from(arguments).unwrap_or_default();
    lend(module, root, cpu, arguments, wish.limit, progress)?;
    root.tell(Rearmed {});
    Ok(())
}

/// The other instance's image, by the boot line.
fn other_image(info: &DeviceInfo) -> ImageSource {
    match info.instance() {
        Instance::A => ImageSource::Failover,
        Instance::B => ImageSource::Primary,
    }
}

/// The CPU that is lent, and its machine number: they are the same core by its APIC id.
fn lent(root: &Root, info: &DeviceInfo, cpu: Option<u32>) -> Result<(u32, u32), Problem> {
    let mut able = cpus::removable(root);
    able.retain(|cpu| *cpu != 0 && cpus::is_online(root, *cpu));
    let cpu = match cpu {
        Some(cpu) if able.contains(&cpu) => cpu,
        Some(cpu) => {
            return Err(Problem::Usage(format!(
                "CPU {cpu} cannot be lent; these can: {able:?}"
            )));
        }
        None => {
            let beats = |cpu: &&u32| **cpu == info.lead_cpu;
            // The one that sends the keepalives only if there is no other.
            let mut others = able.iter().rev().filter(|cpu| !beats(cpu));
            *others.next().or(able.last()).ok_or_else(|| {
                Problem::No(
                    "there is no CPU to lend: a backup needs one while it boots, and CPU 0 stays"
                        .into(),
                )
            })?
        }
    };
    let apic_id = cpus::apic_id(root, cpu)
        .ok_or_else(|| Problem::No(format!("/proc/cpuinfo has no APIC id of CPU {cpu}")))?;
    let core = HandOff::read(root)?.core_of(apic_id).ok_or_else(|| {
        Problem::No(format!(
            "CPU {cpu} with APIC id {apic_id} is none of the cores that the monitor gave this kernel"
        ))
    })?;
    Ok((cpu, core))
}

/// Lends `cpu` for as long as the monitor needs it.
fn lend(
    module: &dyn Module,
    root: &Root,
    cpu: u32,
    arguments: [u64; ARGUMENTS],
    limit: Duration,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Problem> {
    let _uninterrupted = Uninterrupted::begin();
    let control = module.control();
    let before = Before::of(control);
    cpus::set_online(root, cpu, false)?;
    progress(&format!("CPU {cpu} is lent to the backup while it boots"));
    let outcome = mailbox::order(control, Command::Arm, arguments)
        .map(|()| mailbox::await_backup(control, before, limit, progress));
    if let Ok(Loading::GoesOn) = outcome {
        // The monitor will stop the core that it was lent. It must not be this kernel's by then, or this kernel would miss it.
        return Err(Problem::No(format!(
            "the backup is not ready after {} s. CPU {cpu} stays offline, as the monitor still has it: when `understudyctl log` ends with the backup's loss, \
             or `understudyctl status` says protected, bring it back by: echo 1 > /sys/devices/system/cpu/cpu{cpu}/online",
            limit.as_secs()
        )));
    }
    let returned = cpus::set_online(root, cpu, true);
    match outcome? {
        Loading::Lost(loss) => Err(Problem::No(format!(
            "the backup did not come up: {loss}; `understudyctl log` has more"
        ))),
        Loading::Armed | Loading::GoesOn => returned,
    }
}

/// While this is there, no key and no `kill` ends the program: nobody would bring the CPU back.
struct Uninterrupted(Option<SigSet>);

impl Uninterrupted {
    fn begin() -> Self {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        let before = SigSet::thread_get_mask().ok();
        Self(before.filter(|_| set.thread_block().is_ok()))
    }
}

impl Drop for Uninterrupted {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = before.thread_set_mask();
        }
    }
}

/// Checks an image and puts it into the upper half of the spare slot: from there the monitor moves it down, and the initrd up.
fn stage(
    module: &dyn Module,
    info: &DeviceInfo,
    image: &Image,
) -> Result<[u64; ARGUMENTS], Problem> {
    let kernel = read(&image.kernel)?;
    let initrd = image.initrd.as_deref().map(read).transpose()?;
    let initrd = initrd.unwrap_or_default();
    check(info, image, &kernel, initrd.len() as u64)?;
    let line = image.cmdline.as_bytes();
    let (start, bytes) = (info.spare_start, info.spare_bytes);
    let page_after =
        |offset: u64, part: &[u8]| (offset + part.len() as u64).next_multiple_of(PAGE_BYTES);
    let kernel_at = (bytes / 2) & !(PAGE_BYTES - 1);
    let initrd_at = page_after(kernel_at, &kernel);
    let line_at = page_after(initrd_at, &initrd);
    module.stage(&[(kernel_at, &kernel), (initrd_at, &initrd), (line_at, line)])?;
    let place = |at: u64, part: &[u8]| match part.is_empty() {
        true => [0, 0],
        false => [start + at, part.len() as u64],
    };
    let [k, i, l] = [
        place(kernel_at, &kernel),
        place(initrd_at, &initrd),
        place(line_at, line),
    ];
    let source = ImageSource::Staged as u64;
    Ok([0, source, k[0], k[1], i[0], i[1], l[0], l[1]])
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(Problem::with(path.display()))
}

fn check(
    info: &DeviceInfo,
    image: &Image,
    kernel: &[u8],
    initrd_bytes: u64,
) -> Result<(), Problem> {
    let name = image.kernel.display();
    let parsed = BzImage::parse(kernel).map_err(|error| Problem::No(format!("{name}: {error}")))?;
    let needed = layout::needed_bytes(&parsed, initrd_bytes);
    let there = info.spare_bytes;
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    if needed > there {
        return Err(Problem::No(format!(
            "{name}: it needs {} MiB, the spare slot has {} MiB; boot with failover_mem={}M",
            mib(needed),
            mib(there),
            mib(needed)
        )));
    }
    if image.cmdline.len() > parsed.cmdline_max {
        return Err(Problem::No(format!(
            "{name}: it takes a command line of {} bytes, this one has {}",
            parsed.cmdline_max,
            image.cmdline.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
#[path = "arm_tests.rs"]
pub mod tests;
