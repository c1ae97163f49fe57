//! What the monitor logs of devices and IOMMUs.

use crate::event::declare::events;
use crate::event::{Hex, Text, Word};

events! {
    /// The monitor, of devices

    event FunctionFault = "function-fault":
    /// A takeover found that a PCI function is not as it should be.
    {
        /// Its address.
        function: Word,
        /// `silent` (all ones), `disobeys` (it masters the bus), `pending`, or `hangs` (in its reset).
        fault: Word,
        /// The bridge at which it was cut off. Left out if it was not.
        cut_at: Option<Word>,
        /// By what: `bus-mastering` or `secondary-reset` of the bridge, or its own `d3hot`.
        cut_by: Option<Word>,
        /// Whether it no longer reaches memory. If not, the takeover is refused.
        contained: bool,
    }

    event FunctionReset = "function-reset":
    /// A takeover has reset a PCI function.
    {
        /// Its address.
        function: Word,
        /// From the order until it answered. Left out if it hangs.
        took_us: Option<u64>,
    }

    event FunctionAdded = "function-added":
    /// A takeover found a PCI function that was plugged after boot. It was made quiet. The new primary does not use it.
    {
        /// Its address.
        function: Word,
    }

    event FunctionsLeftOut = "functions-left-out":
    /// The machine has more PCI functions than there is room for.
    {
        /// How many more.
        count: u32,
    }

    event Iommu = "iommu":
    /// The monitor has taken a unit of the IOMMU: devices reach the owner's memory and no other.
    {
        /// The number of the unit, in the order of the firmware's table.
        unit: u32,
        /// Whether it translated addresses before, by the tables of firmware or of a kernel.
        was_on: bool,
        /// Whether it remapped interrupts before.
        was_remapping: bool,
        /// Whether it had to be switched off for a moment, because its tables had another form.
        was_off: bool,
    }

    event IommuStuck = "iommu-stuck":
    /// A unit of the IOMMU did not take a step. What is behind it is as on a machine without an IOMMU.
    {
        /// The number of the unit.
        unit: u32,
        /// What it was to do.
        step: Text,
    }

    event DmaHandedOver = "dma-handed-over":
    /// A takeover has given the devices the memory of the next owner.
    {
        /// How long it took until no device reached any memory, in ns; 0 with `iommu=tenant`.
        denied_ns: u64,
        /// How long it took to give them the next owner's, once they were quiet, in ns.
        granted_ns: u64,
        /// How many functions reach nothing, because they do not obey.
        barred: u32,
    }

    event DmaFault = "dma-fault":
    /// The IOMMU stopped a function's access to memory that is not its owner's. Once for each of 32 functions an owner.
    {
        /// Its address.
        function: Word,
        /// `read` or `write`.
        access: Word,
        /// The physical address, to the page.
        address: Hex,
        /// The unit's number for the reason: of VT-d the fault reason, of AMD-Vi the event code.
        reason: u32,
    }
}
