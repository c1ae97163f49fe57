//! The word that condemns an instance: the monitor is about to stop its cores. An NMI is the signal to look at it.

use crate::layout::layout;
use crate::sync::{AtomicU64, Ordering};

/// The upper 16 bits of the word of a condemned instance: no stray small number condemns a kernel that lives.
pub const CONDEMNED_TAG: u64 = 0xdead << 48;

/// The lower bits of the word: the epoch. One that a kernel owns never comes near this limit.
const EPOCH_BITS: u64 = (1 << 48) - 1;

/// Whether an instance is condemned, and what its cores tell of it. What they tell is a claim, and no proof.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Condemned {
    /// [`CONDEMNED_TAG`] with the epoch in which the instance is the primary, 0 in a backup; another value if it is not
    /// condemned. Writer: the monitor.
    pub word: AtomicU64,
    /// Number of cores that have seen the word and stop. Writers: the instance's cores.
    pub heard: AtomicU64,
    /// Number of cores that were in a hypervisor's mode and left it: those that have seen the word, and one that
    /// panicked. Writers: the instance's cores.
    pub left: AtomicU64,
}

layout!(Condemned: word, heard, left);

impl Condemned {
    /// Condemns the instance in `epoch`. For the monitor, before it sends NMIs.
    pub fn condemn(&self, epoch: u64) {
        let word = CONDEMNED_TAG | epoch & EPOCH_BITS;
        self.word.store(word, Ordering::Release);
    }

    /// Begins anew: another kernel becomes this instance. For the monitor.
    pub fn clear(&self) {
        self.heard.store(0, Ordering::Relaxed);
        self.left.store(0, Ordering::Relaxed);
        self.word.store(0, Ordering::Release);
    }

    /// Returns whether the instance is condemned in `epoch`. For its cores.
    pub fn is_condemned(&self, epoch: u64) -> bool {
        self.word.load(Ordering::Acquire) == CONDEMNED_TAG | epoch & EPOCH_BITS
    }

    /// Returns what its cores told, if it is condemned in `epoch`: [`heard`](Self::heard) and [`left`](Self::left).
    /// `None` if it is not.
    pub fn told(&self, epoch: u64) -> Option<(u64, u64)> {
        let counts = || {
            let [heard, left] = [&self.heard, &self.left].map(|it| it.load(Ordering::Acquire));
            (heard, left)
        };
        self.is_condemned(epoch).then(counts)
    }

    /// Tells that this core stops, and whether it had to leave a hypervisor's mode. For the instance's cores.
    pub fn tell(&self, has_left: bool) {
        self.left.fetch_add(has_left.into(), Ordering::Relaxed);
        self.heard.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_epoch_that_is_condemned_must_end() {
        let condemned = Condemned::default();
        assert!(
            !condemned.is_condemned(0),
            "a backup whose word was never written"
        );
        condemned.condemn(7);
        assert!(condemned.is_condemned(7) && !condemned.is_condemned(8));
        assert!(!condemned.is_condemned(0));
        condemned.word.store(7, Ordering::Relaxed);
        assert!(!condemned.is_condemned(7), "a stray store of its epoch");
        condemned.condemn(0);
        assert!(condemned.is_condemned(0));
        condemned.clear();
        assert!(!condemned.is_condemned(0));
    }

    #[test]
    fn the_counts_are_those_of_one_kernel() {
        let condemned = Condemned::default();
        condemned.condemn(1);
        condemned.tell(true);
        condemned.condemn(1);
        condemned.tell(false);
        assert_eq!(
            condemned.told(1),
            Some((2, 1)),
            "a further round is of the same end"
        );
        condemned.clear();
        assert_eq!(condemned.told(1), None);
        condemned.condemn(2);
        assert_eq!((condemned.told(2), condemned.told(1)), (Some((0, 0)), None));
    }
}
