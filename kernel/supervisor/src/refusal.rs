//! Why a request of the operator's is refused.

use alloc::string::String;
use core::fmt;

use partition::Kind;
use takeover::{BackupLoss, CoreSet};

/// Why a request is refused. `R` is the platform's reason for not using an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal<R> {
    /// There is no request of this number.
    UnknownRequest(u64),
    /// There is no image source of this number.
    UnknownSource(u64),
    /// A backup is there already.
    BackupPresent,
    /// The backup still gets ready.
    BackupLoading,
    /// There is no backup, for this reason.
    NoBackup(BackupLoss),
    /// The backup was lost while it was armed.
    BackupLost(BackupLoss),
    /// The uploaded image was loaded and cannot be used.
    ImageLost(BackupLoss),
    /// There is no primary.
    NoPrimary,
    /// There is no primary that serves.
    NotServing,
    /// This core is not one of the primary's, which has those.
    NotACore(u64, CoreSet),
    /// The plan has no spare slot.
    NoSpareSlot,
    /// The staged image is not in the spare slot.
    StagedOutside,
    /// The staged image ends beyond memory.
    StagedTooHigh,
    /// The uploaded image ends beyond memory.
    UploadTooHigh,
    /// A backup of the second kind cannot get ready beside a primary of the first.
    Kinds(&'static Kind, &'static Kind),
    /// The image cannot be used.
    Image(R),
    /// An order to a compute slice cannot be carried out, for this reason.
    Compute(String),
}

impl<R: fmt::Display> fmt::Display for Refusal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRequest(number) => write!(f, "there is no request number {number}"),
            Self::UnknownSource(number) => write!(f, "there is no image source number {number}"),
            Self::BackupPresent => f.write_str("there is a backup already; disarm it first"),
            Self::BackupLoading => f.write_str("the backup is still getting ready; try again"),
            Self::NoBackup(loss) => write!(f, "there is no backup: {loss}"),
            Self::BackupLost(loss) => write!(f, "the backup is lost: {loss}"),
            Self::ImageLost(loss) => write!(f, "the image is not used: {loss}"),
            Self::NoPrimary => f.write_str("there is no primary"),
            Self::NotServing => f.write_str("there is no primary that serves"),
            Self::NotACore(core, cores) => {
                write!(
                    f,
                    "core {core}: not one of the primary's, which has {cores}"
                )
            }
            Self::NoSpareSlot => f.write_str("the plan has no spare slot"),
            Self::StagedOutside => f.write_str("the staged image is not in the spare slot"),
            Self::StagedTooHigh => f.write_str("the staged image ends beyond memory"),
            Self::UploadTooHigh => f.write_str("the image ends beyond memory"),
            Self::Kinds(primary, backup) => {
                write!(f, "beside a {primary} primary no {backup} can get ready")
            }
            Self::Image(reason) => reason.fmt(f),
            Self::Compute(reason) => f.write_str(reason),
        }
    }
}
