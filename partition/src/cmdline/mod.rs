//! The boot command line, with Linux's habits: words separated by blanks, double quotes around values with blanks, `-`
//! and `_` alike in names, and the last of several wins,
//! unless each counts.

mod build_time;
mod choices;
mod compute;
mod exec;
mod help;
mod network;
mod secret;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod words;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use choices::{
    ApicMode, IommuOwner, LoneMonitor, OnDivergence, Rearm, Reset, ResetFunctions, Service,
    StatusClients,
};
pub use compute::{COMPUTE, COMPUTE_NAME_BYTES_MAX, COMPUTE_SLICES_MAX, ComputeClause};
pub use exec::ExecClause;
pub use help::Help;
pub use network::NetworkConfig;
pub use secret::Secret;
pub use table::{OPTIONS, OptionSpec, Preset};

use sharedmem::Role;

use crate::cpu_list::CpuList;
use crate::duration::DurationText;
use crate::refusal::Refusal;
use crate::size::SizeAt;

/// The options of a boot, complete: an option that was not given has its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Path of the primary's image.
    pub primary_kernel: String,
    /// Path of the primary's initrd, for a Linux; empty if there is none.
    pub primary_initrd: String,
    /// Command line of the primary, for a Linux.
    pub primary_cmdline: String,
    /// Path of the backup's image.
    pub failover_kernel: String,
    /// Path of the backup's initrd, for a Linux; empty if there is none.
    pub failover_initrd: String,
    /// Command line of the backup, for a Linux.
    pub failover_cmdline: String,
    /// CPUs kept from the primary: the seat, and more for the backup.
    pub failover_cpus: CpuList,
    /// Memory of the backup.
    pub failover_mem: SizeAt,
    /// Period of the keepalives; [`Kind::keepalive_period_ns`](crate::Kind::keepalive_period_ns) returns what it is for
    /// a kind of tenant.
    pub keepalive_ns: u64,
    /// A primary that is silent for so long is dead.
    pub failover_timeout_ns: u64,
    /// A primary that has not sent its first keepalive after so long does not boot.
    pub failover_boot_timeout_ns: u64,
    /// What happens after a takeover.
    pub failover_rearm: Rearm,
    /// What is done when nobody serves.
    pub failover_reset: Reset,
    /// What a primary does that serves while the monitor is dead.
    pub failover_monitor: LoneMonitor,
    /// What a native primary does whose own state is not what it should be.
    pub failover_diverged: OnDivergence,
    /// Which PCI functions are reset between two primaries.
    pub reset_functions: ResetFunctions,
    /// The hardware watchdog resets the machine after this time; `None` if it is not used.
    pub failover_watchdog_ns: Option<u64>,
    /// Memory of the journal, in bytes.
    pub journal_bytes: u64,
    /// Memory that is offered to Linux tenants as a disk in RAM, in bytes; 0 for none.
    pub pmem_bytes: u64,
    /// What the primary serves.
    pub service: Service,
    /// TCP port of a native primary's status page, if it is to have one.
    pub status_port: Option<u16>,
    /// Who may see the status page.
    pub status_clients: StatusClients,
    /// The password of the service, if it has one.
    pub password: Option<Secret>,
    /// Whether the service, if it has no password, refuses clients from outside the machine's own network.
    pub is_protected: bool,
    /// The machine's address.
    pub network: NetworkConfig,
    /// Whether clients may kill kernels.
    pub debug: bool,
    /// Whether clients may give the operator's orders.
    pub admin: bool,
    /// How many takeovers the machine is qualified by; 0 for a machine in use.
    pub qualify_takeovers: u32,
    /// The mode of the local APICs.
    pub apic: ApicMode,
    /// Whose the IOMMU is.
    pub iommu: IommuOwner,
    /// Slices for computations, in the order in which they are given.
    pub compute: Vec<ComputeClause>,
    /// Commands the first primary runs by itself.
    pub exec: Vec<ExecClause>,
    given: BTreeMap<&'static str, Vec<String>>,
}

/// What the boot line says of the image of one instance.
#[derive(Clone, Copy, Debug)]
pub struct ImageOptions<'a> {
    /// What the instance is loaded for at the boot.
    pub role: Role,
    /// Path of the image.
    pub kernel: &'a str,
    /// Path of its initrd; empty if there is none.
    pub initrd: &'a str,
    /// Its command line.
    pub cmdline: &'a str,
}

impl ImageOptions<'_> {
    /// Returns the name of the option that says `what` of this image: `kernel`, `initrd` or `cmdline`.
    pub fn name(&self, what: &str) -> String {
        match self.role {
            Role::Primary => format!("primary_{what}"),
            Role::Backup => format!("failover_{what}"),
        }
    }
}

impl Options {
    /// Reads a command line.
    ///
    /// # Errors
    /// Names the option that cannot be taken, its value, and what would work.
    pub fn parse(cmdline: &str) -> Result<Self, Refusal> {
        let mut options = Self {
            given: given(cmdline)?,
            ..Self::blank()
        };
        for spec in OPTIONS {
            let given = match (options.given.get(spec.name), spec.preset) {
                (Some(values), _) => values.clone(),
                (None, Preset::Value(value)) => {
                    let shown = with_default_mark(value);
                    (spec.apply)(&mut options, value)
                        .map_err(|error| error.refuse(spec.name, &shown))?;
                    continue;
                }
                (None, Preset::Unset | Preset::Repeated) => continue,
                (None, Preset::Required) => {
                    let would_work = format!("{}={}", spec.name, spec.syntax);
                    return Err(Refusal::new(spec.name, "", "is missing", would_work));
                }
            };
            let mut all_shown = Vec::new();
            for value in given {
                let shown = secret::shown(spec.name, &value);
                (spec.apply)(&mut options, &value)
                    .map_err(|error| error.refuse(spec.name, shown))?;
                all_shown.push(shown.into());
            }
            // From here on it is for showing.
            options.given.insert(spec.name, all_shown);
        }
        options.check()?;
        Ok(options)
    }

    /// Returns the value of the option `name` as the command line has it, or its default with a word that it is one;
    /// of an option that was given more than once and counts each time, all values.
    /// A secret value is masked.
    pub fn as_given(&self, name: &str) -> String {
        match self.given.get(name) {
            Some(values) => values.join(&format!(" {name}=")),
            None => match OPTIONS.iter().find(|spec| spec.name == name) {
                Some(OptionSpec {
                    preset: Preset::Value(value),
                    ..
                }) => with_default_mark(value),
                _ => String::new(),
            },
        }
    }

    /// Returns whether the command line has the option `name`.
    pub fn was_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Returns what is said of the image that is loaded for `role` at the boot.
    pub fn image(&self, role: Role) -> ImageOptions<'_> {
        let (kernel, initrd, cmdline) = match role {
            Role::Primary => (
                &self.primary_kernel,
                &self.primary_initrd,
                &self.primary_cmdline,
            ),
            Role::Backup => (
                &self.failover_kernel,
                &self.failover_initrd,
                &self.failover_cmdline,
            ),
        };
        ImageOptions {
            role,
            kernel,
            initrd,
            cmdline,
        }
    }

    fn blank() -> Self {
        Self {
            primary_kernel: String::new(),
            primary_initrd: String::new(),
            primary_cmdline: String::new(),
            failover_kernel: String::new(),
            failover_initrd: String::new(),
            failover_cmdline: String::new(),
            failover_cpus: CpuList::default(),
            failover_mem: SizeAt::default(),
            keepalive_ns: 0,
            failover_timeout_ns: 0,
            failover_boot_timeout_ns: 0,
            failover_rearm: Rearm::default(),
            failover_reset: Reset::default(),
            failover_monitor: LoneMonitor::default(),
            failover_diverged: OnDivergence::default(),
            reset_functions: ResetFunctions::default(),
            failover_watchdog_ns: None,
            journal_bytes: 0,
            pmem_bytes: 0,
            service: Service::Redis { port: 0 },
            status_port: None,
            status_clients: StatusClients::default(),
            password: None,
            is_protected: true,
            network: NetworkConfig::default(),
            debug: false,
            admin: false,
            qualify_takeovers: 0,
            apic: ApicMode::default(),
            iommu: IommuOwner::default(),
            compute: Vec::new(),
            exec: Vec::new(),
            given: BTreeMap::new(),
        }
    }

    /// Checks what options say of each other.
    fn check(&self) -> Result<(), Refusal> {
        compute::check(&self.compute)?;
        let (keepalive, timeout) = (self.keepalive_ns, self.failover_timeout_ns);
        if timeout < 2 * keepalive {
            let (name, would_work) = if self.was_given("failover_timeout") {
                (
                    "failover_timeout",
                    format!("at least {}", DurationText(2 * keepalive)),
                )
            } else {
                // Whoever set the keepalive only is told about the keepalive.
                (
                    "keepalive",
                    format!("at most {}", DurationText(timeout / 2)),
                )
            };
            let reason = format!(
                "a failover_timeout of {} is shorter than two keepalives of {}",
                DurationText(timeout),
                DurationText(keepalive)
            );
            return Err(Refusal::new(name, self.as_given(name), reason, would_work));
        }
        if self.failover_monitor == LoneMonitor::Reset && self.failover_reset == Reset::Off {
            return Err(Refusal::new(
                "failover_monitor",
                self.as_given("failover_monitor"),
                "with failover_reset=off the next boot does not look for the state",
                "failover_monitor=alarm, or failover_reset=auto",
            ));
        }
        if self.failover_watchdog_ns.is_some() && self.failover_reset == Reset::Off {
            return Err(Refusal::new(
                "failover_watchdog",
                self.as_given("failover_watchdog"),
                "with failover_reset=off the next boot does not look for the state",
                "failover_watchdog=off, or failover_reset=auto",
            ));
        }
        if self.failover_boot_timeout_ns < timeout {
            return Err(Refusal::new(
                "failover_boot_timeout",
                self.as_given("failover_boot_timeout"),
                format!(
                    "shorter than the failover_timeout of {}",
                    DurationText(timeout)
                ),
                format!("at least {}", DurationText(timeout)),
            ));
        }
        let Service::Redis { port } = self.service;
        if self.status_port == Some(port) {
            let other = if port == 80 { 8080 } else { 80 };
            return Err(Refusal::new(
                "status_port",
                self.as_given("status_port"),
                format!("port {port} is that of the service ({})", self.service),
                format!("{other}, or none"),
            ));
        }
        if self.qualify_takeovers > 0 && self.failover_rearm != Rearm::Auto {
            return Err(Refusal::new(
                "qualify",
                self.as_given("qualify"),
                "each takeover needs a new backup",
                "failover_rearm=auto with it",
            ));
        }
        if !self.exec.is_empty() && !self.debug {
            return Err(Refusal::new(
                "exec",
                self.as_given("exec"),
                "runs with debug=1 only",
                "debug=1 with it",
            ));
        }
        Ok(())
    }
}

fn with_default_mark(value: &str) -> String {
    format!("{value} (the default)")
}

/// Returns what the command line says, by option.
fn given(cmdline: &str) -> Result<BTreeMap<&'static str, Vec<String>>, Refusal> {
    let mut given: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for word in words::split(cmdline)? {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, value),
            None => (word.as_str(), ""),
        };
        // GRUB says which image it booted.
        if name == "BOOT_IMAGE" {
            continue;
        }
        let plain_name = name.replace('-', "_");
        let Some(spec) = OPTIONS.iter().find(|spec| spec.name == plain_name) else {
            return Err(unknown(name, value, &plain_name));
        };
        if value.is_empty() {
            let would_work = format!("{}={}", spec.name, spec.syntax);
            return Err(Refusal::new(name, "", "needs a value", would_work));
        }
        let values = given.entry(spec.name).or_default();
        if spec.preset != Preset::Repeated {
            values.clear();
        }
        values.push(value.into());
    }
    Ok(given)
}

/// Refuses an unknown option: names the option that was meant, or, if it resembles none, the nearest one.
fn unknown(name: &str, value: &str, plain_name: &str) -> Refusal {
    let names = OPTIONS.iter().map(|spec| spec.name);
    let (nearest, distance) = words::nearest(plain_name, names).unwrap_or_default();
    // A misspelt name may have a secret value.
    let value = secret::shown(nearest, value);
    if distance <= plain_name.chars().count() / 2 {
        let would_work = format!("{nearest}=");
        Refusal::new(name, value, "there is no such option", would_work)
    } else {
        let reason = format!("there is no such option, the nearest is {nearest}=");
        Refusal::new(name, value, reason, "to leave it out")
    }
}
