//! A rank: one of the cores that run the same program.

use core::fmt::Write;

use compute_slice::{DeathCause, Mark, RankProgress, SliceDeath, SliceState};

use crate::collective::{Collective, Slots, VALUES_MAX, waiting};
use crate::directory::Directory;
use crate::error::Error;
use crate::job::Job;
use crate::memory::Memory;
use crate::message::Outboxes;
use crate::region::{Regions, Start};

/// What a computation needs of the machine.
pub trait Host: Sync {
    /// Lets others go first: called while a rank waits.
    fn relax(&self) {
        core::hint::spin_loop();
    }

    /// Returns the time since the machine's boot, in ns.
    fn now_ns(&self) -> u64;

    /// Marks an instant for whoever counts instructions from outside.
    fn mark(&self, _mark: Mark) {}
}

/// A rank of a computation.
pub struct Rank<'m> {
    memory: &'m Memory<'m>,
    host: &'m dyn Host,
    number: usize,
    slots: Slots<'m>,
    outboxes: Outboxes<'m>,
    progress: &'m RankProgress,
}

/// How a rank stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The computation is done, with this exit code.
    Finished(u8),
    /// The computation was ended by this error, here or on another rank.
    Failed(Error),
}

/// Returns whether the computation has ended, by its own account or by another rank's death.
pub(crate) fn is_over(memory: &Memory<'_>) -> bool {
    matches!(
        memory.control().status.state(),
        Some(SliceState::Failed | SliceState::Died)
    )
}

/// Runs `program` as rank `number`, and writes down how it ended: the exit code that all ranks return, or an epitaph.
pub fn run<'m>(
    memory: &'m Memory<'m>,
    number: usize,
    host: &'m dyn Host,
    program: impl FnOnce(&mut Rank<'m>) -> Result<u8, Error>,
) -> Stopped {
    host.mark(Mark::Entered);
    let mut rank = Rank::new(memory, number, host);
    let ended = program(&mut rank).and_then(|code| rank.end(code).map(|()| code));
    match ended {
        Ok(code) => Stopped::Finished(code),
        Err(error) => {
            rank.fail(&error);
            Stopped::Failed(error)
        }
    }
}

impl<'m> Rank<'m> {
    fn new(memory: &'m Memory<'m>, number: usize, host: &'m dyn Host) -> Self {
        let directory = Directory::of(memory);
        let generation = memory.parameters().generation;
        Self {
            memory,
            host,
            number,
            slots: Slots::new(directory.slots, number, memory.ranks(), generation),
            outboxes: Outboxes::new(directory.outboxes, number, generation),
            progress: &memory.control().progress[number],
        }
    }

    /// Returns its number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Returns how many ranks there are.
    pub fn ranks(&self) -> usize {
        self.memory.ranks()
    }

    /// Returns the time since the machine's boot, in ns.
    pub fn now_ns(&self) -> u64 {
        self.host.now_ns()
    }

    /// Says that a long piece of work goes on. A rank that says nothing for too long counts as hung.
    pub fn beat(&self) {
        self.progress.beat();
    }

    /// Marks the beginning or the end of a piece of work, for whoever counts instructions from outside.
    pub fn mark(&self) {
        self.host.mark(Mark::Work);
    }

    /// Appends a line to the log of the computation. Only the first rank's lines are written: the others have none of
    /// their own.
    pub fn log(&self, line: core::fmt::Arguments<'_>) {
        if self.number == 0 {
            let mut text = alloc::string::String::new();
            let _ = writeln!(text, "{line}");
            self.memory.control().log.write(text.as_bytes());
        }
    }

    /// Begins a computation of `steps` steps, or continues it behind the last committed one. `initial` writes the state
    /// before the first step, which is committed as step 0; it is not called if the computation continues.
    ///
    /// # Errors
    /// The regions do not fit, or not to what was committed; see [`Error`].
    pub fn begin<'r, S: Regions>(
        &'r mut self,
        regions: S,
        steps: u64,
        initial: impl for<'s> FnOnce(&'s mut Rank<'m>, S::Nexts<'s>) -> Result<S::Written<'s>, Error>,
    ) -> Result<Job<'r, 'm, S>, Error> {
        let start = Start::of(&regions, self.memory)?;
        Job::begin(self, regions, start, steps, initial)
    }

    /// Waits for all ranks.
    ///
    /// # Errors
    /// As for every collective operation: another rank came to something else, or has ended the computation.
    pub fn barrier(&mut self) -> Result<(), Error> {
        self.meet(Collective::Barrier, &[], |_| ())
    }

    /// Returns the sums of what all ranks bring, added up in the order of the ranks.
    ///
    /// # Errors
    /// As for [`barrier`](Self::barrier).
    pub fn sums<const N: usize>(&mut self, values: [f64; N]) -> Result<[f64; N], Error> {
        self.reduce(values, |sum, value| sum + value)
    }

    /// Returns the sum of what all ranks bring.
    ///
    /// # Errors
    /// As for [`barrier`](Self::barrier).
    pub fn sum(&mut self, value: f64) -> Result<f64, Error> {
        self.sums([value]).map(|[sum]| sum)
    }

    /// Returns the largest of what all ranks bring.
    ///
    /// # Errors
    /// As for [`barrier`](Self::barrier).
    pub fn max(&mut self, value: f64) -> Result<f64, Error> {
        self.reduce([value], f64::max).map(|[max]| max)
    }

    /// Returns what `combine` makes of what all ranks bring, in the order of the ranks.
    ///
    /// # Errors
    /// As for [`barrier`](Self::barrier).
    pub fn reduce<const N: usize>(
        &mut self,
        values: [f64; N],
        combine: impl Fn(f64, f64) -> f64,
    ) -> Result<[f64; N], Error> {
        const { assert!(N <= VALUES_MAX, "an operation takes up to six values") };
        let mut total: Option<[f64; N]> = None;
        self.meet(
            Collective::Reduce(N),
            &values.map(f64::to_bits),
            |brought| {
                let brought: [f64; N] =
                    core::array::from_fn(|index| f64::from_bits(brought[index]));
                total = Some(match total {
                    None => brought,
                    Some(total) => core::array::from_fn(|i| combine(total[i], brought[i])),
                });
            },
        )?;
        Ok(total.unwrap_or(values))
    }

    /// Returns what rank `root` brings.
    ///
    /// # Errors
    /// As for [`barrier`](Self::barrier).
    pub fn broadcast<const N: usize>(
        &mut self,
        root: usize,
        values: [f64; N],
    ) -> Result<[f64; N], Error> {
        const { assert!(N <= VALUES_MAX, "an operation takes up to six values") };
        let what = Collective::Broadcast { root, count: N };
        let mut result = values;
        let mut rank = 0;
        self.meet(what, &values.map(f64::to_bits), |brought| {
            if rank == root {
                result = core::array::from_fn(|index| f64::from_bits(brought[index]));
            }
            rank += 1;
        })?;
        Ok(result)
    }

    /// Sends values to rank `to`, which must receive them in the same step. Waits until what was sent before is
    /// received.
    ///
    /// # Errors
    /// There is no such rank, or another rank has ended the computation.
    pub fn send<const N: usize>(&mut self, to: usize, values: [f64; N]) -> Result<(), Error> {
        const { assert!(N <= VALUES_MAX, "a message has up to six values") };
        self.check_partner(to)?;
        self.progress.beat();
        let wait = waiting(self.memory, self.host);
        self.outboxes.send(to, &values.map(f64::to_bits), wait)
    }

    /// Receives what rank `from` sends to this one next.
    ///
    /// # Errors
    /// There is no such rank, it sent another number of values, or another rank has ended the computation.
    pub fn receive<const N: usize>(&mut self, from: usize) -> Result<[f64; N], Error> {
        self.check_partner(from)?;
        self.progress.beat();
        let wait = waiting(self.memory, self.host);
        let values = self.outboxes.receive(from, wait)?;
        Ok(values.map(f64::from_bits))
    }

    fn check_partner(&self, rank: usize) -> Result<(), Error> {
        match rank < self.ranks() && rank != self.number {
            true => Ok(()),
            false => Err(Error::Program(
                "a message goes to another rank of the computation",
            )),
        }
    }

    /// Checks that all that this rank has sent is received. What is under way does not outlive a death.
    pub(crate) fn check_outbox(&self) -> Result<(), Error> {
        match self.outboxes.is_waiting() {
            true => Err(Error::Program(
                "a message was sent in this step that nobody has received",
            )),
            false => Ok(()),
        }
    }

    pub(crate) fn memory(&self) -> &'m Memory<'m> {
        self.memory
    }

    pub(crate) fn progress(&self) -> &'m RankProgress {
        self.progress
    }

    pub(crate) fn host(&self) -> &'m dyn Host {
        self.host
    }

    pub(crate) fn meet(
        &mut self,
        what: Collective,
        values: &[u64],
        each: impl FnMut(&[u64]),
    ) -> Result<(), Error> {
        self.progress.arrive(self.slots.count() + 1);
        let wait = waiting(self.memory, self.host);
        self.slots.meet(what, values, wait, each)
    }

    /// Ends the computation with an exit code, the highest that a rank has.
    fn end(&mut self, code: u8) -> Result<(), Error> {
        let mut highest = 0;
        self.meet(Collective::End, &[code.into()], |codes| {
            highest = highest.max(codes[0]);
        })?;
        if self.number == 0 {
            self.memory.control().status.finish(highest as u8);
        }
        Ok(())
    }

    /// Ends the computation for all ranks.
    fn fail(&self, error: &Error) {
        if *error == Error::Stopped {
            return;
        }
        let control = self.memory.control();
        let generation = self.memory.parameters().generation;
        let step = self.progress.step();
        let mut death = SliceDeath::new(DeathCause::Refused, generation, self.number as u64, step);
        death.time_ns = self.host.now_ns();
        let _ = write!(death, "{error}");
        control.epitaph.write(&death);
        control.status.end(SliceState::Failed);
    }
}
