//! What the monitor logs of computations.

use crate::event::declare::events;
use crate::event::{CoreList, Text, Word};
use crate::slice::{DeathCause, SliceEntry};

events! {
    /// The monitor, of computations

    event ComputeEntered = "compute-entered":
    /// The ranks of a slice were entered.
    {
        /// The slice's name.
        slice: Word,
        /// Number of this entry.
        generation: u64,
        /// What the ranks do with the data that is there.
        entry: SliceEntry,
        /// The last step that all ranks have committed. Left out if there is none.
        committed: Option<u64>,
        /// The machine numbers of its cores.
        cores: CoreList,
        /// How long it took to make the slice ready, in ns.
        took_ns: u64,
    }

    event ComputeEnded = "compute-ended":
    /// The ranks of a slice are stopped.
    {
        /// The slice's name.
        slice: Word,
        /// Number of the entry that ends.
        generation: u64,
        /// Why: `died`, `stalled`, `finished`, `failed` or `stopped`.
        why: Word,
        /// The last step that all ranks have committed. Left out if there is none.
        committed: Option<u64>,
        /// The rank that died. Left out if none left an epitaph; so are the next ones.
        rank: Option<u64>,
        /// The step that it worked on.
        step: Option<u64>,
        /// How it died.
        cause: Option<DeathCause>,
        /// Exception vector; 0 if there was no exception.
        vector: Option<u64>,
        /// What it said last.
        message: Option<Text>,
        /// What the computation exits with, if it is done.
        exit_code: Option<u8>,
    }

    event ComputeRests = "compute-rests":
    /// Nothing of a slice runs any more, and it is not entered again by itself.
    {
        /// The slice's name.
        slice: Word,
        /// Why: as in `compute-ended`, or `given-up`, `refused`, `cores-missing`.
        why: Word,
    }

    event ComputeRefused = "compute-refused":
    /// A slice is not entered.
    {
        /// The slice's name.
        slice: Word,
        /// Why not.
        reason: Text,
    }

    event ComputeKept = "compute-kept":
    /// An earlier boot left a computation in the memory of a slice, and it is kept.
    {
        /// The slice's name.
        slice: Word,
        /// Number of the last entry.
        generation: u64,
        /// The last step that all ranks have committed. Left out if there is none.
        committed: Option<u64>,
    }
}
