//! The hardware watchdog of this machine.

use alloc::vec::Vec;

use arch::pci::{ConfigSpace, PortConfigSpace};
use partition::cmdline::LoneMonitor;
use partition::{AcpiInfo, Options};
use sharedmem::event::{Text, WatchdogStarted, WatchdogUnused};
use spin::Mutex;
use watchdog::{Place, Registers, Tco, Watchdog, Wdat};
use x86_64::instructions::port::Port;

use arch::paging::{MapError, PAGE_BYTES};
use sharedmem::hand_off::PhysicalRange;

/// Intel's LPC bridge: bus 0, device 31, function 0.
const LPC_BRIDGE: u32 = 31 << 3;

/// Between two pets, in ns.
const PET_NS: u64 = 1_000_000_000;

/// The watchdog, once it is found. The seat alone uses it, also when it ends.
static WATCHDOG: Mutex<Option<Guard>> = Mutex::new(None);

/// The watchdog and what is known of it.
struct Guard {
    watchdog: Watchdog,
    registers: MachineRegisters,
    timeout_ms: u64,
    /// Whether a monitor that ends leaves it on, so that it resets the machine.
    outlives_monitor: bool,
    is_running: bool,
    /// When it is petted next, in ns.
    due_ns: u64,
}

/// Looks for the watchdog, if the operator wants one. Names why there is none. The table goes before the chipset: it
/// is the board's.
pub fn find(options: &Options, acpi: &AcpiInfo) -> Option<Watchdog> {
    options.failover_watchdog_ns?;
    match &acpi.watchdog {
        Ok(Some(table)) => match Wdat::new(table.clone()) {
            Ok(wdat) => return Some(Watchdog::Wdat(wdat)),
            Err(error) => log::error!("WDAT: {error}"),
        },
        Ok(None) => {}
        Err(error) => log::error!("{error}; the chipset's watchdog is looked for"),
    }
    // SAFETY: at boot no other kernel uses the ports.
    let mut space = unsafe { PortConfigSpace::take() };
    let tco = Tco::find(|register| space.read(LPC_BRIDGE, register));
    if tco.is_none() {
        report_unused("there is none: no WDAT, and no chipset that is known");
    }
    tco.map(Watchdog::Tco)
}

fn report_unused(reason: impl core::fmt::Display) {
    let reason = Text::of(reason);
    log::error!("{}", WatchdogUnused { reason });
}

/// Makes `watchdog` the one that is petted. `map` maps a page of registers, and returns where.
///
/// # Errors
/// Its registers cannot be mapped.
pub fn install(
    watchdog: Watchdog,
    options: &Options,
    mut map: impl FnMut(PhysicalRange) -> Result<u64, MapError>,
) -> Result<(), MapError> {
    let addresses: Vec<u64> = match &watchdog {
        Watchdog::Tco(tco) => [tco.memory()].into(),
        Watchdog::Wdat(wdat) => wdat.memory().collect(),
    };
    let mut registers = MachineRegisters { pages: Vec::new() };
    for address in addresses {
        let start = address & !(PAGE_BYTES - 1);
        if registers.pages.iter().all(|(page, _)| *page != start) {
            let end = start + PAGE_BYTES;
            registers
                .pages
                .push((start, map(PhysicalRange { start, end })?));
        }
    }
    *WATCHDOG.lock() = Some(Guard {
        watchdog,
        registers,
        timeout_ms: options.failover_watchdog_ns.unwrap_or(0) / 1_000_000,
        outlives_monitor: options.failover_monitor == LoneMonitor::Reset,
        is_running: false,
        due_ns: 0,
    });
    Ok(())
}

/// Starts the watchdog the first time, and pets it when it is time.
pub fn pet(now_ns: u64) {
    let mut slot = WATCHDOG.lock();
    let Some(guard) = slot.as_mut().filter(|guard| now_ns >= guard.due_ns) else {
        return;
    };
    guard.due_ns = now_ns + PET_NS;
    if guard.is_running {
        if let Err(error) = guard.watchdog.pet(&mut guard.registers) {
            log::warn!("hardware watchdog: {error}; it is started again");
        }
        return;
    }
    let timeout_ms = guard.timeout_ms;
    match guard.watchdog.start(&mut guard.registers, timeout_ms) {
        Ok(()) => {
            guard.is_running = true;
            let name = guard.watchdog.name().into();
            log::info!("{}", WatchdogStarted { name, timeout_ms });
        }
        Err(error) => {
            report_unused(error);
            *slot = None;
        }
    }
}

/// Stops the watchdog for good.
pub fn stop() {
    if let Some(mut guard) = WATCHDOG.try_lock().and_then(|mut slot| slot.take()) {
        guard.watchdog.stop(&mut guard.registers);
    }
}

/// Stops the watchdog because the monitor ends, unless it is to reset the machine for that. Somebody may serve.
pub fn stop_for_lone_primary() {
    let outlives = |slot: &Option<Guard>| slot.as_ref().is_some_and(|it| it.outlives_monitor);
    if !WATCHDOG.try_lock().is_some_and(|slot| outlives(&slot)) {
        stop();
    }
}

/// The machine's registers. Those in memory are in pages that are mapped: physical address, and where.
struct MachineRegisters {
    pages: Vec<(u64, u64)>,
}

impl MachineRegisters {
    /// Returns where a register is mapped. Every one that the watchdog names is.
    fn at(&self, address: u64) -> Option<u64> {
        let offset = address & (PAGE_BYTES - 1);
        let page = address - offset;
        let mapped = self.pages.iter().find(|(physical, _)| *physical == page);
        mapped.map(|(_, virt)| virt + offset)
    }
}

impl Registers for MachineRegisters {
    fn read(&mut self, place: Place, width: u8) -> u32 {
        // SAFETY: the registers are the watchdog's, by the chipset's documentation or the firmware's table; those in
        // memory are mapped, and aligned to their width.
        unsafe {
            match (place, width) {
                (Place::Port(port), 8) => Port::<u8>::new(port).read().into(),
                (Place::Port(port), 16) => Port::<u16>::new(port).read().into(),
                (Place::Port(port), _) => Port::<u32>::new(port).read(),
                (Place::Memory(address), width) => match (self.at(address), width) {
                    (None, _) => u32::MAX,
                    (Some(at), 8) => (at as *const u8).read_volatile().into(),
                    (Some(at), 16) => (at as *const u16).read_volatile().into(),
                    (Some(at), _) => (at as *const u32).read_volatile(),
                },
            }
        }
    }

    fn write(&mut self, place: Place, width: u8, value: u32) {
        // SAFETY: as above.
        unsafe {
            match (place, width) {
                (Place::Port(port), 8) => Port::<u8>::new(port).write(value as u8),
                (Place::Port(port), 16) => Port::<u16>::new(port).write(value as u16),
                (Place::Port(port), _) => Port::<u32>::new(port).write(value),
                (Place::Memory(address), width) => match (self.at(address), width) {
                    (None, _) => {}
                    (Some(at), 8) => (at as *mut u8).write_volatile(value as u8),
                    (Some(at), 16) => (at as *mut u16).write_volatile(value as u16),
                    (Some(at), _) => (at as *mut u32).write_volatile(value),
                },
            }
        }
    }
}
