//! Loads a new backup.

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
use crate::virtualization::{Outlook, Virtualization};

const PAGE_BYTES: u64 = 4096;

/// An image of the operator's.
pub struct Image {
    /// The bzImage.
    pub kernel: PathBuf,
    /// Its initrd.
    pub initrd: Option<PathBuf>,
    /// Its command line.
    pub cmdline: String,
}

/// How to load a backup.
#[derive(Default)]
pub struct Request {
    /// The image; if `None`, the other image of the boot line.
    pub image: Option<Image>,
    /// The CPU to lend; if `None`, the last one.
    pub cpu: Option<u32>,
    /// How long it may take from the request until the backup is parked.
    pub limit: Duration,
}

/// Loads a backup, and waits until it protects this kernel. Meanwhile, new lines of the monitor's log go to `progress`.
///
/// # Errors
/// Returns an error if the image, the CPU or the monitor refuses, or if the backup does not come up.
pub fn arm(
    module: &dyn Module,
    root: &Root,
    request: &Request,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Problem> {
    let info = module.info()?;
    if !info.is_primary() {
        return Err(Problem::No("only the primary can load a backup".into()));
    }
    if module.control().protection.state() == ProtectionState::Armed {
        return Err(Problem::No(
            "a backup is ready already; `understudyctl disarm` removes it".into(),
        ));
    }
    let virtualization = Virtualization::of(root);
    if virtualization.outlook() != Outlook::Good {
        return Err(Problem::No(format!(
            "a backup could not take over from this kernel: {}",
            virtualization.text()
        )));
    }
    let (cpu, core) = lent(root, &info, request.cpu)?;
    let [_, source, places @ ..] = match &request.image {
        Some(image) => stage(module, &info, image)?,
        None => [0, other_image(&info).number(), 0, 0, 0, 0, 0, 0],
    };
    let arguments = [&[core.into(), source][..], &places].concat();
    let arguments = <[u64; ARGUMENTS]>::try_from(arguments).unwrap_or_default();
    lend(module, root, cpu, arguments, request.limit, progress)?;
    root.log(Rearmed {});
    Ok(())
}

/// Returns which image of the boot line is the other instance's.
fn other_image(info: &DeviceInfo) -> ImageSource {
    match info.instance() {
        Instance::A => ImageSource::Failover,
        Instance::B => ImageSource::Primary,
    }
}

/// Returns the CPU to lend and its machine number. The APIC id shows that both are the same core.
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
            // The CPU that sends the keepalives is lent only if there is no other.
            let mut others = able.iter().rev().filter(|cpu| !beats(cpu));
            *others.next().or(able.last()).ok_or_else(|| {
                Problem::No(
                    "no CPU can be lent: a backup needs one while it boots, and CPU 0 cannot go"
                        .into(),
                )
            })?
        }
    };
    let apic_id = cpus::apic_id(root, cpu)
        .ok_or_else(|| Problem::No(format!("/proc/cpuinfo has no APIC id of CPU {cpu}")))?;
    let core = HandOff::read(root)?.core_of(apic_id).ok_or_else(|| {
        Problem::No(format!(
            "CPU {cpu} with APIC id {apic_id} is not one of this kernel's cores, by the monitor's list"
        ))
    })?;
    Ok((cpu, core))
}

/// Lends `cpu` while the monitor needs it.
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
    let outcome = mailbox::order(module, Command::Arm, arguments)
        .map(|_| mailbox::await_backup(control, before, limit, progress));
    if let Ok(Loading::GoesOn) = outcome {
        // The monitor is going to stop the lent core. This kernel would miss the core if it had taken it back by then.
        return Err(Problem::No(format!(
            "the backup is not ready after {} s. CPU {cpu} stays offline, because the monitor still has it. Once \
             `understudyctl status` says protected, or counts another lost backup, bring the CPU back by: \
             echo 1 > /sys/devices/system/cpu/cpu{cpu}/online",
            limit.as_secs()
        )));
    }
    let returned = cpus::set_online(root, cpu, true);
    match outcome? {
        Loading::Lost(loss) => Err(Problem::No(format!(
            "the backup did not come up: {loss}; `understudyctl log` says more"
        ))),
        Loading::Armed | Loading::GoesOn => returned,
    }
}

/// Blocks keys and signals that would end the program, because nothing else would bring the CPU back.
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

/// Checks an image, and writes it into the upper half of the spare slot. From there the monitor moves the kernel down,
/// and the initrd up.
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
    let source = ImageSource::Staged.number();
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
            "{name}: it needs {} MiB, but the spare slot has {} MiB; boot with failover_mem={}M",
            mib(needed),
            mib(there),
            mib(needed)
        )));
    }
    if image.cmdline.len() > parsed.cmdline_max {
        return Err(Problem::No(format!(
            "{name}: it takes a command line of up to {} bytes, this one has {}",
            parsed.cmdline_max,
            image.cmdline.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
#[path = "arm_tests.rs"]
pub mod tests;
