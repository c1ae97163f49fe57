//! Loading a new backup, giving it up, and handing over to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use partition::linux::{BzImage, layout};
use sharedmem::linux::{ARGUMENTS, Answer, Command, ImageSource};
use sharedmem::protection::ProtectionState;

use crate::device::{self, Device, Info, ROLE_PRIMARY};
use crate::park::tell;
use crate::problem::Problem;
use crate::system::Sysfs;

/// The monitor looks into its mailbox every few milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// From entry to parked; the monitor itself gives a Linux 60 s.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// What the operator wants loaded.
pub struct Image {
    /// The bzImage.
    pub kernel: PathBuf,
    /// Its initrd.
    pub initrd: Option<PathBuf>,
    /// Its command line.
    pub cmdline: String,
}

/// Loads a backup, and waits until it protects this kernel.
///
/// # Errors
/// The image, the CPU or the monitor refuses; the backup does not come up.
pub fn arm(device: &Device, image: Option<&Image>, cpu: Option<u32>) -> Result<(), Problem> {
    if device.info.role != ROLE_PRIMARY && device.fresh_info()?.role != ROLE_PRIMARY {
        return Err(Problem::No("only the primary loads a backup".into()));
    }
    let sysfs = Sysfs::default();
    let (cpu, core) = lent(&sysfs, cpu)?;
    let mut arguments = [0; ARGUMENTS];
    match image {
        Some(image) => {
            arguments[1] = ImageSource::Staged as u64;
            for (slot, word) in arguments[2..]
                .iter_mut()
                .zip(stage(device, image)?.as_flattened())
            {
                *slot = *word;
            }
        }
        // The other instance's image.
        None if device.info.instance == 0 => arguments[1] = ImageSource::Failover as u64,
        None => arguments[1] = ImageSource::Primary as u64,
    }
    arguments[0] = core.into();
    sysfs.set_cpu_online(cpu, false)?;
    let armed = order(device, Command::Arm, arguments).and_then(|()| wait_until_armed(device));
    // Whatever became of the backup, the core is this kernel's again.
    let returned = sysfs.set_cpu_online(cpu, true);
    armed.and(returned)?;
    tell("event=rearmed");
    Ok(())
}

/// The CPU that is lent, and its machine number: they are the same core by its APIC id.
fn lent(sysfs: &Sysfs, cpu: Option<u32>) -> Result<(u32, u32), Problem> {
    let removable = sysfs.removable_cpus();
    let online = removable.iter().rev().find(|cpu| sysfs.is_online(**cpu));
    let cpu = match cpu {
        Some(cpu) if removable.contains(&cpu) => cpu,
        Some(cpu) => {
            return Err(Problem::No(format!(
                "CPU {cpu} cannot be lent; these can: {removable:?}"
            )));
        }
        None => *online.ok_or_else(|| {
            Problem::No("there is no CPU to lend: a backup needs one while it boots".into())
        })?,
    };
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").map_err(Problem::with("/proc/cpuinfo"))?;
    let apic_id = sysfs
        .apic_id(cpu, &cpuinfo)
        .ok_or_else(|| Problem::No(format!("/proc/cpuinfo has no APIC id of CPU {cpu}")))?;
    let core = hand_off_core(apic_id)?;
    Ok((cpu, core))
}

/// The machine number of a core by its APIC id, from the monitor's own table.
fn hand_off_core(apic_id: u32) -> Result<u32, Problem> {
    use sharedmem::linux::LinuxHandOff;
    use std::mem::offset_of;
    const TABLE: &str = "/sys/firmware/acpi/tables/UNDS";
    const HEADER_BYTES: usize = 36;
    let table = fs::read(TABLE).map_err(Problem::with(TABLE))?;
    let word = |offset: usize| {
        let bytes = table.get(HEADER_BYTES + offset..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    };
    let count = word(offset_of!(LinuxHandOff, core_count))
        .unwrap_or(0)
        .min(32) as usize;
    (0..count)
        .find(|index| word(offset_of!(LinuxHandOff, core_apic_ids) + 4 * index) == Some(apic_id))
        .and_then(|index| word(offset_of!(LinuxHandOff, core_numbers) + 4 * index))
        .ok_or_else(|| Problem::No(format!("{TABLE}: no core with APIC id {apic_id}")))
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(Problem::with(path.display()))
}

/// Checks an image and puts it into the upper half of the spare slot, where the monitor takes it from.
fn stage(device: &Device, image: &Image) -> Result<[[u64; 2]; 3], Problem> {
    let kernel = read(&image.kernel)?;
    let initrd = image.initrd.as_deref().map(read).transpose()?;
    let initrd = initrd.unwrap_or_default();
    check(&device.info, image, &kernel, initrd.len() as u64)?;
    let half = (device.info.spare[1] / 2) & !0xfff;
    device.stage(half, [&kernel, &initrd, image.cmdline.as_bytes()])
}

fn check(info: &Info, image: &Image, kernel: &[u8], initrd_bytes: u64) -> Result<(), Problem> {
    let name = image.kernel.display();
    let parsed = BzImage::parse(kernel).map_err(|error| Problem::No(format!("{name}: {error}")))?;
    let needed = layout::needed_bytes(&parsed, initrd_bytes);
    match needed > info.spare[1] {
        true => Err(Problem::No(format!(
            "{name}: it needs {} MiB, the spare slot has {} MiB; boot with failover_mem={}M",
            needed >> 20,
            info.spare[1] >> 20,
            needed >> 20
        ))),
        false => Ok(()),
    }
}

/// Asks the monitor for something without arguments.
///
/// # Errors
/// It refuses.
pub fn ask(device: &Device, command: Command) -> Result<(), Problem> {
    order(device, command, [0; ARGUMENTS])
}

fn order(device: &Device, command: Command, arguments: [u64; ARGUMENTS]) -> Result<(), Problem> {
    let mailbox = &device.control().mailbox;
    let number = mailbox.ask(command, arguments);
    let until = Instant::now() + ANSWER_LIMIT;
    loop {
        match mailbox.answer(number) {
            Some((Answer::Accepted, _)) => return Ok(()),
            Some((Answer::Refused, text)) => return Err(Problem::No(text.as_str().into())),
            None if Instant::now() > until => {
                return Err(Problem::No("the monitor does not answer".into()));
            }
            None => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// The protection word says when it is ready; while it gets ready, the monitor's mailbox refuses a second request, which tells that from a loss.
fn wait_until_armed(device: &Device) -> Result<(), Problem> {
    let until = Instant::now() + BOOT_LIMIT;
    while Instant::now() < until {
        if device.control().protection.state() == ProtectionState::Armed {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(Problem::No(
        "the backup did not come up; `understudyctl log` may say why".into(),
    ))
}

/// Hands over to the backup.
///
/// # Errors
/// There is none, or the monitor does not react.
pub fn switch(device: &Device) -> Result<(), Problem> {
    if device.control().protection.state() != ProtectionState::Armed {
        return Err(Problem::No(
            "there is no backup to hand over to; `understudyctl arm` loads one".into(),
        ));
    }
    device::sync();
    Err(device.switch_over())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_none_or_too_large_is_refused_before_it_is_staged() {
        let image = Image {
            kernel: "/boot/x".into(),
            initrd: None,
            cmdline: String::new(),
        };
        let info = Info {
            spare: [0x1000_0000, 64 << 20],
            ..Info::default()
        };
        let problem = check(&info, &image, b"no kernel", 0).unwrap_err();
        assert!(
            problem
                .to_string()
                .starts_with("/boot/x: not a sound Linux image")
        );
        assert_eq!(problem.exit_code(), 1);
    }
}
