//! What a machine is made of, and the arguments that say so to QEMU.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::images::{BACKUP_PATH, PRIMARY_PATH};

/// Where the guest's instructions are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// By the host's processors.
    Kvm,
    /// By translation, one host thread per core.
    Tcg,
    /// By translation, one instruction after the other, time being the count of instructions: the same in every run.
    Model,
}

impl Accel {
    /// Says how to read figures that come from it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Tcg => "TCG, a thread per core: not hardware latency",
            Self::Model => {
                "deterministic model (TCG icount, 1 instruction = 8 ns), not hardware latency"
            }
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
            Self::Model => "model",
        })
    }
}

/// The machine's chipset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Chipset {
    /// PCI Express, from 2009 on.
    #[default]
    Q35,
    /// Its predecessor, of 1996.
    Pc,
}

/// The host's port at which the service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostPort {
    /// One that is free.
    #[default]
    Any,
    /// This one.
    Fixed(u16),
}

/// Both ends of a cable on which a test reads and sends frames, as files: sockets of datagrams, one frame each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireEnds {
    /// The test's end.
    pub ours: PathBuf,
    /// The machine's end.
    pub machines: PathBuf,
}

/// A machine to be started.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    /// What its files are called.
    pub name: String,
    /// CPUs.
    pub cpus: u32,
    /// What `-smp` says behind their number, for a machine of several sockets or with room for more CPUs.
    pub topology: String,
    /// Memory, as QEMU takes it.
    pub memory: String,
    /// Accelerator.
    pub accel: Accel,
    /// Chipset.
    pub chipset: Chipset,
    /// What the board has not, or has besides, as QEMU's `-machine` takes it: such as `pit=off`.
    pub board: Vec<&'static str>,
    /// Whether it has a serial port; without one, nothing of it is heard.
    pub has_serial: bool,
    /// QEMU's name of the CPU: `max` has x2APIC, `qemu64` has not.
    pub cpu: String,
    /// What the boot line says beyond the usual; the last of several wins.
    pub append: String,
    /// The host's port.
    pub port: HostPort,
    /// The cable that leads to the same hub as the machine's card, if there is one. QEMU's network then takes nothing
    /// that begins on the cable.
    pub wire: Option<WireEnds>,
    /// The IOMMU, as QEMU's `-device` takes it: the machine's card and disk are behind it. Empty if there is none.
    pub iommu: String,
    /// Further devices, as QEMU's `-device` takes them.
    pub devices: Vec<String>,
    /// Further arguments of QEMU, as they are.
    pub emulator: Vec<String>,
    /// Whether a reset boots it again; else QEMU ends, as a test that does not expect one had better notice.
    pub may_reset: bool,
    /// Whether the board lets the chipset's watchdog reset the machine.
    pub has_watchdog: bool,
}

impl MachineSpec {
    /// Describes the usual machine: 4 CPUs with all features, 512 MiB, q35.
    pub fn new(name: impl Into<String>, accel: Accel) -> Self {
        Self {
            name: name.into(),
            cpus: 4,
            topology: String::new(),
            memory: "512M".into(),
            accel,
            chipset: Chipset::Q35,
            board: Vec::new(),
            has_serial: true,
            cpu: "max".into(),
            append: String::new(),
            port: HostPort::Any,
            wire: None,
            iommu: String::new(),
            devices: Vec::new(),
            emulator: Vec::new(),
            may_reset: false,
            has_watchdog: false,
        }
    }

    /// Appends `text` to the boot line.
    #[must_use]
    pub fn append(mut self, text: &str) -> Self {
        self.append = format!("{} {text}", self.append).trim().into();
        self
    }

    /// Returns the boot line. Its time-out is longer than the host may stop a core. In the model the host stops no
    /// core, and the time-out is the guest's default.
    pub fn boot_line(&self) -> String {
        let mut line = format!(
            "primary_kernel={PRIMARY_PATH} failover_kernel={BACKUP_PATH} failover_mem=128M"
        );
        match self.accel {
            Accel::Kvm => line += " failover_timeout=50ms",
            Accel::Tcg => line += " failover_timeout=250ms",
            // QEMU 10 aborts ("Bad icount read") when a guest sets its timer through x2APIC's registers while
            // instructions are counted.
            Accel::Model => line += " apic=xapic",
        }
        if !self.append.is_empty() {
            line += &format!(" {}", self.append);
        }
        line
    }

    /// Says whether it has an incident disk. In the model it has none: disk I/O would differ from run to run.
    pub fn has_disk(&self) -> bool {
        self.accel != Accel::Model
    }

    /// Returns QEMU's arguments.
    pub fn arguments(
        &self,
        kernel: &Path,
        archive: &Path,
        disk: &Path,
        control_socket: &str,
    ) -> Vec<String> {
        let mut list = self.hardware(disk);
        list.extend(usual_arguments(kernel, archive, control_socket));
        list.extend(["-append".into(), self.boot_line()]);
        list.extend(self.emulator.iter().cloned());
        if !self.has_serial {
            let port = list.iter_mut().filter(|word| *word == CONSOLE);
            port.for_each(|word| *word = "none".into());
        }
        if self.may_reset {
            list.retain(|word| word != NO_RESET);
        }
        list
    }

    /// Returns the part of QEMU's arguments that describes the hardware.
    pub fn hardware(&self, disk: &Path) -> Vec<String> {
        let mut list = Arguments::default();
        let chipset = match self.chipset {
            Chipset::Q35 => "q35",
            Chipset::Pc => "pc",
        };
        let board = self.board.iter().copied();
        let parts: Vec<&str> = [chipset].into_iter().chain(board).collect();
        list.add("-machine", parts.join(","));
        self.accelerate(&mut list);
        list.add("-cpu", &self.cpu);
        list.add("-smp", format!("{}{}", self.cpus, self.topology));
        list.add("-m", &self.memory);
        // It comes before what is behind it.
        if !self.iommu.is_empty() {
            list.add("-device", &self.iommu);
        }
        let port = match self.port {
            HostPort::Any => 0,
            HostPort::Fixed(port) => port,
        };
        let user = format!("user,id=n0,hostfwd=tcp:127.0.0.1:{port}-:6379");
        match &self.wire {
            None => {
                list.add("-netdev", user);
                list.add("-device", self.virtio("virtio-net-pci,netdev=n0"));
            }
            Some(ends) => {
                connect(&mut list, &user, ends);
                list.add("-device", self.virtio("virtio-net-pci,netdev=h2"));
            }
        }
        if self.has_disk() {
            list.add(
                "-drive",
                format!("if=none,id=d0,format=raw,file={}", commas_doubled(disk)),
            );
            list.add("-device", self.virtio("virtio-blk-pci,drive=d0"));
        }
        for device in &self.devices {
            list.add("-device", device);
        }
        if self.has_watchdog {
            list.add("-global", "ICH9-LPC.noreboot=off");
        }
        list.0
    }

    /// Returns QEMU's argument for a virtio device. By its own means it goes round an IOMMU.
    fn virtio(&self, device: &str) -> String {
        let behind = match self.iommu.is_empty() {
            true => "",
            false => ",iommu_platform=on",
        };
        format!("{device},disable-legacy=on{behind}")
    }

    fn accelerate(&self, list: &mut Arguments) {
        match self.accel {
            Accel::Kvm => list.add("-accel", "kvm"),
            Accel::Tcg => list.add("-accel", "tcg,thread=multi"),
            Accel::Model => list.0.extend(model_arguments(USUAL_SHIFT, 1)),
        }
    }
}

/// Connects QEMU's network, a cable and the machine's card to one hub.
fn connect(list: &mut Arguments, user: &str, ends: &WireEnds) {
    list.add("-netdev", format!("{user},restrict=on"));
    list.add(
        "-netdev",
        format!(
            "dgram,id=wire,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            commas_doubled(&ends.machines),
            commas_doubled(&ends.ours)
        ),
    );
    for (port, peer) in [("h0", ",netdev=n0"), ("h1", ",netdev=wire"), ("h2", "")] {
        list.add("-netdev", format!("hubport,id={port},hubid=0{peer}"));
    }
}

/// In the model an instruction takes 2 to the power of this, in ns.
const USUAL_SHIFT: u32 = 3;

/// Returns QEMU's arguments for the model. An instruction takes 2 to the power of `shift`, in ns; `seed` is the seed of
/// the guest's random numbers.
pub fn model_arguments(shift: u32, seed: u32) -> Vec<String> {
    let mut list = Arguments::default();
    list.add("-accel", "tcg");
    list.add("-icount", format!("shift={shift},sleep=off"));
    list.add("-seed", seed);
    list.add("-rtc", "base=2026-01-01,clock=vm");
    list.0
}

/// Returns the arguments of every machine: no screen, the console on our side, what it boots, a control channel.
pub fn usual_arguments(kernel: &Path, archive: &Path, control_socket: &str) -> Vec<String> {
    let mut list = Arguments(kept_arguments(control_socket));
    list.add("-kernel", kernel.display());
    list.add("-initrd", archive.display());
    list.0
}

/// Returns the arguments of [`usual_arguments`] without what the machine boots.
pub fn kept_arguments(control_socket: &str) -> Vec<String> {
    let mut list = Arguments::default();
    list.add("-display", "none");
    list.add("-monitor", "none");
    list.add("-serial", CONSOLE);
    list.add(
        "-chardev",
        format!("socket,id=control,path={control_socket},abstract=on,server=on,wait=off"),
    );
    list.add("-mon", "chardev=control,mode=control");
    list.0.push(NO_RESET.into());
    list.0
}

/// What the machine's serial port is.
const CONSOLE: &str = "stdio";

/// QEMU ends when the guest resets the machine.
const NO_RESET: &str = "-no-reboot";

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn add(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push(name.into());
        self.0.push(value.to_string());
    }
}

/// Doubles the commas in a path, as QEMU wants them in the value of an option.
pub(super) fn commas_doubled(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(spec: &MachineSpec) -> String {
        spec.arguments("k".as_ref(), "a".as_ref(), "d,1".as_ref(), "s")
            .join(" ")
    }

    #[test]
    fn a_machine_has_all_its_parts() {
        let text = line(&MachineSpec::new("x", Accel::Tcg));
        for part in [
            "-machine q35",
            "-accel tcg,thread=multi",
            "-cpu max -smp 4 -m 512M",
            "-no-reboot -kernel k -initrd a -append primary_kernel=/boot/instance-a failover_kernel=/boot/instance-b",
            "hostfwd=tcp:127.0.0.1:0-:6379",
            "file=d,,1",
            "virtio-blk-pci",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_model_is_one_thread_with_the_network_idle_and_no_disk() {
        let text = line(&MachineSpec {
            chipset: Chipset::Pc,
            ..MachineSpec::new("x", Accel::Model)
        });
        assert!(
            text.contains("-machine pc -accel tcg -icount shift=3,sleep=off -seed 1 -rtc"),
            "{text}"
        );
        assert!(
            text.contains("virtio-net-pci") && !text.contains("virtio-blk"),
            "{text}"
        );
    }

    #[test]
    fn what_a_test_says_comes_last_on_the_boot_line_and_parses() {
        let spec = MachineSpec::new("x", Accel::Tcg)
            .append("debug=1")
            .append("failover_timeout=1s exec=\"1ms PING\"");
        let options = partition::Options::parse(&spec.boot_line()).unwrap();
        assert_eq!(
            (
                options.failover_timeout_ns,
                options.debug,
                options.exec.len()
            ),
            (1_000_000_000, true, 1)
        );
        let timeout = |accel| {
            partition::Options::parse(&MachineSpec::new("x", accel).boot_line())
                .unwrap()
                .failover_timeout_ns
        };
        assert_eq!(
            [Accel::Kvm, Accel::Tcg].map(timeout),
            [50_000_000, 250_000_000]
        );
        let model = MachineSpec::new("x", Accel::Model).boot_line();
        let model = partition::Options::parse(&model).unwrap();
        assert!(!model.was_given("failover_timeout"));
        assert_eq!(model.apic, partition::cmdline::ApicMode::Xapic);
    }
}
