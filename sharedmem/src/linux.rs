//! What a Linux instance shares with the monitor: a hand-off in an ACPI table of its own, a desk per instance, and the operator's
//! mailbox. The C side of it is generated from here.

use crate::sync::{AtomicU64, Ordering};
use core::array;

use crate::abi::MAX_CORES;
use crate::hand_off::PhysicalRange;
use crate::layout::layout;

/// Signature of the ACPI table whose body is a [`LinuxHandOff`].
pub const TABLE_SIGNATURE: [u8; 4] = *b"UNDS";

/// What a kernel writes into [`LinuxDesk::reset`] to reset the machine (FADT: RESET_VALUE).
pub const RESET_VALUE: u8 = 1;

/// PCI functions the hand-off has room for.
pub const LINUX_FUNCTIONS_MAX: usize = 64;

/// Ranges of pool memory the hand-off has room for.
pub const POOL_RANGES_MAX: usize = 8;

/// A PCI function as found before any kernel ran, with what sizing its base address registers gave.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinuxFunction {
    /// Bus in bits 15..8, device in 7..3, function in 2..0.
    pub address: u32,
    /// Device ID in bits 31..16, vendor ID in 15..0.
    pub id: u32,
    /// Class code in bits 31..8, revision in 7..0.
    pub class: u32,
    /// Header type, in bits 7..0.
    pub header: u32,
    /// Base address registers 0 to 5 (a bridge has two).
    pub bars: [u32; 6],
    /// What each reads after all ones were written to it; 0 where there is none.
    pub bar_masks: [u32; 6],
    /// Expansion ROM base address register.
    pub rom: u32,
    /// What it reads after all ones were written to its address bits.
    pub rom_mask: u32,
}

layout!(LinuxFunction: address, id, class, header, bars, bar_masks, rom, rom_mask);

/// What a Linux instance is told about itself and the machine: the body of its table [`TABLE_SIGNATURE`].
#[repr(C)]
#[derive(Clone, Debug)]
pub struct LinuxHandOff {
    /// ABI revision of the monitor.
    pub abi_revision: u32,
    /// Journal revision of the monitor.
    pub journal_revision: u32,
    /// Which instance this is, by its number.
    pub instance: u32,
    /// 1: after a takeover a new backup is loaded at once; 0: the operator does it.
    pub rearm_auto: u32,
    /// The shared region: control block, then journal.
    pub shared: PhysicalRange,
    /// Memory offered as a pmem range to both; empty if there is none.
    pub pmem: PhysicalRange,
    /// The instance's own slot.
    pub slot: PhysicalRange,
    /// The slot in which the next backup waits while this instance is the primary: never its memory, but it may stage an image there.
    pub spare: PhysicalRange,
    /// Memory that goes with the role of primary and not with a slot; `pool_count` of them count.
    pub pool: [PhysicalRange; POOL_RANGES_MAX],
    /// Ranges in `pool`. 0 for the first primary, which has it from its boot.
    pub pool_count: u32,
    /// APIC id of the seat.
    pub seat_apic_id: u32,
    /// Frequency of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// The counter's value at the machine's boot: time 0.
    pub tsc_at_boot: u64,
    /// Period of the keepalive, in ns.
    pub keepalive_ns: u64,
    /// A primary silent for so long is dead, in ns.
    pub timeout_ns: u64,
    /// Physical address of memory-mapped configuration space of segment 0, bus 0; 0 if there is none.
    pub ecam: u64,
    /// Cores the owner may run on: entries in `core_apic_ids`. The machine number of entry i is in `core_numbers[i]`.
    pub core_count: u32,
    /// Entries in `functions`.
    pub function_count: u32,
    /// APIC ids, the lead first.
    pub core_apic_ids: [u32; MAX_CORES],
    /// Machine numbers of the same cores.
    pub core_numbers: [u32; MAX_CORES],
    /// The machine's PCI functions.
    pub functions: [LinuxFunction; LINUX_FUNCTIONS_MAX],
}

layout!(LinuxHandOff: abi_revision, journal_revision, instance, rearm_auto, shared, pmem, slot, spare, pool, pool_count, seat_apic_id, tsc_hz, tsc_at_boot, keepalive_ns, timeout_ns, ecam, core_count, function_count, core_apic_ids, core_numbers, functions);

/// Where a Linux instance stands with the monitor.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkState {
    /// It runs, or was never started.
    Running = 0,
    /// It has saved everything and waits to be stopped, or is stopped. Writer: the instance, as its last act.
    Parked = 1,
    /// It was sent on. Writer: the monitor.
    Resumed = 2,
}

/// A parked kernel's way back in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Physical address of its top page table (4 levels); its upper half maps `entry` and `stack`.
    pub page_table: u64,
    /// Virtual address at which it goes on, in 64-bit mode, interrupts off, with the monitor's segments and a page table whose upper half
    /// is its own.
    pub entry: u64,
    /// Top of a stack for its first instructions.
    pub stack: u64,
    /// APIC id of the core it parked on, and must go on on.
    pub apic_id: u32,
}

/// One per instance.
#[repr(C)]
#[derive(Debug, Default)]
pub struct LinuxDesk {
    /// Where the instance's FADT says the reset register is. Not 0: it wanted to reset the machine.
    pub reset: AtomicU64,
    state: AtomicU64,
    page_table: AtomicU64,
    entry: AtomicU64,
    stack: AtomicU64,
    apic_id: AtomicU64,
    /// Real time at the machine's time 0, in ns since 1970, as the instance last knew it; 0 if it never said.
    pub real_at_boot_ns: AtomicU64,
}

layout!(LinuxDesk: reset, state, page_table, entry, stack, apic_id, real_at_boot_ns);

impl LinuxDesk {
    /// Empties the desk before a kernel is started. For the monitor.
    pub fn clear(&self) {
        self.state
            .store(ParkState::Running as u64, Ordering::Release);
        self.reset.store(0, Ordering::Release);
    }

    /// Leaves a ticket. The caller then waits to be stopped.
    pub fn park(&self, ticket: Ticket) {
        self.page_table.store(ticket.page_table, Ordering::Relaxed);
        self.entry.store(ticket.entry, Ordering::Relaxed);
        self.stack.store(ticket.stack, Ordering::Relaxed);
        self.apic_id.store(ticket.apic_id.into(), Ordering::Relaxed);
        self.state
            .store(ParkState::Parked as u64, Ordering::Release);
    }

    /// The ticket of a parked kernel.
    pub fn ticket(&self) -> Option<Ticket> {
        (self.state.load(Ordering::Acquire) == ParkState::Parked as u64).then(|| Ticket {
            page_table: self.page_table.load(Ordering::Relaxed),
            entry: self.entry.load(Ordering::Relaxed),
            stack: self.stack.load(Ordering::Relaxed),
            apic_id: self.apic_id.load(Ordering::Relaxed) as u32,
        })
    }

    /// The kernel is sent on. For the monitor.
    pub fn set_resumed(&self) {
        self.state
            .store(ParkState::Resumed as u64, Ordering::Release);
    }
}

/// What the operator can ask of the monitor. The arguments are those of [`Mailbox`].
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Load a new backup. Arguments: machine number of a core that the primary has taken offline and lends; [`ImageSource`]; and for a
    /// staged image physical start and length in bytes of the kernel, of the initrd (0 if there is none), of the command line, all in the
    /// spare slot.
    Arm = 1,
    /// Give the backup up.
    Disarm = 2,
    /// Try a refused takeover again.
    Retry = 3,
    /// Load a native image in place of the backup there is. Arguments: physical start and length in bytes of the file, in the primary's slice.
    Load = 4,
}

/// Where a new backup's image comes from.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// `primary_kernel` of the boot line.
    Primary = 0,
    /// `failover_kernel` of the boot line.
    Failover = 1,
    /// What the arguments say.
    Staged = 2,
}

/// How a request went.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or under way; the protection word and the monitor's log tell the rest.
    Accepted = 1,
    /// It cannot be done; the text says why.
    Refused = 2,
}

/// Arguments of a request.
pub const ARGUMENTS: usize = if cfg!(loom) { 2 } else { 8 };

const TEXT_WORDS: usize = if cfg!(loom) { 1 } else { 32 };

/// One request at a time, from the primary to the monitor: the primary fills it in and raises `asked`; the monitor answers and sets
/// `answered` to the same number.
#[repr(C)]
#[derive(Debug)]
pub struct Mailbox {
    asked: AtomicU64,
    command: AtomicU64,
    arguments: [AtomicU64; ARGUMENTS],
    answered: AtomicU64,
    answer: AtomicU64,
    text_len: AtomicU64,
    text: [AtomicU64; TEXT_WORDS],
}

impl Default for Mailbox {
    fn default() -> Self {
        let zero = |_| AtomicU64::new(0);
        Self {
            asked: zero(0),
            command: zero(0),
            arguments: array::from_fn(zero),
            answered: zero(0),
            answer: zero(0),
            text_len: zero(0),
            text: array::from_fn(zero),
        }
    }
}

impl Mailbox {
    /// Asks. Returns the number under which the answer will come. For one writer at a time.
    pub fn ask(&self, command: Command, arguments: [u64; ARGUMENTS]) -> u64 {
        for (word, argument) in self.arguments.iter().zip(arguments) {
            word.store(argument, Ordering::Relaxed);
        }
        self.command.store(command as u64, Ordering::Relaxed);
        let number = self.asked.load(Ordering::Relaxed).wrapping_add(1).max(1);
        self.asked.store(number, Ordering::Release);
        number
    }

    /// The answer to request `number`, once there is one: accepted, or why not.
    pub fn answer(&self, number: u64) -> Option<(Answer, MailText)> {
        if self.answered.load(Ordering::Acquire) != number {
            return None;
        }
        let answer = match self.answer.load(Ordering::Relaxed) {
            1 => Answer::Accepted,
            _ => Answer::Refused,
        };
        let mut text = MailText([0; TEXT_WORDS * 8], 0);
        for (bytes, word) in text.0.as_chunks_mut::<8>().0.iter_mut().zip(&self.text) {
            *bytes = word.load(Ordering::Relaxed).to_le_bytes();
        }
        text.1 = (self.text_len.load(Ordering::Relaxed) as usize).min(text.0.len());
        Some((answer, text))
    }

    /// The request that waits for an answer: its number, the command's number, the arguments. For the monitor; all of it is a claim.
    pub fn request(&self) -> Option<(u64, u64, [u64; ARGUMENTS])> {
        let number = self.asked.load(Ordering::Acquire);
        (number != self.answered.load(Ordering::Relaxed)).then(|| {
            let arguments = array::from_fn(|i| self.arguments[i].load(Ordering::Relaxed));
            (number, self.command.load(Ordering::Relaxed), arguments)
        })
    }

    /// Answers request `number`. For the monitor. Text beyond the room there is, is cut off.
    pub fn reply(&self, number: u64, answer: Answer, text: &str) {
        let mut bytes = [0; TEXT_WORDS * 8];
        let taken = text.len().min(bytes.len());
        bytes[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        for (word, chunk) in self.text.iter().zip(bytes.as_chunks::<8>().0) {
            word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
        }
        self.text_len.store(taken as u64, Ordering::Relaxed);
        self.answer.store(answer as u64, Ordering::Relaxed);
        self.answered.store(number, Ordering::Release);
    }
}

/// The text of an answer.
#[derive(Clone, Debug)]
pub struct MailText([u8; TEXT_WORDS * 8], usize);

impl MailText {
    /// The text, as far as it is UTF-8.
    pub fn as_str(&self) -> &str {
        let bytes = &self.0[..self.1];
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_there_from_parking_to_resuming() {
        let desk = LinuxDesk::default();
        assert_eq!(desk.ticket(), None);
        let ticket = Ticket {
            page_table: 0x800_0000,
            entry: 0xffff_ffff_c000_0000,
            stack: 0xffff_ffff_c000_2000,
            apic_id: 3,
        };
        desk.park(ticket);
        assert_eq!(desk.ticket(), Some(ticket));
        desk.set_resumed();
        assert_eq!(desk.ticket(), None);
        desk.park(ticket);
        desk.reset.store(1, Ordering::Relaxed);
        desk.clear();
        assert_eq!(
            (desk.ticket(), desk.reset.load(Ordering::Relaxed)),
            (None, 0)
        );
    }

    #[test]
    fn a_request_is_answered_under_its_own_number() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.request(), None);
        let number = mailbox.ask(Command::Arm, [3, 2, 1, 0, 0, 0, 0, 9]);
        assert_eq!(
            mailbox.request(),
            Some((number, 1, [3, 2, 1, 0, 0, 0, 0, 9]))
        );
        assert!(mailbox.answer(number).is_none());
        mailbox.reply(number, Answer::Refused, "core 3: not the primary's");
        assert_eq!(mailbox.request(), None);
        let (answer, text) = mailbox.answer(number).unwrap();
        assert_eq!(
            (answer, text.as_str()),
            (Answer::Refused, "core 3: not the primary's")
        );
        let next = mailbox.ask(Command::Disarm, [0; ARGUMENTS]);
        assert!(next != number && mailbox.answer(next).is_none());
    }

    #[test]
    fn a_hostile_answer_is_bounded() {
        let mailbox = Mailbox::default();
        mailbox.text_len.store(u64::MAX, Ordering::Relaxed);
        mailbox.text[0].store(u64::MAX, Ordering::Relaxed);
        mailbox.answer.store(77, Ordering::Relaxed);
        let (answer, text) = mailbox.answer(0).unwrap();
        assert_eq!((answer, text.as_str()), (Answer::Refused, ""));
        mailbox.reply(0, Answer::Accepted, &"x".repeat(1000));
        assert_eq!(mailbox.answer(0).unwrap().1.as_str().len(), TEXT_WORDS * 8);
    }
}
