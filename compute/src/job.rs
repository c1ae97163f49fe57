//! A computation on one rank: its beginning, its steps, its commits.

use compute_slice::{Mark, SliceEntry};
use sharedmem::sync::Ordering::{Acquire, Relaxed, Release};

use crate::collective::Collective;
use crate::directory::Directory;
use crate::error::Error;
use crate::rank::Rank;
use crate::region::{Place, Regions, Start};

/// A computation with committed state.
pub struct Job<'r, 'm, S> {
    rank: &'r mut Rank<'m>,
    regions: S,
    start: Start,
    committed: u64,
}

impl<'r, 'm, S: Regions> Job<'r, 'm, S> {
    /// Begins or continues. All ranks look at what is committed before any of them can commit.
    pub(crate) fn begin(
        rank: &'r mut Rank<'m>,
        regions: S,
        start: Start,
        steps: u64,
        initial: impl for<'s> FnOnce(&'s mut Rank<'m>, S::Nexts<'s>) -> Result<S::Written<'s>, Error>,
    ) -> Result<Self, Error> {
        let memory = rank.memory();
        let found = match memory.parameters().entry {
            SliceEntry::Fresh => None,
            SliceEntry::Resume => memory.control().committed_step(memory.parameters()),
        };
        let directory = Directory::of(memory);
        let has_other = directory.regions.load(Acquire) != start.fingerprint;
        let mut is_same = true;
        rank.meet(Collective::Begin, &[start.fingerprint], |theirs| {
            is_same &= theirs[0] == start.fingerprint;
        })?;
        if !is_same {
            return Err(Error::Program("the ranks begin with different regions"));
        }
        if rank.number() == 0 {
            Self::announce(rank, &start, steps, found)?;
        }
        let mut job = Self {
            rank,
            regions,
            start,
            committed: found.unwrap_or(0),
        };
        match found {
            Some(_) if has_other => Err(Error::OtherRegions),
            Some(step) => {
                job.verify(step)?;
                // Another rank may have committed it alone. Before any commits the next one, all have this one: so no
                // two are ever more than one step apart.
                job.rank.progress().commit(step);
                Ok(job)
            }
            None => {
                // Before the first commit, which all ranks make together.
                directory.regions.store(job.start.fingerprint, Release);
                job.begin_at_zero(initial).map(|()| job)
            }
        }
    }

    /// Tells readers where the results are, and what the computation does. For the first rank.
    fn announce(
        rank: &Rank<'m>,
        start: &Start,
        steps: u64,
        found: Option<u64>,
    ) -> Result<(), Error> {
        let (memory, control) = (rank.memory(), rank.memory().control());
        let from = memory.parameters().data_start;
        let results = (0..start.count).map(|index| {
            let offsets = start.offsets[index].map(|offset| from + offset);
            (offsets, start.bytes[index], start.names[index])
        });
        if !control.results.publish(results) {
            return Err(Error::Names);
        }
        control.status.run(steps, found);
        Ok(())
    }

    /// Checks that the rank's part of the committed step is what was committed.
    fn verify(&mut self, step: u64) -> Result<(), Error> {
        let sum = self.regions.sum(&self.place(step));
        let committed = Directory::of(self.rank.memory()).checksums[(step % 2) as usize];
        match committed[self.rank.number()].load(Relaxed) == sum {
            true => Ok(()),
            false => Err(Error::Damaged { step }),
        }
    }

    #[allow(unsafe_code)]
    fn begin_at_zero(
        &mut self,
        initial: impl for<'s> FnOnce(&'s mut Rank<'m>, S::Nexts<'s>) -> Result<S::Written<'s>, Error>,
    ) -> Result<(), Error> {
        self.rank.progress().begin_step(0);
        // SAFETY: what is lent ends with the call, by its type; nothing is committed, so nobody reads.
        let nexts = unsafe { self.regions.nexts(&self.place(0)) };
        let _ = initial(self.rank, nexts)?;
        self.commit(0)
    }

    /// Returns the last step that is committed on all ranks.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Returns the rank.
    pub fn rank(&mut self) -> &mut Rank<'m> {
        self.rank
    }

    /// Makes one step and commits it. `body` is given a [`Part`](crate::Part) for each region.
    ///
    /// # Errors
    /// What `body` returns, or what keeps the ranks from committing together. Then the step before stays committed.
    #[allow(unsafe_code)]
    pub fn step(
        &mut self,
        body: impl for<'s> FnOnce(&'s mut Rank<'m>, S::Parts<'s>) -> Result<S::Written<'s>, Error>,
    ) -> Result<(), Error> {
        let step = self.committed + 1;
        self.rank.progress().begin_step(step);
        self.rank.host().mark(Mark::Begun);
        // SAFETY: what is lent ends with the call, by its type, so before the commit.
        let parts = unsafe { self.regions.parts(&self.place(step)) };
        let _ = body(self.rank, parts)?;
        self.commit(step)
    }

    /// Commits a step that this rank has written.
    fn commit(&mut self, step: u64) -> Result<(), Error> {
        self.rank.host().mark(Mark::Written);
        let sum = self.regions.sum(&self.place(step));
        let number = self.rank.number();
        let checksums = Directory::of(self.rank.memory()).checksums;
        checksums[(step % 2) as usize][number].store(sum, Relaxed);
        // Behind this every rank has written everything.
        self.rank.meet(Collective::Commit(step), &[], |_| ())?;
        self.rank.check_outbox()?;
        self.rank.progress().commit(step);
        self.rank.host().mark(Mark::Committed);
        self.committed = step;
        Ok(())
    }

    fn place(&self, step: u64) -> Place<'_, 'm> {
        Place {
            memory: self.rank.memory(),
            start: &self.start,
            rank: self.rank.number(),
            step,
        }
    }
}
