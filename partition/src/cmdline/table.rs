//! Every option there is: its name, its syntax, its default, what it is for, and how its value is taken.

use super::build_time::FAILOVER_TIMEOUT;
use super::secret::{REQUIREPASS, Secret};
use super::value::{
    duration_in, one_of, parse_count, parse_service, parse_status_port, watchdog_time,
};
use super::{
    ApicMode, COMPUTE, ComputeClause, IommuOwner, LoneMonitor, NetworkConfig, OnDivergence,
    Options, Rearm, Reset, ResetFunctions, StatusClients, compute, exec,
};
use crate::cpu_list::CpuList;
use crate::duration::parse_duration;
use crate::refusal::ValueError;
use crate::size::{SizeAt, parse_size};

/// What holds for an option that is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The boot is refused.
    Required,
    /// It is as if this had been given.
    Value(&'static str),
    /// Nothing.
    Unset,
    /// Nothing; and each that is given counts.
    Repeated,
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name, without the `=`.
    pub name: &'static str,
    /// What its value looks like.
    pub syntax: &'static str,
    /// What holds if it is not given.
    pub preset: Preset,
    /// What it is for, on one line.
    pub help: &'static str,
    /// Reads a value.
    pub(super) apply: fn(&mut Options, &str) -> Result<(), ValueError>,
}

const KEEPALIVE_NS_MIN: u64 = 100_000;
const KEEPALIVE_NS_MAX: u64 = 1_000_000_000;
const TIMEOUT_NS_MAX: u64 = 60_000_000_000;
/// Most takeovers of a qualification: the times of all are kept.
const QUALIFY_TAKEOVERS_MAX: u32 = 100_000;

/// All options, in the order they are explained.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "primary_kernel",
        syntax: "PATH",
        preset: Preset::Required,
        help: "image of the primary, in the boot archive",
        apply: |options, value| {
            options.primary_kernel = value.into();
            Ok(())
        },
    },
    OptionSpec {
        name: "primary_initrd",
        syntax: "PATH",
        preset: Preset::Unset,
        help: "initrd of the primary, if that is a Linux",
        apply: |options, value| {
            options.primary_initrd = value.into();
            Ok(())
        },
    },
    OptionSpec {
        name: "primary_cmdline",
        syntax: "\"WORDS\"",
        preset: Preset::Unset,
        help: "command line of the primary, if that is a Linux",
        apply: |options, value| {
            options.primary_cmdline = value.into();
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_kernel",
        syntax: "PATH",
        preset: Preset::Required,
        help: "image of the backup, in the boot archive; the same or another version",
        apply: |options, value| {
            options.failover_kernel = value.into();
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_initrd",
        syntax: "PATH",
        preset: Preset::Unset,
        help: "initrd of the backup, if that is a Linux",
        apply: |options, value| {
            options.failover_initrd = value.into();
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_cmdline",
        syntax: "\"WORDS\"",
        preset: Preset::Unset,
        help: "command line of the backup, if that is a Linux",
        apply: |options, value| {
            options.failover_cmdline = value.into();
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_cpus",
        syntax: "LIST",
        preset: Preset::Value("0"),
        help: "CPUs the primary does not get: CPU 0, the seat, and any kept for the backup",
        apply: |options, value| {
            options.failover_cpus = CpuList::parse(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_mem",
        syntax: "SIZE[@ADDRESS]",
        preset: Preset::Value("64M"),
        help: "memory of the backup, and where; the kind of tenant may have another default",
        apply: |options, value| {
            options.failover_mem = SizeAt::parse(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "journal_mem",
        syntax: "SIZE",
        preset: Preset::Value("32M"),
        help: "memory of the journal",
        apply: |options, value| {
            options.journal_bytes = parse_size(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "pmem",
        syntax: "SIZE",
        preset: Preset::Value("0"),
        help: "memory that is offered to a Linux as /dev/pmem0 and outlives its kernels",
        apply: |options, value| {
            options.pmem_bytes = parse_size(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: COMPUTE,
        syntax: compute::SYNTAX,
        preset: Preset::Repeated,
        help: "a slice of cores and memory for a computation, the primary's and the backup's no more; up to 8 times",
        apply: |options, value| {
            options.compute.push(ComputeClause::parse(value)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "keepalive",
        syntax: "DURATION",
        preset: Preset::Value("1ms"),
        help: "how often the kernels tell each other that they live, 100us to 1s; the kind of tenant may have \
         another default",
        apply: |options, value| {
            let range = KEEPALIVE_NS_MIN..=KEEPALIVE_NS_MAX;
            options.keepalive_ns = duration_in(value, range)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_timeout",
        syntax: "DURATION",
        preset: Preset::Value(FAILOVER_TIMEOUT),
        help: "a primary silent for so long is dead; at least two keepalives, at most 60s",
        apply: |options, value| {
            options.failover_timeout_ns = duration_in(value, 1..=TIMEOUT_NS_MAX)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_boot_timeout",
        syntax: "DURATION",
        preset: Preset::Value("5s"),
        help: "a primary without a first keepalive after so long does not boot; the kind of tenant may have another \
         default",
        apply: |options, value| {
            options.failover_boot_timeout_ns = parse_duration(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_rearm",
        syntax: "auto|manual",
        preset: Preset::Value("manual"),
        help: "whether a new backup is loaded after a takeover",
        apply: |options, value| {
            options.failover_rearm =
                one_of(value, &[("auto", Rearm::Auto), ("manual", Rearm::Manual)])?;
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_reset",
        syntax: "auto|off",
        preset: Preset::Value("auto"),
        help: "whether the machine is reset when nobody serves, and goes on with the state that is still in memory",
        apply: |options, value| {
            options.failover_reset = one_of(value, &[("auto", Reset::Auto), ("off", Reset::Off)])?;
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_monitor",
        syntax: "alarm|reset",
        preset: Preset::Value("alarm"),
        help: "what a primary does that serves while the monitor is dead: says so, or resets the machine and goes on",
        apply: |options, value| {
            let choices = [("alarm", LoneMonitor::Alarm), ("reset", LoneMonitor::Reset)];
            options.failover_monitor = one_of(value, &choices)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_diverged",
        syntax: "alarm|takeover",
        preset: Preset::Value("alarm"),
        help: "what a native primary does that finds its own state damaged: says so, or gives up to the backup",
        apply: |options, value| {
            options.failover_diverged = one_of(value, &OnDivergence::CHOICES)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "reset_functions",
        syntax: "faulty|all",
        preset: Preset::Value("faulty"),
        help: "which PCI functions a takeover resets: those that do not obey or do not come to rest, or all that can \
         be, which takes 100 ms",
        apply: |options, value| {
            let choices = [
                ("faulty", ResetFunctions::Faulty),
                ("all", ResetFunctions::All),
            ];
            options.reset_functions = one_of(value, &choices)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "failover_watchdog",
        syntax: "off|TIME",
        preset: Preset::Value("off"),
        help: "the hardware watchdog resets the machine when the monitor has hung for so long, 10s to 10min",
        apply: |options, value| {
            options.failover_watchdog_ns = watchdog_time(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "service",
        syntax: "redis[:PORT]",
        preset: Preset::Value("redis:6379"),
        help: "what the primary serves, and on which TCP port",
        apply: |options, value| {
            options.service = parse_service(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "status_port",
        syntax: "PORT|none",
        preset: Preset::Value("80"),
        help: "TCP port of a native primary's status page, over HTTP",
        apply: |options, value| {
            options.status_port = parse_status_port(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "ip",
        syntax: "CLIENT::GATEWAY:NETMASK",
        preset: Preset::Value("10.0.2.15::10.0.2.2:255.255.255.0"),
        help: "the machine's IPv4 address, its gateway and its netmask",
        apply: |options, value| {
            options.network = NetworkConfig::parse(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "apic",
        syntax: "auto|xapic|x2apic",
        preset: Preset::Value("auto"),
        help: "mode of the local APICs; auto takes x2APIC where there is one",
        apply: |options, value| {
            options.apic = one_of(value, &ApicMode::NAMES)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "iommu",
        syntax: "monitor|tenant|off",
        preset: Preset::Value("monitor"),
        help: "whose the IOMMU is: the monitor's, a Linux primary's until it dies, or nobody's",
        apply: |options, value| {
            options.iommu = one_of(value, &IommuOwner::NAMES)?;
            Ok(())
        },
    },
    OptionSpec {
        name: REQUIREPASS,
        syntax: "PASSWORD",
        preset: Preset::Unset,
        help: "the password that a client of the service has to give (AUTH); nothing shows it",
        apply: |options, value| {
            options.password = Some(Secret::new(value));
            Ok(())
        },
    },
    OptionSpec {
        name: "protected_mode",
        syntax: "yes|no",
        preset: Preset::Value("yes"),
        help: "whether the service, if it has no password, refuses clients from outside its own network (ip=)",
        apply: |options, value| {
            options.is_protected = one_of(value, &[("yes", true), ("no", false)])?;
            Ok(())
        },
    },
    OptionSpec {
        name: "status_clients",
        syntax: "near|all",
        preset: Preset::Value("near"),
        help: "who may see the status page: clients in the machine's own network (ip=), or all",
        apply: |options, value| {
            options.status_clients = one_of(value, &StatusClients::NAMES)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "debug",
        syntax: "0|1",
        preset: Preset::Value("0"),
        help: "whether clients may kill kernels (DEBUG PANIC and the like)",
        apply: |options, value| {
            options.debug = one_of(value, &[("0", false), ("1", true)])?;
            Ok(())
        },
    },
    OptionSpec {
        name: "admin",
        syntax: "0|1",
        preset: Preset::Value("0"),
        help: "whether clients may give the operator's orders: hand over, load other kernels (FAILOVER, UNDERSTUDY)",
        apply: |options, value| {
            options.admin = one_of(value, &[("0", false), ("1", true)])?;
            Ok(())
        },
    },
    OptionSpec {
        name: "qualify",
        syntax: "TAKEOVERS",
        preset: Preset::Value("0"),
        help: "measures the machine, then kills native primaries so often and reports; uses no disk and no network; \
         needs failover_rearm=auto",
        apply: |options, value| {
            options.qualify_takeovers = parse_count(value, QUALIFY_TAKEOVERS_MAX)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "exec",
        syntax: "\"[DURATION] COMMAND; ...\"",
        preset: Preset::Unset,
        help: "commands the first primary runs, at these times after it began to serve; needs debug=1",
        apply: |options, value| {
            options.exec = exec::parse(value)?;
            Ok(())
        },
    },
];
