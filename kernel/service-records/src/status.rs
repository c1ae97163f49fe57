//! What only the kernel around the service knows, for `INFO` and `ROLE`.
//!
//! Replies depend on it, so it is input like everything else: the primary journals it, and it is the same wherever
//! the journal is applied.
//!
//! Layout of a payload: the fields of [`HostStatus`] in their order; then, if there was a takeover, those of
//! [`TakeoverTimes`]. Numbers are little-endian and as wide as in the structure. A missing number is 8 bytes of ones.
//! A flag is one byte, and so is the number of a value of the contract's lists; 0 is none. A text has its length before
//! it, as one byte.

use alloc::vec::Vec;
use core::fmt;

use sharedmem::cause::{BackupLoss, Cause, StateFault};
use sharedmem::mailbox::Answer;
use sharedmem::obstacle::Obstacles;
use sharedmem::timeline::{Phase, Timeline};

/// The kernel's status, for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HostStatus {
    /// Whether the kernel waits as a backup; if not, it is the primary.
    pub is_backup: bool,
    /// Epoch of the primary; every takeover raises it.
    pub epoch: u64,
    /// Why no takeover would follow a death of this kernel.
    pub obstacles: Obstacles,
    /// Age of the backup's last keepalive, in microseconds; `None` without a backup.
    pub keepalive_age_us: Option<u64>,
    /// Bytes journaled since the machine was started; `ROLE` replies it as the offset.
    pub journal_position: u64,
    /// Bytes journaled and not yet applied by the backup.
    pub journal_lag_bytes: u64,
    /// TCP port.
    pub port: u16,
    /// Milliseconds since the machine was started.
    pub uptime_ms: u64,
    /// Cores of this instance.
    pub cores: u32,
    /// Bytes of its heap that are in use, for whatever.
    pub heap_bytes: u64,
    /// Number of takeovers so far.
    pub takeovers: u32,
    /// Version of the kernel.
    pub version: ShortText,
    /// Version of the backup's image; empty without a backup.
    pub backup_version: ShortText,
    /// Backups that were lost since the machine was started.
    pub backup_losses: u64,
    /// Why the last of them was lost.
    pub last_backup_loss: Option<BackupLoss>,
    /// What is wrong with this primary's state, if something is.
    pub state_fault: Option<StateFault>,
    /// How often that was found.
    pub state_faults: u64,
    /// Number of the operator's requests to this kernel.
    pub operator_requests: u32,
    /// Answer to the last request; `None` as long as there is none.
    pub operator_answer: Option<Answer>,
    /// Why it was refused, for people; empty if it was not.
    pub operator_reason: LongText,
    /// The last takeover.
    pub last_takeover: Option<TakeoverTimes>,
}

/// Cause of a takeover, and the duration of each phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TakeoverTimes {
    /// Why the machine was taken over; `None` if this version does not know the cause.
    pub cause: Option<Cause>,
    /// How long each phase took, in the order of [`Phase::ALL`], in microseconds; `None` if it has no beginning or no
    /// end.
    pub phases_us: [Option<u64>; Phase::COUNT],
}

impl TakeoverTimes {
    /// Reads them from a timeline.
    pub fn of(timeline: &Timeline) -> Self {
        Self {
            cause: timeline.cause(),
            phases_us: Phase::ALL.map(|phase| timeline.phase_us(phase)),
        }
    }
}

/// A text of at most `N` bytes of printable ASCII; `N` is at most 255. A longer text is cut off, and other characters
/// become question marks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AsciiText<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

/// A name, a version, a cause.
pub type ShortText = AsciiText<31>;

/// A sentence for people.
pub type LongText = AsciiText<191>;

impl<const N: usize> Default for AsciiText<N> {
    fn default() -> Self {
        Self {
            length: 0,
            bytes: [0; N],
        }
    }
}

impl<const N: usize> From<&str> for AsciiText<N> {
    fn from(text: &str) -> Self {
        Self::of(text.as_bytes())
    }
}

impl<const N: usize> AsciiText<N> {
    fn of(text: &[u8]) -> Self {
        let mut word = Self::default();
        for (to, from) in word.bytes.iter_mut().zip(text) {
            let is_printable = from.is_ascii_graphic() || *from == b' ';
            *to = if is_printable { *from } else { b'?' };
            word.length += 1;
        }
        word
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length));
        bytes
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }
}

impl<const N: usize> fmt::Display for AsciiText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for AsciiText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why bytes are not a status: a status cannot have their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusError {
    /// Their length in bytes.
    pub length: usize,
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "status record of {} bytes is not as long as a status",
            self.length
        )
    }
}

impl core::error::Error for StatusError {}

impl HostStatus {
    /// Appends the record's payload to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_backup));
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.obstacles.word().to_le_bytes());
        put_option(out, self.keepalive_age_us);
        out.extend_from_slice(&self.journal_position.to_le_bytes());
        out.extend_from_slice(&self.journal_lag_bytes.to_le_bytes());
        out.extend_from_slice(&self.port.to_le_bytes());
        out.extend_from_slice(&self.uptime_ms.to_le_bytes());
        out.extend_from_slice(&self.cores.to_le_bytes());
        out.extend_from_slice(&self.heap_bytes.to_le_bytes());
        out.extend_from_slice(&self.takeovers.to_le_bytes());
        put_text(out, self.version.as_str());
        put_text(out, self.backup_version.as_str());
        out.extend_from_slice(&self.backup_losses.to_le_bytes());
        out.push(self.last_backup_loss.map_or(0, |loss| loss.number() as u8));
        out.push(self.state_fault.map_or(0, |fault| fault.number() as u8));
        out.extend_from_slice(&self.state_faults.to_le_bytes());
        out.extend_from_slice(&self.operator_requests.to_le_bytes());
        out.push(
            self.operator_answer
                .map_or(0, |answer| answer.number() as u8),
        );
        put_text(out, self.operator_reason.as_str());
        let Some(takeover) = &self.last_takeover else {
            return;
        };
        out.push(takeover.cause.map_or(0, |cause| cause.number() as u8));
        for phase_us in takeover.phases_us {
            put_option(out, phase_us);
        }
    }

    /// Reads the status in a payload.
    ///
    /// # Errors
    /// A status cannot have the payload's length.
    pub fn decode(payload: &[u8]) -> Result<Self, StatusError> {
        let mut fields = Fields(payload);
        let length = payload.len();
        let status = fields.status().ok_or(StatusError { length })?;
        if fields.0.is_empty() {
            Ok(status)
        } else {
            Err(StatusError { length })
        }
    }
}

fn put_option(out: &mut Vec<u8>, value: Option<u64>) {
    out.extend_from_slice(&value.unwrap_or(u64::MAX).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// The part of a payload that is not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn option(&mut self) -> Option<Option<u64>> {
        self.number()
            .map(|value| Some(value).filter(|value| *value != u64::MAX))
    }

    fn flag(&mut self) -> Option<bool> {
        self.array().map(|[byte]| byte != 0)
    }

    /// Takes the number of one of a list's values; 0, and whatever this version does not know, is none.
    fn listed<T>(&mut self, value: fn(u64) -> Option<T>) -> Option<Option<T>> {
        self.array().map(|[byte]| value(byte.into()))
    }

    fn text<const N: usize>(&mut self) -> Option<AsciiText<N>> {
        let [length] = self.array()?;
        let (text, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        Some(AsciiText::of(text))
    }

    fn status(&mut self) -> Option<HostStatus> {
        Some(HostStatus {
            is_backup: self.flag()?,
            epoch: self.number()?,
            obstacles: Obstacles::from_word(self.number()?),
            keepalive_age_us: self.option()?,
            journal_position: self.number()?,
            journal_lag_bytes: self.number()?,
            port: self.array().map(u16::from_le_bytes)?,
            uptime_ms: self.number()?,
            cores: self.array().map(u32::from_le_bytes)?,
            heap_bytes: self.number()?,
            takeovers: self.array().map(u32::from_le_bytes)?,
            version: self.text()?,
            backup_version: self.text()?,
            backup_losses: self.number()?,
            last_backup_loss: self.listed(BackupLoss::from_number)?,
            state_fault: self.listed(StateFault::from_number)?,
            state_faults: self.number()?,
            operator_requests: self.array().map(u32::from_le_bytes)?,
            operator_answer: self.listed(Answer::from_number)?,
            operator_reason: self.text()?,
            last_takeover: match self.0 {
                [] => None,
                _ => Some(self.takeover()?),
            },
        })
    }

    fn takeover(&mut self) -> Option<TakeoverTimes> {
        let cause = self.listed(Cause::from_number)?;
        let mut phases_us = [None; Phase::COUNT];
        for phase_us in &mut phases_us {
            *phase_us = self.option()?;
        }
        Some(TakeoverTimes { cause, phases_us })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_comes_back_and_no_part_of_one_does() {
        let plain = HostStatus {
            epoch: 3,
            obstacles: Obstacles::NONE,
            keepalive_age_us: Some(0),
            port: 6379,
            version: "0.1.0".into(),
            operator_requests: 2,
            operator_answer: Some(Answer::Refused),
            operator_reason: "it is too large".into(),
            backup_losses: 3,
            last_backup_loss: Some(BackupLoss::Unfilled),
            state_fault: Some(StateFault::Corrupt),
            state_faults: 7,
            ..HostStatus::default()
        };
        let mut takeover = TakeoverTimes {
            cause: Some(Cause::NeverCameUp),
            ..TakeoverTimes::default()
        };
        takeover.phases_us[Phase::Devices as usize] = Some(5);
        takeover.phases_us[Phase::Total as usize] = Some(u64::MAX - 1);
        let taken_over = HostStatus {
            last_takeover: Some(takeover),
            ..plain
        };
        for status in [HostStatus::default(), plain, taken_over] {
            let mut bytes = Vec::new();
            status.encode(&mut bytes);
            assert_eq!(HostStatus::decode(&bytes), Ok(status));
            bytes.push(0);
            assert!(HostStatus::decode(&bytes).is_err());
        }
        let mut bytes = Vec::new();
        plain.encode(&mut bytes);
        for length in 0..bytes.len() {
            assert_eq!(
                HostStatus::decode(&bytes[..length]),
                Err(StatusError { length })
            );
        }
    }

    #[test]
    fn a_word_is_short_and_cannot_break_a_line() {
        assert_eq!(ShortText::from("panic").as_str(), "panic");
        assert_eq!(ShortText::from("a\r\nb \u{e9}").as_str(), "a??b ??");
        assert_eq!(ShortText::from("x".repeat(99).as_str()).as_str().len(), 31);
    }
}
