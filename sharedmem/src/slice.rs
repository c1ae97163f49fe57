//! Numbers of a compute slice's control block, whose layout is in the crate `compute-slice`.

use crate::numbered::numbered;

numbered! {
    /// What a compute slice does with the data it finds.
    pub enum SliceEntry {
        Fresh = 1, "fresh", "begin anew";
        Resume = 2, "resume", "continue behind the last committed step, or begin if there is none";
    }
}

numbered! {
    /// What a compute slice does, by its own account.
    pub enum SliceState {
        Empty = 0, "empty", "nothing was loaded";
        Prepared = 1, "prepared", "it is about to be entered";
        Running = 2, "running", "the computation runs";
        Finished = 3, "finished", "the computation is done";
        /// To enter it again would lead to the same end.
        Failed = 4, "failed", "the computation ended itself, and its epitaph says why";
        Died = 5, "died", "a rank died, and its epitaph says how";
    }
}

numbered! {
    /// How a computation ended other than by being done.
    pub enum DeathCause {
        /// `vector` names it.
        Exception = 1, "exception", "a processor exception";
        Panic = 2, "panic", "it panicked";
        /// As a rule to enter it again leads to the same error.
        Refused = 3, "refused", "it found an error, which the message names";
    }
}
