//! The commands about Linux tenants.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use harness::machine::Firmware;
use linux_kit::packages::{KernelSource, Series};
use linux_tests::campaigns::boot;
use linux_tests::campaigns::cost::Cost;
use linux_tests::campaigns::demo::LinuxDemo;
use linux_tests::campaigns::lives::KernelEnd;
use linux_tests::takeover::Death;
use linux_tests::tenants::Pair;
use qemu_tests::campaigns::qualify::{TAKEOVERS, TrialMachine};

use super::linux_campaigns::{
    build_modules, demonstrate, live, make_iso, make_packages, measure_cost, measure_kdump,
    run_matrix, try_devices,
};
use super::qualify;

#[derive(Subcommand)]
pub enum LinuxCommand {
    /// Boot a distribution's Linux plainly, without a monitor, and try its service.
    LinuxBoot {
        /// Which one.
        #[arg(long, value_enum)]
        kernel: Series,
        /// The source of a module that is built and loaded, too.
        #[arg(long)]
        module: Option<PathBuf>,
    },
    /// Show one distribution's Linux taking over from another.
    LinuxDemo {
        /// The first primary: 6.1, 6.12, or a directory of the packages (*.deb) of a kernel and its headers.
        #[arg(long, default_value = "6.12")]
        primary: KernelSource,
        /// The first backup, likewise.
        #[arg(long, default_value = "6.1")]
        backup: KernelSource,
        /// What the boot line says beyond the usual.
        #[arg(long, default_value = "", allow_hyphen_values = true)]
        append: String,
        /// A further argument for QEMU; may be given often. A device: `--qemu-arg=-device --qemu-arg=usb-ehci`.
        #[arg(long, allow_hyphen_values = true)]
        qemu_arg: Vec<String>,
        /// How the primary dies; both ways if none is named.
        #[arg(long, value_enum)]
        cause: Option<Death>,
        /// Runs of each.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        runs: u32,
        /// Let the same kernel panic with kdump, too, as often.
        #[arg(long)]
        with_kdump: bool,
        /// Time-out of the keepalives, in ms.
        #[arg(long, default_value_t = 250)]
        timeout_ms: u64,
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a machine go through many lives: after each end of a kernel the machine is protected again.
    LinuxLives {
        /// The first primary.
        #[arg(long, value_enum, default_value = "6.12")]
        primary: Series,
        /// The first backup.
        #[arg(long, value_enum, default_value = "6.1")]
        backup: Series,
        /// How its kernels end, one after the other: panic, hang, spin, reboot, switch.
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "panic,hang,switch,reboot,panic"
        )]
        ends: Vec<KernelEnd>,
        /// Time-out of the keepalives, in ms.
        #[arg(long, default_value_t = 500)]
        timeout_ms: u64,
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Measure kdump, the peer, on the machine of `linux-demo`: how long a client is without a reply when the kernel
    /// panics, and whether a hang is survived.
    LinuxKdump {
        /// Which kernel.
        #[arg(long, value_enum, default_value = "6.12")]
        kernel: Series,
        /// Panics.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        runs: u32,
        /// Leave the hang out.
        #[arg(long)]
        only_panic: bool,
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Measure what an armed backup costs a Linux that works beside it.
    LinuxCost {
        /// The kernel that works.
        #[arg(long, value_enum, default_value = "6.12")]
        primary: Series,
        /// The one that waits.
        #[arg(long, value_enum, default_value = "6.1")]
        backup: Series,
        /// Runs of each, with other random numbers in each.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
        n: u32,
        /// Time-outs of the keepalives, in ms.
        #[arg(long, value_delimiter = ',', default_values_t = [20, 250])]
        timeout_ms: Vec<u64>,
        /// An instruction takes 2 to the power of this, in ns of the model's time.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10))]
        shift: u32,
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let every pairing of distributions' kernels take over on every kind of machine.
    LinuxMatrix {
        /// Only a few, in which everything comes up once.
        #[arg(long)]
        quick: bool,
    },
    /// Let each kind of network card and disk come back from a takeover, in each kind of place, with and without an
    /// IOMMU.
    LinuxDevices {
        /// Only a few.
        #[arg(long)]
        quick: bool,
        /// Only those that have this in their name, such as `nvme`, `-root-port` or `-iommu`; may be given more than
        /// once.
        #[arg(long, conflicts_with = "quick")]
        only: Vec<String>,
        /// Print one line of JSON, and nothing else, on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Make a disc that starts two Linux tenants by GRUB, on legacy BIOS and on UEFI.
    Iso {
        /// Where to.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The first primary.
        #[arg(long, value_enum, default_value = "6.12")]
        primary: Series,
        /// The first backup.
        #[arg(long, value_enum, default_value = "6.1")]
        backup: Series,
        /// What the boot line says beyond the usual.
        #[arg(long, default_value = "", allow_hyphen_values = true)]
        append: String,
        /// Make the qualification disc instead: it measures the machine that boots it, and touches no disk and no
        /// network card.
        #[arg(long)]
        qualify: bool,
        /// Takeovers of a qualification.
        #[arg(long, default_value_t = TAKEOVERS, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        takeovers: u32,
        /// Try it on these emulated machines (bios, uefi; a qualification disc also on pc and bochs), separated by
        /// commas: boot, kill the primary, and look whether the backup serves.
        #[arg(long = "try", value_enum, value_delimiter = ',')]
        machines: Vec<TrialMachine>,
        /// End with one line of JSON (a qualification disc).
        #[arg(long, requires = "qualify")]
        json: bool,
    },
    /// Read the report of a qualification disc: its block of text, from a file or standard input
    QualifyRead {
        /// A file with the block, such as a serial log; `-` for standard input.
        file: PathBuf,
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Build the module for the newest kernels of Debian's releases and backports, each in a fresh Debian; takes root
    /// and some minutes.
    Modules {
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make the Debian packages.
    Deb {
        /// The directory to put them in.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Install them in a fresh Debian, and boot two of its kernels with them; takes root.
        #[arg(long = "try")]
        is_tried: bool,
    },
}

/// Runs one of the commands. Returns false if what it shows is not as it should be.
pub fn run(command: LinuxCommand) -> Result<bool> {
    match command {
        LinuxCommand::LinuxBoot { kernel, module } => boot::run(kernel, module.as_deref())
            .map(|()| true)
            .map_err(Into::into),
        LinuxCommand::LinuxDemo {
            primary,
            backup,
            append,
            qemu_arg,
            cause,
            runs,
            with_kdump,
            timeout_ms,
            json,
        } => {
            let mut demo = LinuxDemo::new(primary, backup);
            demo.pair.append = append;
            demo.pair.qemu_arguments = qemu_arg;
            demo.pair.timeout = Duration::from_millis(timeout_ms);
            demo.deaths = cause.map_or(demo.deaths, |cause| vec![cause]);
            demo.runs = runs;
            demo.with_kdump = with_kdump;
            demonstrate(&demo, json)
        }
        LinuxCommand::LinuxLives {
            primary,
            backup,
            ends,
            timeout_ms,
            json,
        } => {
            let mut pair = Pair::new("linux-lives", primary, backup);
            pair.timeout = Duration::from_millis(timeout_ms);
            live(pair, &ends, json)
        }
        LinuxCommand::LinuxCost {
            primary,
            backup,
            n,
            timeout_ms,
            shift,
            json,
        } => {
            let cost = Cost {
                primary,
                backup,
                timeouts: timeout_ms.into_iter().map(Duration::from_millis).collect(),
                runs: n,
                shift,
            };
            measure_cost(&cost, json)
        }
        LinuxCommand::LinuxMatrix { quick } => run_matrix(quick),
        LinuxCommand::LinuxDevices { quick, only, json } => try_devices(quick, &only, json),
        LinuxCommand::LinuxKdump {
            kernel,
            runs,
            only_panic,
            json,
        } => measure_kdump(kernel, runs, only_panic, json),
        LinuxCommand::Iso {
            out,
            primary,
            backup,
            append,
            qualify,
            takeovers,
            machines,
            json,
        } => match qualify {
            true => qualify::make(out, takeovers, &machines, json),
            false => {
                let mut pair = Pair::new("iso", primary, backup);
                pair.append = append;
                let firmware: Option<Vec<Firmware>> =
                    machines.iter().map(|it| it.firmware()).collect();
                let firmware = firmware
                    .context("a disc with Linux tenants is tried with bios and uefi only")?;
                make_iso(&pair, out, &firmware)
            }
        },
        LinuxCommand::QualifyRead { file, json } => qualify::read(&file, json),
        LinuxCommand::Modules { json } => build_modules(json),
        LinuxCommand::Deb { out, is_tried } => make_packages(out, is_tried),
    }
}
