//! What `understudyctl` writes to the log of its kernel. `serving` is in the table of the instances.

use crate::event::Text;
use crate::event::declare::events;

events! {
    /// `understudyctl`, to the log of its Linux

    event Parking = "parking":
    /// A backup parks now.
    {
        /// Hooks that it will run when it is the primary.
        hooks: u32,
    }

    event ConsolePolled = "console-polled":
    /// A timer serves a serial console, because its interrupt stays with the primary.
    {
        /// The console's name.
        name: Text,
    }

    event Hook = "hook":
    /// A hook has run.
    {
        /// Its file name.
        name: Text,
        /// How long it took.
        took_us: u64,
        /// Its exit status, or why there is none.
        result: Text,
    }

    event Announced = "announced":
    /// The neighbours were sent the card's address for each IP address.
    {
        /// How many addresses.
        addresses: u32,
    }

    event MemoryAdded = "memory-added":
    /// The memory that belongs to the primary's role was added.
    {
        /// How much, in MiB.
        mib: u64,
        /// Number of blocks that were set online one by one.
        blocks_onlined: u64,
    }

    event CpusOnline = "cpus-online":
    /// The cores of the dead primary were set online.
    {
        /// Cores that are online now.
        count: u32,
    }

    event Rearmed = "rearmed":
    /// A new backup waits.
    {}

    event NotRearmed = "not-rearmed":
    /// No new backup could be loaded after a takeover.
    {
        /// Why not.
        reason: Text,
    }
}
