//! Another core, as the partner of a measurement: it tells its clock and sends interrupts when it is asked to.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

use arch::{clock, cpu};
use ipi::{Ipi, LocalApic};
use supervisor::{Cores, Dispatch, Order};

use crate::ap::OtherCores;
use crate::facts::BootFacts;
use crate::traps;

/// A vector that nobody else uses: an interrupt by it wakes the seat, and that is all.
const VECTOR: u8 = 0x5f;

/// Rounds of PAUSE before an interrupt is sent: the seat is asleep by then.
const DELAY_ROUNDS: u32 = 4_000;

/// How long an answer may take before the partner counts as absent, in ns. A pause of the machine is much shorter.
const ANSWER_NS: u64 = 2_000_000_000;

/// Time between two looks whether the partner has started, in ns.
const LOOK_NS: u64 = 1_000_000;

/// Number of looks before it is given up.
const LOOKS_MAX: u32 = 200;

const STACK_BYTES: usize = 16 << 10;

/// What the seat asks for, in the lower bits of the request.
const TELL_CLOCK: u64 = 1;
const INTERRUPT: u64 = 2;
const STOP: u64 = 3;
const KIND_BITS: u32 = 2;

/// What the seat and its partner share.
struct Exchange {
    request: AtomicU64,
    answer: AtomicU64,
    ticks: AtomicU64,
}

#[repr(C, align(16))]
struct Stack(UnsafeCell<[u8; STACK_BYTES]>);

// SAFETY: one partner runs at a time, and it alone uses the stack.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; STACK_BYTES]));
static EXCHANGE: Exchange = Exchange {
    request: AtomicU64::new(0),
    answer: AtomicU64::new(0),
    ticks: AtomicU64::new(0),
};

/// The place of the partner, which one core after the other takes.
pub struct Partner {
    local_apic: &'static LocalApic,
    page_table: u64,
    last: u64,
}

impl Partner {
    /// Makes the place. `page_table` is the monitor's.
    pub fn new(facts: &BootFacts, page_table: u64) -> Self {
        Self {
            local_apic: facts.local_apic,
            page_table,
            last: 0,
        }
    }

    /// Starts `core` as the partner.
    pub fn start(&self, dispatch: &mut Dispatch<OtherCores>, core: u32) {
        EXCHANGE.request.store(0, Ordering::Relaxed);
        let order = Order {
            page_table: self.page_table,
            entry: serve as *const () as u64,
            // As after a call.
            stack_top: STACK.0.get() as u64 + STACK_BYTES as u64 - 8,
            arguments: [
                core::ptr::from_ref(self.local_apic) as u64,
                self.local_apic.id().into(),
                0,
            ],
        };
        dispatch.start([(core, order)]);
        for _ in 0..LOOKS_MAX {
            if !dispatch.mailboxes().has_order(core) {
                break;
            }
            dispatch.cores().spin_until(LOOK_NS, || false);
            dispatch.retry_pending();
        }
    }

    /// Asks for the partner's clock. Returns it, with the seat's before and after; `None` if nobody answers.
    pub fn clock(&mut self, cores: &OtherCores) -> Option<[u64; 3]> {
        let request = self.request(TELL_CLOCK);
        let before = clock::ticks();
        EXCHANGE.request.store(request, Ordering::Release);
        cores.spin_until(ANSWER_NS, || {
            EXCHANGE.answer.load(Ordering::Acquire) == request
        });
        let after = clock::ticks();
        let has_answered = EXCHANGE.answer.load(Ordering::Acquire) == request;
        has_answered.then(|| [before, EXCHANGE.ticks.load(Ordering::Relaxed), after])
    }

    /// Sleeps until the partner's interrupt. Returns the partner's clock when it was sent, and the seat's when it was
    /// awake; `None` if none came.
    pub fn interrupt(&mut self, cores: &OtherCores) -> Option<[u64; 2]> {
        let request = self.request(INTERRUPT);
        let seen = traps::wake_count();
        // In case that no interrupt comes.
        crate::timer::arm(ANSWER_NS);
        EXCHANGE.request.store(request, Ordering::Release);
        while traps::wake_count() == seen {
            cpu::wait_unless(|| traps::wake_count() != seen);
        }
        let awake = clock::ticks();
        self.local_apic.timer_stop();
        cores.spin_until(ANSWER_NS, || {
            EXCHANGE.answer.load(Ordering::Acquire) == request
        });
        let has_answered = EXCHANGE.answer.load(Ordering::Acquire) == request;
        has_answered.then(|| [EXCHANGE.ticks.load(Ordering::Relaxed), awake])
    }

    /// Stops the partner.
    pub fn stop(&mut self, dispatch: &mut Dispatch<OtherCores>, core: u32) {
        let request = self.request(STOP);
        EXCHANGE.request.store(request, Ordering::Release);
        dispatch.cores().spin_until(ANSWER_NS, || {
            EXCHANGE.answer.load(Ordering::Acquire) == request
        });
        dispatch.init(core);
    }

    fn request(&mut self, kind: u64) -> u64 {
        self.last += 1;
        self.last << KIND_BITS | kind
    }
}

/// Serves as the partner until it is told to stop: on the other core, in the monitor's address space, without
/// interrupts.
extern "C" fn serve(local_apic: *const LocalApic, seat: u64, _: u64) -> ! {
    // SAFETY: `start` passes the static object; its registers are those of the core that uses it.
    let local_apic = unsafe { &*local_apic };
    if local_apic.enable(traps::VECTOR_SPURIOUS).is_err() {
        // The seat gets no answer.
        cpu::stop();
    }
    let mut served = 0;
    loop {
        let request = EXCHANGE.request.load(Ordering::Acquire);
        if request == served {
            core::hint::spin_loop();
            continue;
        }
        served = request;
        match request & ((1 << KIND_BITS) - 1) {
            TELL_CLOCK => EXCHANGE.ticks.store(clock::ticks(), Ordering::Relaxed),
            INTERRUPT => {
                (0..DELAY_ROUNDS).for_each(|_| core::hint::spin_loop());
                EXCHANGE.ticks.store(clock::ticks(), Ordering::Relaxed);
                // What does not arrive is seen by the seat.
                let _ = local_apic.send(seat as u32, Ipi::Fixed(VECTOR));
            }
            _ => {}
        }
        EXCHANGE.answer.store(request, Ordering::Release);
        if request & ((1 << KIND_BITS) - 1) == STOP {
            cpu::stop();
        }
    }
}
