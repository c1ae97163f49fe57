//! The context that every part of the instance uses: hand-off, shared region, clock, options. It is set once, on the
//! first entry.

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
    /// What the monitor passed to this instance.
    pub hand_off: &'static HandOff,
    /// The shared region.
    pub region: SharedRegion,
    /// The clock, which counts from the machine's boot.
    pub clock: Clock,
    /// The boot options.
    pub options: Options,
    /// The CRC, in the fastest way that this processor offers.
    pub crc: Crc32c,
    /// The local APIC of the core that uses it.
    pub local_apic: LocalApic,
    /// Bytes of heap in use when the service holds no state.
    pub idle_heap_bytes: AtomicU64,
}

/// Connections for which there is always room, beside the memory for state.
const CONNECTIONS_MIN: usize = 160;

/// How the memory for state is divided. A sixteenth is left for what is not counted.
pub struct Shares {
    /// Bytes for keys and values.
    pub store_bytes: u64,
    /// Bytes for unfinished requests of all clients.
    pub pending_bytes: u64,
    /// Bytes for replies that the clients have not acknowledged.
    pub unacked_bytes: u64,
    /// Bytes for records that programs appended while a Linux was the primary.
    pub records_bytes: u64,
    /// Number of simultaneous connections.
    pub connections: usize,
}

static CONTEXT: Once<Context> = Once::new();

/// Returns the context.
///
/// # Panics
/// If [`init`] was not called before.
pub fn get() -> &'static Context {
    CONTEXT.get().expect("the context is made on first entry")
}

/// Returns the context, if it is set. For a kernel that dies before [`init`].
pub fn try_get() -> Option<&'static Context> {
    CONTEXT.get()
}

impl Context {
    /// Returns which instance this is.
    pub fn instance(&self) -> Instance {
        self.hand_off.instance()
    }

    /// Returns how the memory for state is divided. It is the same on both instances.
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

    /// Returns the TCP port on which the service listens.
    pub fn port(&self) -> u16 {
        let Service::Redis { port } = self.options.service;
        port
    }

    /// Returns the time-stamp counter, whose low bits no client can predict.
    pub fn clock_ticks(&self) -> u64 {
        arch::clock::ticks()
    }

    /// Returns the length of `duration_ns` in counts of the local APIC's timer: at least one, because zero would stop
    /// the timer.
    pub fn timer_count(&self, duration_ns: u64) -> u32 {
        let counts =
            u128::from(self.hand_off.apic_timer_hz) * u128::from(duration_ns) / 1_000_000_000;
        u32::try_from(counts).unwrap_or(u32::MAX).max(1)
    }

    /// Returns the nanoseconds since the machine's boot.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }
}

/// Sets up heap, log and context from the hand-off.
///
/// # Errors
/// What is wrong with the hand-off, the shared region or the boot options.
pub fn init(hand_off: &'static HandOff) -> Result<&'static Context, &'static str> {
    if !hand_off.is_valid() {
        return Err("the hand-off is not one this image can read");
    }
    memory::give_heap(hand_off);
    let PhysicalRange { start, .. } = hand_off.shared;
    // SAFETY: the loader mapped the shared region there and never unmaps it; all parties access it by atomics.
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
    Ok(CONTEXT.call_once(|| Context {
        hand_off,
        region,
        clock,
        options,
        crc: Crc32c::detect(),
        local_apic: local_apic(hand_off),
        idle_heap_bytes: AtomicU64::new(0),
    }))
}

/// Returns the access to the local APIC, in the mode that the monitor has set.
fn local_apic(hand_off: &HandOff) -> LocalApic {
    let mode = match hand_off.x2apic {
        1 => Mode::X2Apic,
        _ => Mode::XApic,
    };
    let registers = virt_of(hand_off.local_apic_address) as *mut u8;
    // SAFETY: `memory::map_device` maps the registers at this address when the instance becomes the primary, before the
    // APIC is first used.
    unsafe { LocalApic::new(mode, registers) }
}

/// Stores how much heap is in use by an instance without state.
pub fn note_idle_heap(context: &Context) {
    context
        .idle_heap_bytes
        .store(HEAP.used_bytes() as u64, Ordering::Relaxed);
}
