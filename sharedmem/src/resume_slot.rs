//! The resume slot: where a waiting Linux is parked, and where it continues.

use crate::layout::layout;
use crate::numbered::numbered;
use crate::sync::{AtomicU64, Ordering};

numbered! {
    /// The state of a Linux instance, as it shares it with the monitor.
    pub enum ParkState {
        Running = 0, "running", "it runs, or was never started";
        /// Writer: the instance, as its last act.
        Parked = 1, "parked", "it has saved everything and waits to be stopped, or is stopped";
        /// Writer: the monitor.
        Resumed = 2, "resumed", "it was resumed";
    }
}

/// Where kernels live: the upper half of the address space.
pub const UPPER_HALF: u64 = 0xffff_8000_0000_0000;

/// What the monitor needs to resume a parked kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Physical address of its top page table (4 levels). The upper half maps `entry` and `stack`.
    pub page_table: u64,
    /// Virtual address at which it continues, in 64-bit mode, with interrupts off, with the monitor's segments, and
    /// with a page table whose upper half is its own.
    pub entry: u64,
    /// Top of a stack for its first instructions.
    pub stack: u64,
    /// APIC id of the core it parked on. It must continue on that core.
    pub apic_id: u32,
}

/// The place for the ticket of a Linux that waits. One per instance.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ResumeSlot {
    /// The reset register, by the instance's FADT. Not 0: the kernel asked for a reset of the machine.
    pub reset: AtomicU64,
    state: AtomicU64,
    page_table: AtomicU64,
    entry: AtomicU64,
    stack: AtomicU64,
    apic_id: AtomicU64,
    /// Real time at the machine's time 0, in ns since 1970, as the instance last knew it; 0 if unknown.
    pub real_at_boot_ns: AtomicU64,
}

layout!(ResumeSlot: reset, state, page_table, entry, stack, apic_id, real_at_boot_ns);

impl ResumeSlot {
    /// Empties the slot before a kernel is started. For the monitor.
    pub fn clear(&self) {
        self.state
            .store(ParkState::Running.number(), Ordering::Release);
        self.reset.store(0, Ordering::Release);
    }

    /// Leaves a ticket. The caller then waits to be stopped.
    pub fn park(&self, ticket: Ticket) {
        self.page_table.store(ticket.page_table, Ordering::Relaxed);
        self.entry.store(ticket.entry, Ordering::Relaxed);
        self.stack.store(ticket.stack, Ordering::Relaxed);
        self.apic_id.store(ticket.apic_id.into(), Ordering::Relaxed);
        self.state
            .store(ParkState::Parked.number(), Ordering::Release);
    }

    /// Returns the ticket of a parked kernel.
    pub fn ticket(&self) -> Option<Ticket> {
        (self.state.load(Ordering::Acquire) == ParkState::Parked.number()).then(|| Ticket {
            page_table: self.page_table.load(Ordering::Relaxed),
            entry: self.entry.load(Ordering::Relaxed),
            stack: self.stack.load(Ordering::Relaxed),
            apic_id: self.apic_id.load(Ordering::Relaxed) as u32,
        })
    }

    /// Notes that the kernel is resumed. For the monitor.
    pub fn set_resumed(&self) {
        self.state
            .store(ParkState::Resumed.number(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_there_from_parking_to_resuming() {
        let slot = ResumeSlot::default();
        assert_eq!(slot.ticket(), None);
        let ticket = Ticket {
            page_table: 0x800_0000,
            entry: 0xffff_ffff_c000_0000,
            stack: 0xffff_ffff_c000_2000,
            apic_id: 3,
        };
        slot.park(ticket);
        assert_eq!(slot.ticket(), Some(ticket));
        slot.set_resumed();
        assert_eq!(slot.ticket(), None);
        slot.park(ticket);
        slot.reset.store(1, Ordering::Relaxed);
        slot.clear();
        assert_eq!(
            (slot.ticket(), slot.reset.load(Ordering::Relaxed)),
            (None, 0)
        );
    }
}
