//! Kinds of tenant: how an image of a kind is recognised, what an instance of it can do, and what it gets unless the
//! operator says otherwise.
//!
//! Nothing outside of a kind's own files asks *which* kind an image is of: it asks for a capability by its name. A
//! further kind is one file beside `native.rs` and one entry in [`KINDS`]; see `docs/how-to/tenant-kind.md`.

mod check;
mod linux;
mod native;
mod pair;

use alloc::string::String;
use core::fmt;

pub use check::ImageCheck;
pub use linux::LINUX;
pub use native::NATIVE;
pub use pair::{Kinds, Needs};

use crate::cmdline::Options;
use crate::refusal::Refusal;

/// A kind of tenant.
pub struct Kind {
    /// Its name, for people.
    pub name: &'static str,
    /// Whether a file with these bytes is an image of this kind.
    pub recognises: fn(&[u8]) -> bool,
    /// What an instance of it can do, and what it needs.
    pub capabilities: Capabilities,
    /// What holds for it where the boot line says nothing.
    pub defaults: Defaults,
    /// Returns the memory that an image, with an initrd of so many bytes, needs in one piece below 4 GiB; 0 if it is
    /// loaded anywhere, or is damaged, which is refused when it is loaded.
    pub bytes_below_4_gib: fn(&[u8], u64) -> u64,
    /// Checks an image of this kind by the code that prepares it at the boot. Returns a line for people.
    pub check: fn(&ImageCheck<'_>) -> Result<String, Refusal>,
}

/// What an instance can do, and what it needs: each question about a kind, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Its state is in the journal: a kernel of this kind reads the journal to its end and goes on from there.
    pub reads_journal: bool,
    /// To become a backup it boots on a core that the primary lends; otherwise it gets ready on the seat.
    pub boots_on_lent_core: bool,
    /// As the primary it can lend a core to a backup that boots.
    pub lends_core: bool,
    /// As the primary it takes the supervisor's keepalives as interrupts on its first core; otherwise it polls their
    /// slot.
    pub takes_keepalive_interrupts: bool,
    /// As the primary it drives the serial port and prints what all programs log; otherwise the monitor does.
    pub drives_console: bool,
    /// As the primary it may drive the machine's screen, which the monitor then leaves alone.
    pub drives_screen: bool,
    /// It may be a hypervisor, on whose cores INIT is held. When it is condemned and an NMI comes, it leaves
    /// virtualization.
    pub may_virtualize: bool,
    /// Its reset register is a word in the shared region, which the supervisor polls.
    pub resets_through_memory: bool,
    /// Its cores start in memory below 1 MiB that is its own.
    pub needs_low_memory: bool,
    /// It is told the sizes of all PCI base address registers.
    pub needs_bar_sizes: bool,
    /// The operator may upload another image of this kind while the machine runs.
    pub accepts_upload: bool,
    /// It is loaded below 4 GiB.
    pub loads_below_4_gib: bool,
    /// The unit in which it adds memory while it runs, in bytes. `None` if it has all of its memory from its start.
    pub memory_block_bytes: Option<u64>,
}

impl Capabilities {
    /// Returns whether it waits in a small slot, and adds the rest of its memory when it becomes the primary.
    pub fn waits_in_slot(&self) -> bool {
        self.memory_block_bytes.is_some()
    }

    /// Returns whether it can get ready as a backup beside a running `primary`, after the machine's boot.
    pub fn can_be_rearmed_beside(&self, primary: &Self) -> bool {
        match self.boots_on_lent_core {
            true => primary.lends_core,
            false => primary.reads_journal,
        }
    }
}

/// What holds for a kind where the boot line says nothing. `None`: the option's own default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Memory of a backup, in bytes (`failover_mem=`).
    pub backup_bytes: Option<u64>,
    /// How long it may take to its first keepalive, in ns (`failover_boot_timeout=`).
    pub boot_timeout_ns: Option<u64>,
    /// How often it sends a keepalive (`keepalive=`).
    pub keepalive: Option<KeepaliveDefault>,
}

/// A period of keepalives that follows from the time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveDefault {
    /// How many fit into one `failover_timeout`.
    pub per_timeout: u64,
    /// The longest period, in ns.
    pub ns_max: u64,
}

/// All kinds, in the order in which an image is compared with them.
pub const KINDS: &[&Kind] = &[&LINUX, &NATIVE];

impl Kind {
    /// Returns the kind of an image by its first bytes. What is of no kind counts as native, and is refused as such
    /// when it is loaded.
    pub fn of(bytes: &[u8]) -> &'static Self {
        let found = KINDS.iter().find(|kind| (kind.recognises)(bytes));
        found.copied().unwrap_or(&NATIVE)
    }

    /// Returns how long an instance may take to its first keepalive, in ns.
    pub fn boot_timeout_ns(&self, options: &Options) -> u64 {
        match self.defaults.boot_timeout_ns {
            Some(ns) if !options.was_given("failover_boot_timeout") => ns,
            _ => options.failover_boot_timeout_ns,
        }
    }

    /// Returns how often an instance sends a keepalive, in ns.
    pub fn keepalive_period_ns(&self, options: &Options) -> u64 {
        match self.defaults.keepalive {
            Some(default) if !options.was_given("keepalive") => {
                let period_ns = options.failover_timeout_ns / default.per_timeout;
                period_ns.clamp(options.keepalive_ns, default.ns_max)
            }
            _ => options.keepalive_ns,
        }
    }

    /// Returns the memory of a backup, in bytes. Where the operator says nothing, it is what its image needs, at least.
    pub fn backup_bytes(&self, options: &Options, needed_bytes: u64) -> u64 {
        match options.was_given("failover_mem") {
            true => options.failover_mem.size_bytes,
            false => {
                let default = self.defaults.backup_bytes;
                default
                    .unwrap_or(options.failover_mem.size_bytes)
                    .max(needed_bytes)
            }
        }
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn each_kind_has_its_own_name_and_recognises_no_other_kinds_images() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|other| other.name != kind.name));
        }
        let mut bzimage = [0; 1024];
        bzimage[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        bzimage[0x202..0x206].copy_from_slice(b"HdrS");
        for (bytes, expected) in [(&bzimage[..], &LINUX), (b"\x7fELF", &NATIVE)] {
            assert_eq!(Kind::of(bytes), expected);
            let recognise = KINDS.iter().filter(|kind| (kind.recognises)(bytes));
            assert_eq!(recognise.count(), 1);
        }
        assert_eq!(Kind::of(b"text"), &NATIVE);
    }

    #[test]
    fn each_kind_can_be_rearmed_beside_itself_and_beside_no_other() {
        for backup in KINDS {
            for primary in KINDS {
                let can = backup
                    .capabilities
                    .can_be_rearmed_beside(&primary.capabilities);
                assert_eq!(can, backup == primary, "{backup} beside {primary}");
            }
        }
    }

    #[test]
    fn a_linux_sends_as_many_keepalives_as_its_time_out_needs() {
        let period_ns = |kind: &Kind, rest: &str| {
            let line = format!("primary_kernel=/a failover_kernel=/b failover_timeout={rest}");
            kind.keepalive_period_ns(&Options::parse(&line).unwrap())
        };
        for (rest, linux_ns) in [
            ("2ms", 1_000_000),
            ("20ms", 2_000_000),
            ("250ms", 25_000_000),
            ("5s", 100_000_000),
            ("250ms keepalive=500us", 500_000),
        ] {
            assert_eq!(period_ns(&LINUX, rest), linux_ns, "{rest}");
        }
        assert_eq!(period_ns(&NATIVE, "250ms"), 1_000_000);
    }
}
