//! What the supervisor needs of a machine: in the monitor the real one, in a simulation one that is made up.

use alloc::boxed::Box;
use core::fmt;

use sharedmem::hand_off::PhysicalRange;
use sharedmem::{Control, Instance};

use crate::console::Port;
use crate::cores::Cores;
use crate::image::{LoadRequest, Source};
use crate::tenant::Tenant;

/// All that the supervisor needs of a machine but its other cores.
pub trait Platform: Sized {
    /// The other cores.
    type Cores: Cores;
    /// The serial port.
    type Port: Port;
    /// Why an image is not used.
    type Refusal: fmt::Display;

    /// Returns how many interrupts have come to the seat; a change since the last look is a reason not to sleep.
    fn wake_count(&self) -> u64;

    /// Sleeps until an interrupt beyond the `seen` ones, or for `most_ns`; with `None`, for as long as it takes.
    fn sleep(&mut self, seen: u64, most_ns: Option<u64>);

    /// Stops all interrupts of devices, after all of their accesses to memory where an IOMMU can do that. The old
    /// primary is stopped and the new one not started.
    fn seize_interrupts(&mut self);

    /// Stops all devices from writing to memory; false if one does not obey. From then on they may reach the memory of
    /// `next`, the next owner. The old primary is stopped and the new one not started.
    fn quiet_devices(&mut self, next: Instance) -> bool;

    /// Loads an instance.
    ///
    /// # Errors
    /// Why the image is not used.
    fn load(
        &mut self,
        request: &LoadRequest<'_>,
    ) -> Result<Box<dyn Tenant<Self::Cores>>, Self::Refusal>;

    /// Logs why the image of a request is not used.
    fn report_refused(&self, request: &LoadRequest<'_>, reason: &Self::Refusal);

    /// Returns the slot in which an instance waits, if it has one.
    fn slot(&self, instance: Instance) -> Option<PhysicalRange>;

    /// Checks an image that the operator uploaded and that lies in the slice of `primary`. Changes nothing.
    ///
    /// # Errors
    /// Why it cannot be the other instance's.
    fn verify_uploaded(
        &mut self,
        primary: Instance,
        file: PhysicalRange,
    ) -> Result<(), Self::Refusal>;

    /// Copies an image that was [verified](Self::verify_uploaded) into an instance's slice, where it stays. Nothing of
    /// the instance runs.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn store_uploaded(
        &mut self,
        instance: Instance,
        file: PhysicalRange,
    ) -> Result<Source, Self::Refusal>;

    /// Does a little of what can wait until the seat has nothing else to do. Returns whether there is more.
    fn idle(&mut self, control: &Control) -> bool;

    /// Lets [`KeepaliveAnswer::is_stuck`](crate::KeepaliveAnswer::is_stuck) be asked by the timer, every
    /// [`MAIN_LOOP_LOOK_NS`](crate::MAIN_LOOP_LOOK_NS), for as long as nobody serves.
    fn watch_main_loop(&mut self);

    /// Compares some of the monitor's own text and tables with their digests, as much as is due at `now_ns`. Ends the
    /// monitor if they are damaged.
    fn check_memory(&mut self, now_ns: u64);

    /// Keeps the hardware watchdog from resetting the machine, at `now_ns`. Starts it the first time.
    fn pet_watchdog(&mut self, now_ns: u64);

    /// Stops the hardware watchdog: another reset would not help.
    fn stop_watchdog(&mut self);

    /// Returns how many bytes of the monitor's heap are in use, for the log.
    fn heap_bytes(&self) -> usize;

    /// Powers the machine off: its primary was told to, and is at rest. Returns if that does not work.
    fn power_off(&mut self);

    /// Resets the machine. Nobody serves, and what is to be kept is in memory.
    fn reset(&mut self) -> !;
}
