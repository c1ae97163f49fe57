//! Damage of a journal, and its description for people.

use core::fmt::{self, Display, Formatter};

use sharedmem::event::DamageKind;

/// Damage in a stretch of the journal. Reading goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it begins.
    pub from: u64,
    /// Where reading goes on.
    pub to: u64,
    /// What is wrong.
    pub damage: Damage,
    /// Whether it begins below `applied`. If so, the primary had applied what is missing here, and may have
    /// acknowledged it.
    pub was_applied: bool,
}

/// What can be wrong with a stretch of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The cursors contradict each other. A waiting reader stays where it is; a recovery reads on over one length of
    /// the ring.
    Cursors {
        /// The cursor of the producers.
        reserved: u64,
        /// The cursor of the primary.
        applied: u64,
    },
    /// A stretch that was reserved and never published, with records behind it.
    Hole,
    /// A stretch that was reserved and never published, with nothing behind it.
    TornTail,
    /// A published record of an impossible length.
    Length {
        /// The length in its header, in bytes.
        length_bytes: u32,
    },
    /// A published record whose checksum does not match.
    Checksum,
    /// A whole record whose epoch is later than the primary's, or earlier than that of a record before it. It is
    /// skipped.
    ForeignEpoch {
        /// Its epoch.
        epoch: u64,
    },
    /// More headers without a record than any accident leaves. The rest is given up, so that reading ends in bounded
    /// time.
    FalseHeaders,
}

impl Damage {
    /// Returns its kind, for the log.
    pub fn kind(self) -> DamageKind {
        match self {
            Self::Cursors { .. } => DamageKind::Cursors,
            Self::Hole => DamageKind::Hole,
            Self::TornTail => DamageKind::TornTail,
            Self::Length { .. } => DamageKind::Length,
            Self::Checksum => DamageKind::Checksum,
            Self::ForeignEpoch { .. } => DamageKind::ForeignEpoch,
            Self::FalseHeaders => DamageKind::FalseHeaders,
        }
    }

    /// Returns whether only the cursors are damaged, and no record is missing.
    pub(crate) fn is_of_cursors(self) -> bool {
        matches!(self, Self::Cursors { .. })
    }
}

impl Finding {
    /// Returns the length of the stretch, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (size_bytes, from) = (self.size_bytes(), self.from);
        match self.damage {
            Damage::Cursors { reserved, applied } => {
                write!(
                    f,
                    "journal cursors make no sense after position {from}: reserved {reserved}, applied {applied}"
                )?;
                return match size_bytes {
                    0 => write!(f, "; reading nothing"),
                    _ => write!(f, "; looking for records in the {size_bytes} bytes there"),
                };
            }
            Damage::Hole | Damage::TornTail => {
                let what = match self.damage {
                    Damage::Hole => "hole",
                    _ => "torn tail",
                };
                let reason = match self.was_applied {
                    false => "a producer died before it published",
                    true => "its header was overwritten",
                };
                write!(
                    f,
                    "{what} of {size_bytes} bytes at position {from}: {reason}"
                )?;
            }
            Damage::Length { length_bytes } => write!(
                f,
                "corrupt record in {size_bytes} bytes at position {from}: its length cannot be {length_bytes} bytes"
            )?,
            Damage::Checksum => write!(
                f,
                "corrupt record in {size_bytes} bytes at position {from}: its checksum does not match"
            )?,
            Damage::ForeignEpoch { epoch } => write!(
                f,
                "foreign record of {size_bytes} bytes at position {from}: epoch {epoch} did not own the machine; \
                skipped"
            )?,
            Damage::FalseHeaders => write!(
                f,
                "gave up {size_bytes} bytes at position {from}: too many headers without a record"
            )?,
        }
        if self.was_applied {
            write!(f, "; the primary had applied what is missing")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn findings_read_as_sentences() {
        let say = |damage, was_applied| {
            let (from, to) = (4712, 4808);
            Finding {
                from,
                to,
                damage,
                was_applied,
            }
            .to_string()
        };
        assert_eq!(
            say(Damage::Hole, false),
            "hole of 96 bytes at position 4712: a producer died before it published"
        );
        assert_eq!(
            say(Damage::TornTail, true),
            "torn tail of 96 bytes at position 4712: its header was overwritten; the primary had applied what is \
            missing"
        );
        assert_eq!(
            say(Damage::Length { length_bytes: 9 }, false),
            "corrupt record in 96 bytes at position 4712: its length cannot be 9 bytes"
        );
        assert_eq!(
            say(Damage::ForeignEpoch { epoch: 3 }, false),
            "foreign record of 96 bytes at position 4712: epoch 3 did not own the machine; skipped"
        );
        let cursors = Damage::Cursors {
            reserved: 5,
            applied: 9,
        };
        assert_eq!(
            say(cursors, false),
            "journal cursors make no sense after position 4712: reserved 5, applied 9; looking for records in the 96 \
            bytes there"
        );
    }
}
