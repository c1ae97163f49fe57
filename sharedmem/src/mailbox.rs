//! The operator's mailbox: requests of the primary to the monitor, and the answers.

use core::array;

use arrayvec::ArrayVec;

use crate::numbered::numbered;
use crate::sync::{AtomicU64, Ordering};

numbered! {
    /// What the operator can ask the monitor for. The arguments are those of [`Mailbox`].
    pub enum Command {
        /// Arguments: machine number of a core that the primary has taken offline and lends; [`ImageSource`]; for a
        /// staged image, physical start and length in bytes of the kernel, of the initrd (0 if there is none) and of
        /// the command line, all in the spare slot. Beside a native primary, the arguments are ignored.
        Arm = 1, "arm", "load a new backup";
        Disarm = 2, "disarm", "give up the backup";
        Retry = 3, "retry", "try a refused takeover again";
        /// Arguments: physical start and length in bytes of the file, in the primary's slice.
        Load = 4, "load", "load a native image in place of the present backup";
        /// Arguments: [`ComputeOrder`]; the rest is text, zeros behind it: the slice's name, and for a start, behind a
        /// blank, what is to be computed.
        Compute = 5, "compute", "give an order to a compute slice, or ask for its state";
    }
}

numbered! {
    /// What the operator can ask of a compute slice. The answer's text is its state.
    pub enum ComputeOrder {
        List = 1, "list", "name all slices";
        Status = 2, "status", "say what it does";
        Start = 3, "start", "begin anew; nothing of an earlier job is left";
        Stop = 4, "stop", "stop its ranks";
        /// Text: the slice's name, and from where in its log, in bytes. The answer's text: where the piece begins,
        /// where the next one does, and the piece, which ends before a line end.
        Log = 5, "log", "read a piece of its log";
        /// Text: the slice's name, the result's, and from where in it, in bytes. The answer's text: the committed step,
        /// the result's length, and a piece of it in hexadecimal digits.
        Result = 6, "result", "read a piece of a result as of the last committed step";
    }
}

numbered! {
    /// Where a new backup's image comes from.
    pub enum ImageSource {
        Primary = 0, "primary", "`primary_kernel` of the boot line";
        Failover = 1, "failover", "`failover_kernel` of the boot line";
        Staged = 2, "staged", "the image that the arguments name";
    }
}

numbered! {
    /// The answer to a request.
    pub enum Answer {
        /// The protection word and the monitor's log show the rest.
        Accepted = 1, "accepted", "it is done, or under way";
        Refused = 2, "refused", "it cannot be done, and the text says why";
    }
}

/// Number of arguments of a request.
pub const ARGUMENTS: usize = if cfg!(loom) { 2 } else { 8 };

const TEXT_WORDS: usize = if cfg!(loom) { 1 } else { 32 };

/// Bytes of text in the arguments of [`Command::Compute`].
pub const COMPUTE_TEXT_BYTES: usize = 8 * (ARGUMENTS - 1);

/// Returns the arguments of [`Command::Compute`]; `None` if the text is too long.
pub fn compute_arguments(order: ComputeOrder, text: &[u8]) -> Option<[u64; ARGUMENTS]> {
    let mut bytes = [0; COMPUTE_TEXT_BYTES];
    bytes.get_mut(..text.len())?.copy_from_slice(text);
    let mut arguments = [order.number(); ARGUMENTS];
    for (argument, word) in arguments[1..].iter_mut().zip(bytes.as_chunks::<8>().0) {
        *argument = u64::from_le_bytes(*word);
    }
    Some(arguments)
}

/// Returns the text in the arguments of [`Command::Compute`]: all bytes before the first zero.
pub fn compute_text(arguments: &[u64; ARGUMENTS]) -> ArrayVec<u8, COMPUTE_TEXT_BYTES> {
    let bytes = arguments[1..].iter().flat_map(|word| word.to_le_bytes());
    bytes.take_while(|byte| *byte != 0).collect()
}

/// The mailbox. It holds one request at a time, from the primary to the monitor. The primary fills it in and raises
/// `asked`; the monitor answers and sets `answered` to the same number.
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
    /// Makes a request. Returns the number that the answer will carry. Only one writer at a time may call it.
    pub fn ask(&self, command: Command, arguments: [u64; ARGUMENTS]) -> u64 {
        for (word, argument) in self.arguments.iter().zip(arguments) {
            word.store(argument, Ordering::Relaxed);
        }
        self.command.store(command.number(), Ordering::Relaxed);
        let number = self.asked.load(Ordering::Relaxed).wrapping_add(1).max(1);
        self.asked.store(number, Ordering::Release);
        number
    }

    /// Returns the answer to request `number` and its text, once there is one.
    pub fn answer(&self, number: u64) -> Option<(Answer, MailText)> {
        if self.answered.load(Ordering::Acquire) != number {
            return None;
        }
        let answer = self.answer.load(Ordering::Relaxed);
        let answer = Answer::from_number(answer).unwrap_or(Answer::Refused);
        let mut text = MailText([0; TEXT_WORDS * 8], 0);
        for (bytes, word) in text.0.as_chunks_mut::<8>().0.iter_mut().zip(&self.text) {
            *bytes = word.load(Ordering::Relaxed).to_le_bytes();
        }
        text.1 = (self.text_len.load(Ordering::Relaxed) as usize).min(text.0.len());
        Some((answer, text))
    }

    /// Returns the request that waits for an answer: its number, the command's number, the arguments. For the monitor;
    /// all of it is a claim.
    pub fn request(&self) -> Option<(u64, u64, [u64; ARGUMENTS])> {
        let number = self.asked.load(Ordering::Acquire);
        (number != self.answered.load(Ordering::Relaxed)).then(|| {
            let arguments = array::from_fn(|i| self.arguments[i].load(Ordering::Relaxed));
            (number, self.command.load(Ordering::Relaxed), arguments)
        })
    }

    /// Answers request `number`. For the monitor. Text beyond the room for it is cut off.
    pub fn reply(&self, number: u64, answer: Answer, text: &str) {
        let mut bytes = [0; TEXT_WORDS * 8];
        let taken = text.len().min(bytes.len());
        bytes[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        for (word, chunk) in self.text.iter().zip(bytes.as_chunks::<8>().0) {
            word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
        }
        self.text_len.store(taken as u64, Ordering::Relaxed);
        self.answer.store(answer.number(), Ordering::Relaxed);
        self.answered.store(number, Ordering::Release);
    }

    /// Returns the number of the request that was answered last. If it is wrong, the last one is carried out again.
    pub(crate) fn answered_word(&self) -> &AtomicU64 {
        &self.answered
    }
}

/// The text of an answer.
#[derive(Clone, Debug)]
pub struct MailText([u8; TEXT_WORDS * 8], usize);

impl MailText {
    /// Returns the text, as far as it is UTF-8.
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
    fn the_text_of_an_order_to_a_slice_is_read_back_or_is_too_long() {
        for text in [
            "",
            "cg",
            "cg n=32 steps=50",
            &"x".repeat(COMPUTE_TEXT_BYTES),
        ] {
            let arguments = compute_arguments(ComputeOrder::Start, text.as_bytes()).unwrap();
            assert_eq!(arguments[0], ComputeOrder::Start.number());
            assert_eq!(&compute_text(&arguments)[..], text.as_bytes());
        }
        let long = "x".repeat(COMPUTE_TEXT_BYTES + 1);
        assert_eq!(compute_arguments(ComputeOrder::Stop, long.as_bytes()), None);
        assert_eq!(
            compute_text(&[u64::MAX; ARGUMENTS]).len(),
            COMPUTE_TEXT_BYTES
        );
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
