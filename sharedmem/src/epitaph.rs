//! The epitaph: what a dying kernel writes down about its death.

use crate::sync::{AtomicU64, Ordering};
use core::array;
use core::fmt;

use crate::layout::layout;
use crate::numbered::numbered;

/// Words of message text, of 8 bytes each.
const MESSAGE_WORDS: usize = if cfg!(loom) { 2 } else { 32 };

numbered! {
    /// Why a kernel ended itself.
    pub enum EpitaphCause {
        Panic = 1, "panic", "it panicked";
        /// `vector` names it.
        Exception = 2, "exception", "a processor exception that nothing handles";
        Superseded = 3, "superseded", "it found a foreign epoch: it had been fenced, or replaced";
        BootFailed = 4, "boot-failed", "it could not boot";
        Reboot = 5, "reboot", "it asked to be started again";
        Switchover = 6, "switchover", "it asked for a switchover";
        Application = 7, "application", "a program's watchdog expired";
        Service = 8, "service", "its service did not answer the canary";
        Device = 9, "device", "its network card could not serve any longer";
        /// A word of shared memory that it alone writes, or what it concluded from its memory, was impossible.
        MemoryChanged = 10, "memory-changed", "its memory was overwritten";
        State = 11, "state", "its state was not what it should be";
        /// The monitor powers the machine off if the kernel does not.
        PowerOff = 12, "power-off", "it was told to power the machine off";
        Halt = 13, "halt", "it was told to halt";
    }
}

/// An epitaph as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpitaphText {
    /// Epoch of the kernel that died.
    pub epoch: u64,
    /// The cause; `None` if its number is unknown.
    pub cause: Option<EpitaphCause>,
    /// Index of the core, in the instance's own count.
    pub core: u64,
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
    /// When the kernel died, by its own clock, in ns since the machine's boot.
    pub time_ns: u64,
    message: [u8; MESSAGE_WORDS * 8],
    message_len: usize,
}

impl EpitaphText {
    /// Makes an epitaph with a cause and an empty message. The caller fills in the rest.
    pub fn new(epoch: u64, cause: EpitaphCause, core: u64) -> Self {
        Self {
            epoch,
            cause: Some(cause),
            core,
            vector: 0,
            error_code: 0,
            address: 0,
            rip: 0,
            rsp: 0,
            time_ns: 0,
            message: [0; MESSAGE_WORDS * 8],
            message_len: 0,
        }
    }

    /// Returns the message, as far as it is UTF-8.
    pub fn message(&self) -> &str {
        let bytes = &self.message[..self.message_len];
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }
}

/// Appends to the message. Text beyond the room for it is cut off.
impl fmt::Write for EpitaphText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &mut self.message[self.message_len..];
        let taken = text.len().min(free.len());
        free[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.message_len += taken;
        Ok(())
    }
}

numbered! {
    /// State of an epitaph's place.
    pub enum EpitaphState {
        Empty = 0, "empty", "nothing was written";
        Writing = 1, "writing", "it is being written";
        Whole = 2, "whole", "it is complete";
    }
}

/// The place of an instance's epitaph. The first core that dies writes; the others find it taken.
#[repr(C)]
#[derive(Debug)]
pub struct Epitaph {
    state: AtomicU64,
    epoch: AtomicU64,
    cause: AtomicU64,
    core: AtomicU64,
    vector: AtomicU64,
    error_code: AtomicU64,
    address: AtomicU64,
    rip: AtomicU64,
    rsp: AtomicU64,
    time_ns: AtomicU64,
    message_len: AtomicU64,
    message: [AtomicU64; MESSAGE_WORDS],
}

layout!(Epitaph: state, epoch, cause, core, vector, error_code, address, rip, rsp, time_ns, message_len, message);

impl Default for Epitaph {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            state: zero(),
            epoch: zero(),
            cause: zero(),
            core: zero(),
            vector: zero(),
            error_code: zero(),
            address: zero(),
            rip: zero(),
            rsp: zero(),
            time_ns: zero(),
            message_len: zero(),
            message: array::from_fn(|_| zero()),
        }
    }
}

impl Epitaph {
    /// Writes the epitaph, unless another core has. It never waits and never fails, because it runs in a kernel that
    /// cannot be trusted any more. Returns whether this core wrote it.
    pub fn write(&self, text: &EpitaphText) -> bool {
        if self
            .state
            .compare_exchange(
                EpitaphState::Empty.number(),
                EpitaphState::Writing.number(),
                Ordering::Acquire,
                Ordering::Relaxed,
            )
            .is_err()
        {
            return false;
        }
        for (word, value) in self.fixed_words().into_iter().zip([
            text.epoch,
            text.cause.map_or(0, EpitaphCause::number),
            text.core,
            text.vector,
            text.error_code,
            text.address,
            text.rip,
            text.rsp,
            text.time_ns,
            text.message_len as u64,
        ]) {
            word.store(value, Ordering::Relaxed);
        }
        let (words, _) = text.message.as_chunks::<8>();
        for (word, bytes) in self.message.iter().zip(words) {
            word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
        }
        self.state
            .store(EpitaphState::Whole.number(), Ordering::Release);
        true
    }

    /// Returns the epitaph, if a complete one was left.
    pub fn read(&self) -> Option<EpitaphText> {
        if self.state.load(Ordering::Acquire) != EpitaphState::Whole.number() {
            return None;
        }
        let [
            epoch,
            cause,
            core,
            vector,
            error_code,
            address,
            rip,
            rsp,
            time_ns,
            message_len,
        ] = self.fixed_words().map(|word| word.load(Ordering::Relaxed));
        let mut message = [0; MESSAGE_WORDS * 8];
        let (chunks, _) = message.as_chunks_mut::<8>();
        for (bytes, word) in chunks.iter_mut().zip(&self.message) {
            *bytes = word.load(Ordering::Relaxed).to_le_bytes();
        }
        let cause = EpitaphCause::from_number(cause);
        let message_len = message_len.min(message.len() as u64) as usize;
        Some(EpitaphText {
            epoch,
            cause,
            core,
            vector,
            error_code,
            address,
            rip,
            rsp,
            time_ns,
            message,
            message_len,
        })
    }

    /// Empties the place for the next kernel of this instance. For the monitor, once the old kernel is fenced.
    pub fn clear(&self) {
        self.state
            .store(EpitaphState::Empty.number(), Ordering::Release);
    }

    fn fixed_words(&self) -> [&AtomicU64; 10] {
        [
            &self.epoch,
            &self.cause,
            &self.core,
            &self.vector,
            &self.error_code,
            &self.address,
            &self.rip,
            &self.rsp,
            &self.time_ns,
            &self.message_len,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn the_first_to_die_is_the_one_who_is_remembered() {
        let place = Epitaph::default();
        assert_eq!(place.read(), None);
        let mut first = EpitaphText::new(4, EpitaphCause::Exception, 1);
        first.vector = 14;
        write!(first, "page fault at {:#x}", 0x1234).unwrap();
        assert!(place.write(&first));
        assert!(!place.write(&EpitaphText::new(4, EpitaphCause::Panic, 2)));
        assert_eq!(place.read().as_ref(), Some(&first));
        assert_eq!(place.read().unwrap().message(), "page fault at 0x1234");
        place.clear();
        assert_eq!(place.read(), None);
    }

    #[test]
    fn a_message_too_long_is_cut_and_a_hostile_length_is_bounded() {
        let place = Epitaph::default();
        let mut text = EpitaphText::new(1, EpitaphCause::Panic, 0);
        for _ in 0..100 {
            text.write_str("abcdefgh").unwrap();
        }
        place.write(&text);
        assert_eq!(place.read().unwrap().message().len(), MESSAGE_WORDS * 8);
        place.message_len.store(u64::MAX, Ordering::Relaxed);
        place.cause.store(99, Ordering::Relaxed);
        let read = place.read().unwrap();
        assert_eq!(
            (read.message().len(), read.cause),
            (MESSAGE_WORDS * 8, None)
        );
    }
}
