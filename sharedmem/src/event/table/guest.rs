//! What the Linux guests of the tests log: their first programs (shell scripts, which a test checks against this table)
//! and `linux-guest`.

use crate::event::declare::events;
use crate::event::{List, Text, Word};

events! {
    /// The Linux guests of the tests

    event Userspace = "userspace":
    /// The first program runs.
    {
        /// Release of the kernel.
        kernel: Text,
    }

    event ModuleMissing = "module-missing":
    /// A module could not be loaded.
    {
        /// Its name.
        name: Text,
    }

    event Modules = "modules":
    /// The modules are loaded.
    {
        /// How many.
        loaded: u64,
    }

    event HookFailed = "hook-failed":
    /// A takeover hook failed.
    {
        /// Its path.
        name: Text,
    }

    event RehearsalFailed = "rehearsal-failed":
    /// A takeover hook failed when it was run before the takeover.
    {
        /// Its path.
        name: Text,
    }

    event Apic = "apic":
    /// How the kernel uses the local APICs.
    {
        /// Whether they are in x2APIC mode.
        x2apic: bool,
    }

    event DataMounted = "data-mounted":
    /// The disk is mounted.
    {}

    event DaxMounted = "dax-mounted":
    /// The RAM disk is mounted.
    {}

    event NetworkUp = "network-up":
    /// The address is up.
    {}

    event Ready = "ready":
    /// All is up.
    {
        /// 1 if kdump has a crash kernel loaded.
        crash_loaded: Option<u32>,
        /// 1 if the kernel has a watchdog of its own.
        nmi_watchdog: Option<u32>,
    }

    event Journaled = "journaled":
    /// A program has appended its records to the journal.
    {}

    event Ordered = "ordered":
    /// A command of `understudyctl` that a client asked for has ended.
    {
        /// Its exit code. Left out if a signal ended it.
        exit: Option<u8>,
        /// Its arguments.
        order: Text,
    }

    event OrderFailed = "order-failed":
    /// A command of `understudyctl` that a client asked for did not run.
    {
        /// Why not.
        error: Text,
    }

    event Worked = "worked":
    /// The work whose time is measured is done.
    {
        /// Who did it: `alone`, or `beside` a backup.
        kind: Word,
        /// CPUs that worked.
        cpus: u32,
        /// The kernel's clock source.
        clock: Word,
        /// Keepalives sent before it, `@`, and seconds since the boot.
        before: Word,
        /// The same after it.
        after: Word,
        /// How long it took.
        took_ns: u64,
        /// Timer interrupts meanwhile, CPU by CPU.
        interrupts: List,
    }

    event CrashUserspace = "crash-userspace":
    /// The crash kernel's first program runs.
    {}

    event CrashDisk = "crash-disk":
    /// The crash kernel has mounted the disk.
    {}

    event CrashReady = "crash-ready":
    /// The crash kernel serves.
    {}

    event Trial = "trial":
    /// A primary of the packages' trial is up.
    {
        /// Its epoch.
        epoch: u64,
        /// Release of its kernel.
        kernel: Text,
        /// What it finds in the file that its predecessor wrote; `none` if there is none.
        file: Text,
    }
}
