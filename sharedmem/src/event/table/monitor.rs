//! What the monitor logs.

use crate::Instance;
use crate::cause::{BackupLoss, Cause};
use crate::event::declare::events;
use crate::event::{CoreList, Hex, Text, Word};
use crate::hand_off::PhysicalRange;

events! {
    /// The monitor

    event Refused = "refused":
    /// The boot stops.
    {
        /// The option that is wrong.
        option: Text,
    }

    event Plan = "plan":
    /// How the machine is divided.
    {
        /// CPUs that were found.
        cpus: u32,
        /// Cores of the first primary.
        primary_cores: u32,
        /// Memory of the first backup, in bytes.
        backup_bytes: u64,
        /// Frequency of the time-stamp counter.
        tsc_hz: u64,
        /// Frequency of the local APICs' timers.
        apic_timer_hz: u64,
        /// Whether the local APICs are in x2APIC mode.
        x2apic: bool,
        /// How many PCI functions it has, virtual ones (SR-IOV) aside.
        functions: u32,
    }

    event Clock = "clock":
    /// How fast the time-stamp counter runs, by which all times are kept.
    {
        /// Where that is known from: `cpuid-15h`, `cpuid-16h`, `pm-timer`, `hpet`.
        source: Word,
        /// Its frequency.
        tsc_hz: u64,
        /// The largest error, in millionths.
        error_ppm: u64,
        /// What the processor states, where a timer contradicts it.
        stated_hz: Option<u64>,
    }

    event CoresSilent = "cores-silent":
    /// Cores that the firmware lists did not answer INIT and SIPI. They are left out of everything, and of every fence.
    {
        /// Their machine numbers.
        cores: CoreList,
    }

    event BackupMemory = "backup-memory":
    /// Memory that only the first backup uses while it waits. The monitor writes one event for each range, before
    /// `plan`.
    {
        /// Where it is.
        range: PhysicalRange,
    }

    event Footprint = "footprint":
    /// Memory that a ready native backup takes.
    {
        /// The monitor, with its page tables.
        monitor_kib: u64,
        /// The backup's image, page tables and stacks.
        image_kib: u64,
        /// Its heap, as much of it as is in use.
        heap_kib: u64,
        /// The service's state, a part of the heap.
        state_kib: u64,
        /// Monitor, image and heap together.
        total_kib: u64,
    }

    event ImageRefused = "image-refused":
    /// An image is not used.
    {
        /// The instance that it was for.
        instance: Instance,
        /// Its path in the boot archive, or where else it came from.
        path: Text,
        /// Why not.
        reason: Text,
    }

    event ResetSurvived = "reset-survived":
    /// The machine was reset, and continues with the state in its memory.
    {
        /// The epoch with which it continues.
        epoch: u64,
        /// Position from which the journal makes the state.
        journal_from: u64,
        /// Where the journal ends.
        journal_to: u64,
        /// How long the machine ran before the reset.
        time_before_ns: u64,
    }

    event Arming = "arming":
    /// A new backup is loaded, and is getting ready.
    {
        /// Which instance it is.
        instance: Instance,
        /// The core that a Linux primary lends for it.
        core: Option<u32>,
        /// Heap of the monitor in use. Left out for a Linux.
        heap_bytes: Option<u64>,
    }

    event FellBack = "fell-back":
    /// An image that the operator brought was lost, so the boot line's image is loaded instead.
    {
        /// The instance that it was for.
        instance: Instance,
        /// Why it was lost.
        loss: BackupLoss,
    }

    event PrimaryUp = "primary-up":
    /// A primary sent its first keepalive, or the first one after it was believed dead.
    {
        /// Its epoch.
        epoch: u64,
    }

    event BackupReady = "backup-ready":
    /// A backup is ready to take over.
    {}

    event BackupLost = "backup-lost":
    /// There is no backup any more.
    {
        /// Why.
        loss: BackupLoss,
    }

    event WaitingForBackup = "waiting-for-backup":
    /// The primary is dead, and the backup is not ready yet.
    {
        /// Why the primary counts as dead.
        cause: Cause,
        /// Its failed core, in its own count. Left out if no single core failed.
        core: Option<u32>,
    }

    event WordRestored = "word-restored":
    /// Somebody overwrote a word of the shared region that the monitor alone writes; it is as before.
    {
        /// The word.
        word: Word,
        /// What it was found to be.
        found: Hex,
        /// What it must be, and is again.
        value: Hex,
        /// How often it was overwritten.
        times: u64,
    }

    event MemoryAltered = "memory-altered":
    /// Text or tables that nobody may change are not as they were. A backup is given up for that; the monitor ends.
    {
        /// Whose they are: `monitor`, `backup-a` or `backup-b`.
        whose: Word,
        /// Physical address of the page.
        address: Hex,
    }

    event MachineCheck = "machine-check":
    /// The processor reported an error of its own, or of memory. A native primary writes it, too.
    {
        /// The core, by the count of who writes.
        core: u32,
        /// The bank that reports it; 255 if none does, and then `status` is the core's global status.
        bank: u32,
        /// The bank's status register.
        status: Hex,
        /// The address of the error; 0 if there is none.
        address: Hex,
        /// The bank's register for more; 0 if there is nothing.
        misc: Hex,
        /// Whether the core went on.
        survived: bool,
        /// Reports before it that were overwritten.
        lost: u64,
    }

    event StrayNmi = "stray-nmi":
    /// Cores of a native primary took NMIs that no fence sent, and went on.
    {
        /// NMIs since the last such event.
        count: u64,
    }

    event WatchdogStarted = "watchdog-started":
    /// The hardware watchdog counts: it resets the machine if the monitor hangs for so long.
    {
        /// What it is: `TCO`, or `WDAT` for one that the firmware describes.
        name: Word,
        /// The time.
        timeout_ms: u64,
    }

    event WatchdogUnused = "watchdog-unused":
    /// The operator wants a hardware watchdog, and none is used.
    {
        /// Why.
        reason: Text,
    }

    event StartPageRestored = "start-page-restored":
    /// Somebody overwrote the page in which other cores start; it is as before.
    {
        /// The first byte of it that was overwritten.
        offset: u64,
        /// How often it was overwritten.
        times: u64,
    }

    event StartFault = "start-fault":
    /// A core took an exception on its way into an instance, and stopped.
    {
        /// The exception's vector.
        vector: u64,
        /// Where, as far as it is known.
        rip: Hex,
        /// CR2, the address of a page fault.
        address: Hex,
        /// Exceptions since the last such event; the others are not told.
        count: u64,
    }

    event SeatAbsent = "seat-absent":
    /// The monitor did not run for a time-out or more; nobody counts as dead for that. Written ever more rarely.
    {
        /// For how long after the moment at which it wanted to look.
        unseen_ns: u64,
        /// How often it was away since the boot.
        absences: u64,
    }

    event TakeoverBegan = "takeover-began":
    /// The primary is dead, and the backup takes over.
    {
        /// The epoch that this leads to.
        epoch: u64,
        /// Why the primary counts as dead.
        cause: Cause,
        /// Its failed core, in its own count. Left out if no single core failed.
        core: Option<u32>,
    }

    event FenceRetry = "fence-retry":
    /// Cores did not check in at the fence, and get another round.
    {
        /// The round that begins.
        round: u32,
        /// The machine numbers of these cores.
        cores: CoreList,
    }

    event CoresLeft = "cores-left":
    /// What the dead primary's cores told when the fence's NMI came. It is their word, and proves nothing.
    {
        /// How many heard it, and stopped.
        heard: u64,
        /// How many of these were in a hypervisor's mode, and left it.
        left: u64,
    }

    event TakeoverRefused = "takeover-refused":
    /// A takeover was refused, because a stage of it failed.
    {
        /// The stage.
        stage: Word,
    }

    event CoresRetried = "cores-retried":
    /// Cores did not take up their orders, and are called once more.
    {
        /// Their machine numbers.
        cores: CoreList,
    }

    event CoresLeftOut = "cores-left-out":
    /// Cores do not take up their orders. They get no work until the next boot, and no fence waits for them.
    {
        /// Their machine numbers.
        cores: CoreList,
    }

    event Dead = "dead":
    /// The primary is dead and there is no backup: no instance serves.
    {
        /// Why the primary counts as dead.
        cause: Cause,
        /// Its failed core, in its own count. Left out if no single core failed.
        core: Option<u32>,
    }

    event Stopped = "stopped":
    /// The primary was told to halt or to power the machine off. Nobody takes over.
    {}

    event PowerOff = "power-off":
    /// The monitor powers the machine off, as the primary was told to, and could not.
    {}

    event FenceRefused = "fence-refused":
    /// A takeover was refused, because cores did not prove that they had stopped.
    {
        /// The machine numbers of these cores.
        cores: CoreList,
    }

    event Qualified = "qualified":
    /// The machine is qualified (`qualify=`); the report is in the lines before.
    {
        /// Whether every takeover took place and nothing was wrong.
        passed: bool,
        /// Number of takeovers.
        takeovers: u32,
        /// Number of wrong replies.
        wrong: u64,
    }

    event Reset = "reset":
    /// No instance serves, so the monitor resets the machine.
    {
        /// Number of this reset in a row.
        number: u64,
    }

    event StandsStill = "stands-still":
    /// No instance serves, and resets did not help: the monitor waits for a reset by hand.
    {
        /// Number of resets in a row that did not help.
        resets: u64,
    }

    event MonitorPanicked = "monitor-panicked":
    /// The monitor has panicked, and the machine is unprotected.
    {
        /// Where it panicked, and its message.
        message: Text,
    }
}
