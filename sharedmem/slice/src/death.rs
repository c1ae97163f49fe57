//! The epitaph of a computation: which rank ended it, where and how.

use core::array;
use core::fmt;

use sharedmem::epitaph::EpitaphState;
use sharedmem::layout;
use sharedmem::slice::DeathCause;
use sharedmem::sync::Ordering::{Acquire, Relaxed, Release};
use sharedmem::sync::{AtomicU64, fence};

/// Words of message text, of 8 bytes each.
const MESSAGE_WORDS: usize = if cfg!(loom) { 2 } else { 32 };

/// General registers in an epitaph, in the order r15 r14 r13 r12 r11 r10 r9 r8 rbp rdi rsi rdx rcx rbx rax.
pub const REGISTERS: usize = 15;

/// Numbers of an epitaph before the registers.
const NUMBERS: usize = 10;

/// An epitaph as read, or to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceDeath {
    /// The entry that the rank died in.
    pub generation: u64,
    /// The rank.
    pub rank: u64,
    /// The step it worked on.
    pub step: u64,
    /// The cause; `None` if its number is unknown.
    pub cause: Option<DeathCause>,
    /// Exception vector; 0 if there was no exception.
    pub vector: u64,
    /// Error code that the processor pushed.
    pub error_code: u64,
    /// CR2 at that time.
    pub address: u64,
    /// Instruction pointer.
    pub rip: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// When it died, in ns since the machine's boot.
    pub time_ns: u64,
    /// General registers; see [`REGISTERS`].
    pub registers: [u64; REGISTERS],
    message: [[u8; 8]; MESSAGE_WORDS],
    message_len: usize,
}

impl SliceDeath {
    /// Makes an epitaph with an empty message. The caller fills in the rest.
    pub fn new(cause: DeathCause, generation: u64, rank: u64, step: u64) -> Self {
        Self {
            generation,
            rank,
            step,
            cause: Some(cause),
            vector: 0,
            error_code: 0,
            address: 0,
            rip: 0,
            rsp: 0,
            time_ns: 0,
            registers: [0; REGISTERS],
            message: [[0; 8]; MESSAGE_WORDS],
            message_len: 0,
        }
    }

    /// Returns the message, as far as it is UTF-8.
    pub fn message(&self) -> &str {
        let bytes = &self.message.as_flattened()[..self.message_len];
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }
}

/// Appends to the message. Text beyond the room for it is cut off.
impl fmt::Write for SliceDeath {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &mut self.message.as_flattened_mut()[self.message_len..];
        let taken = text.len().min(free.len());
        free[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.message_len += taken;
        Ok(())
    }
}

/// The place of the epitaph.
#[repr(C)]
#[derive(Debug)]
pub struct SliceEpitaph {
    /// An [`EpitaphState`].
    state: AtomicU64,
    numbers: [AtomicU64; NUMBERS],
    registers: [AtomicU64; REGISTERS],
    message_len: AtomicU64,
    message: [AtomicU64; MESSAGE_WORDS],
}

layout!(SliceEpitaph: state, numbers, registers, message_len, message);

const EMPTY: u64 = EpitaphState::Empty.number();
const WRITING: u64 = EpitaphState::Writing.number();
const WHOLE: u64 = EpitaphState::Whole.number();

impl Default for SliceEpitaph {
    fn default() -> Self {
        Self {
            state: AtomicU64::new(EMPTY),
            numbers: array::from_fn(|_| AtomicU64::new(0)),
            registers: array::from_fn(|_| AtomicU64::new(0)),
            message_len: AtomicU64::new(0),
            message: array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl SliceEpitaph {
    /// Writes the epitaph, unless another rank has. It never waits and never fails. Returns whether this rank wrote it.
    pub fn write(&self, death: &SliceDeath) -> bool {
        let claim = self
            .state
            .compare_exchange(EMPTY, WRITING, Acquire, Relaxed);
        if claim.is_err() {
            return false;
        }
        let numbers = [
            death.generation,
            death.rank,
            death.step,
            death.cause.map_or(0, DeathCause::number),
            death.vector,
            death.error_code,
            death.address,
            death.rip,
            death.rsp,
            death.time_ns,
        ];
        store_all(&self.numbers, &numbers);
        store_all(&self.registers, &death.registers);
        store_all(&self.message, &death.message.map(u64::from_le_bytes));
        self.message_len.store(death.message_len as u64, Relaxed);
        self.state.store(WHOLE, Release);
        true
    }

    /// Returns the epitaph, if a complete one was left.
    pub fn read(&self) -> Option<SliceDeath> {
        if self.state.load(Acquire) != WHOLE {
            return None;
        }
        let [
            generation,
            rank,
            step,
            cause,
            vector,
            error_code,
            address,
            rip,
            rsp,
            time_ns,
        ] = load_all(&self.numbers);
        let message = load_all(&self.message).map(u64::to_le_bytes);
        let message_len = self.message_len.load(Relaxed);
        let death = SliceDeath {
            generation,
            rank,
            step,
            cause: DeathCause::from_number(cause),
            vector,
            error_code,
            address,
            rip,
            rsp,
            time_ns,
            registers: load_all(&self.registers),
            message,
            message_len: message_len.min(8 * MESSAGE_WORDS as u64) as usize,
        };
        // It may have been cleared for the next entry meanwhile.
        fence(Acquire);
        (self.state.load(Relaxed) == WHOLE).then_some(death)
    }

    pub(super) fn clear(&self) {
        self.state.store(EMPTY, Release);
        fence(Release);
    }
}

fn store_all<const N: usize>(words: &[AtomicU64; N], values: &[u64; N]) {
    for (word, value) in words.iter().zip(values) {
        word.store(*value, Relaxed);
    }
}

fn load_all<const N: usize>(words: &[AtomicU64; N]) -> [u64; N] {
    array::from_fn(|index| words[index].load(Relaxed))
}
