//! What every part of the instance needs to know: the hand-off, the shared region, the clock, the options. Set once, on first entry.

use core::sync::atomic::{AtomicU64, Ordering};

use arch::clock::Clock;
use arch::logger::LOGGER;
use ipi::{LocalApic, Mode};
use network::CONNECTION_BYTES;
use partition::cmdline::{Options, Service};
use sharedmem::crc32c::Crc32c;
use sharedmem::hand_off::{HandOff, PhysicalRange};
use sharedmem::{Instance, SharedRegion};
use spin::Once;

use crate::memory::{self, HEAP, virt_of};

/// The instance's context.
pub struct Context {
    /// What the monitor said.
    pub hand_off: &'static HandOff,
    /// The shared region.
    pub region: SharedRegion,
    /// Time since the machine's boot.
    pub clock: Clock,
    /// The boot options.
    pub options: Options,
    /// The CRC this processor computes.
    pub crc: Crc32c,
    /// The local APIC, of whatever core asks.
    pub local_apic: LocalApic,
    /// Bytes of heap in use before the service holds any state.
    pub idle_heap_bytes: AtomicU64,
}

/// Connections for which there is room in the slice beside the memory for state.
const CONNECTIONS_MIN: usize = 160;

/// Shares of the memory for state, in bytes. A sixteenth is left for what is counted by nobody.
pub struct Shares {
    /// Keys and values.
    pub store_bytes: u64,
    /// Requests that are not finished, of all clients.
    pub pending_bytes: u64,
    /// Replies that wait for slow clients, of all clients.
    pub unacked_bytes: u64,
    /// Records of programs, from when a Linux was the primary.
    pub records_bytes: u64,
    /// Connections at a time; their number.
    pub connections: usize,
}

static CONTEXT: Once<Context> = Once::new();

/// The context.
///
/// # Panics
/// Before [`init`].
pub fn get() -> &'static Context {
    CONTEXT.get().expect("the context is made on first entry")
}

/// The context, if it is known yet. For a kernel that dies early.
pub fn try_get() -> Option<&'static Context> {
    CONTEXT.get()
}

impl Context {
    /// Returns which instance this is.
    pub fn instance(&self) -> Instance {
        self.hand_off.instance()
    }

    /// How the memory for state is divided; the same on both instances.
    pub fn shares(&self) -> Shares {
        let sixteenth = self.hand_off.service_memory_bytes / 16;
        Shares {
            store_bytes: sixteenth * 9,
            pending_bytes: sixteenth * 2,
            unacked_bytes: sixteenth * 2,
            records_bytes: sixteenth,
            connections: CONNECTIONS_MIN + sixteenth as usize / CONNECTION_BYTES,
        }
    }

    /// The port the service listens on.
    pub fn port(&self) -> u16 {
        let Service::Redis { port } = self.options.service;
        port
    }

    /// The time-stamp counter: nobody outside can foretell its low bits.
    pub fn clock_ticks(&self) -> u64 {
        arch::clock::ticks()
    }

    /// Returns how many counts of the local APIC's timer `duration_ns` is: at least one, because zero would stop the timer.
    pub fn timer_count(&self, duration_ns: u64) -> u32 {
        let counts =
            u128::from(self.hand_off.apic_timer_hz) * u128::from(duration_ns) / 1_000_000_000;
        u32::try_from(counts).unwrap_or(u32::MAX).max(1)
    }

    /// Nanoseconds since the machine's boot.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }
}

/// Makes heap, log and context from the hand-off.
///
/// # Errors
/// What in the hand-off or the shared region is not as it must be.
pub fn init(hand_off: &'static HandOff) -> Result<&'static Context, &'static str> {
    if !hand_off.is_valid() {
        return Err("the hand-off is not one this image can read");
    }
    memory::give_heap(hand_off);
    let PhysicalRange { start, .. } = hand_off.shared;
    // SAFETY: the loader mapped the shared region there, for good; all parties use it by atomics.
    let region = unsafe { SharedRegion::open(virt_of(start) as *mut u8, hand_off.shared.len()) };
    let region = region.map_err(|_| "the shared region is not one this image can use")?;
    let clock = Clock::new(hand_off.tsc_hz, hand_off.tsc_at_boot);
    let instance = hand_off.instance();
    LOGGER.start(
        instance.name(),
        clock,
        &region.control.instance_logs[instance],
    );
    let options = Options::parse(hand_off.command_line()).map_err(|refusal| {
        log::error!("{refusal}");
        "the boot options are refused"
    })?;
    memory::open_page_tables(hand_off);
    let mode = if hand_off.x2apic == 1 {
        Mode::X2Apic
    } else {
        Mode::XApic
    };
    // SAFETY: the registers are mapped at this address before the APIC is first used: by `memory::map_device` when the instance becomes an owner.
    let local_apic =
        unsafe { LocalApic::new(mode, virt_of(hand_off.local_apic_address) as *mut u8) };
    let crc = Crc32c::detect();
    Ok(CONTEXT.call_once(|| Context {
        hand_off,
        region,
        clock,
        options,
        crc,
        local_apic,
        idle_heap_bytes: AtomicU64::new(0),
    }))
}

/// Notes how much heap an instance without state needs.
pub fn note_idle_heap(context: &Context) {
    context
        .idle_heap_bytes
        .store(HEAP.used_bytes() as u64, Ordering::Relaxed);
}
