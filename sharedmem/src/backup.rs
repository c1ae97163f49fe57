//! What is known of the backup: its sizes, its version, and why the last one was lost.

use crate::cause::BackupLoss;
use crate::instance::Instance;
use crate::sync::{AtomicU64, Ordering};
use crate::version::VersionText;

/// What the waiting backup and the monitor report about the backup; sizes in bytes.
#[repr(C)]
#[derive(Debug, Default)]
pub struct BackupReport {
    /// Rises while the backup works on the seat. If it stands still during a call, the backup hangs.
    pub progress: AtomicU64,
    /// Size of the monitor: image, page tables, stacks, heap.
    pub monitor_bytes: AtomicU64,
    /// Size of the backup's image in memory, with its stacks and page tables.
    pub image_bytes: AtomicU64,
    /// Size of the backup's heap, without the state of the service.
    pub heap_bytes: AtomicU64,
    /// Size of the service's state.
    pub state_bytes: AtomicU64,
    /// The version of the backup's image; empty if there is no backup. Writer: the monitor.
    pub version: VersionText,
    /// One word, so that it is read as a whole: the number of the loss in bits 7..0, the instance in 15..8, the number
    /// of lost backups in 63..16. Writer: the monitor.
    lost: AtomicU64,
}

/// A backup that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostBackup {
    /// Number of backups lost since the machine's boot, this one included.
    pub count: u64,
    /// Which instance it was.
    pub instance: Instance,
    /// Why it was lost.
    pub loss: BackupLoss,
}

impl BackupReport {
    /// Notes that the backup is lost. For the monitor. Returns the word that tells of it.
    pub fn note_loss(&self, instance: Instance, loss: BackupLoss) -> u64 {
        let count = (self.lost.load(Ordering::Relaxed) >> 16) + 1;
        let word = count << 16 | instance.number() << 8 | loss.number();
        self.lost.store(word, Ordering::Release);
        word
    }

    /// Returns the word that tells of the last loss.
    pub(crate) fn lost_word(&self) -> &AtomicU64 {
        &self.lost
    }

    /// Returns the last backup that was lost. An unknown loss or instance reads as the first of its list.
    pub fn last_loss(&self) -> Option<LostBackup> {
        let word = self.lost.load(Ordering::Acquire);
        let byte = |shift: u32| word >> shift & 0xff;
        let count = word >> 16;
        (count != 0).then(|| LostBackup {
            count,
            instance: Instance::from_number(byte(8)).unwrap_or(Instance::ALL[0]),
            loss: BackupLoss::from_number(byte(0)).unwrap_or(BackupLoss::ALL[0]),
        })
    }

    /// Returns how many backups were lost since the machine's boot.
    pub fn losses(&self) -> u64 {
        self.last_loss().map_or(0, |lost| lost.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_loss_is_told_with_the_number_of_losses() {
        let report = BackupReport::default();
        assert_eq!((report.last_loss(), report.losses()), (None, 0));
        let mut count = 0;
        for loss in BackupLoss::ALL {
            for instance in Instance::ALL {
                count += 1;
                report.note_loss(instance, loss);
                let lost = LostBackup {
                    count,
                    instance,
                    loss,
                };
                assert_eq!(report.last_loss(), Some(lost));
            }
        }
        assert_eq!(report.losses(), count);
    }

    #[test]
    fn scribble_reads_as_some_loss() {
        let report = BackupReport::default();
        report.lost.store(u64::MAX, Ordering::Relaxed);
        assert_eq!(report.losses(), u64::MAX >> 16);
        report.note_loss(Instance::A, BackupLoss::Hung);
    }
}
