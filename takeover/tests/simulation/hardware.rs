//! Cores and the signals they are sent.
//!
//! A core handles signals only while it is scheduled. An oversubscribed host takes it away for milliseconds; until it
//! is back, it runs what it ran.

use super::world::{Happening, MS, US, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Nothing: it was never started, or waits for SIPI.
    Nothing,
    /// The instance of this epoch, alive or dead: its instructions may touch anything.
    Instance(u64),
    /// The fence page.
    FencePage,
}

#[derive(Clone, Copy, Debug)]
pub struct Core {
    pub runs: Runs,
    /// It is not scheduled before this time.
    pub away_until: u64,
    /// Signals it has not handled yet.
    pub has_init: bool,
    pub has_startup: bool,
    pub losses: u32,
    pub is_stuck: bool,
    /// The check-in word: generation.
    pub checked_in: Option<u64>,
    /// The instance it is to run once it is in the fence page.
    pub job: Option<u64>,
}

impl Core {
    pub const AT_BOOT: Self = Self {
        runs: Runs::Nothing,
        away_until: 0,
        has_init: false,
        has_startup: false,
        losses: 0,
        is_stuck: false,
        // A check-in word left over from boot. No fence may take it for its own.
        checked_in: Some(0),
        job: None,
    };
}

impl World {
    /// Takes the core off its processor from now on, sometimes.
    fn disturb(&mut self, core: u32) {
        if self.rng.u8(0..5) == 0 {
            let away = self.rng.u64(0..12 * MS);
            let victim = &mut self.cores[core as usize];
            victim.away_until = victim.away_until.max(self.now + away);
        }
    }

    /// Returns whether the core is not scheduled now. If so, postpones the happening until it is.
    fn is_away(&mut self, core: u32, happening: Happening) -> bool {
        let until = self.cores[core as usize].away_until;
        let is_away = self.now < until;
        if is_away {
            self.after(until - self.now, happening);
        }
        is_away
    }

    /// Sends a signal to the core.
    pub(super) fn send(&mut self, core: u32) {
        self.disturb(core);
        let delay = self.rng.u64(200..20 * US);
        self.after(delay, Happening::Signal { core });
    }

    /// Handles what the core was sent, if it is scheduled: INIT in any state, SIPI only after INIT.
    pub(super) fn handle_signals(&mut self, core: u32) {
        if self.cores[core as usize].is_stuck || self.is_away(core, Happening::Signal { core }) {
            return;
        }
        let victim = &mut self.cores[core as usize];
        if std::mem::take(&mut victim.has_init) {
            victim.runs = Runs::Nothing;
        }
        if std::mem::take(&mut victim.has_startup) && victim.runs == Runs::Nothing {
            victim.runs = Runs::FencePage;
            victim.checked_in = Some(self.page_generation);
            self.after(US, Happening::TakeJob { core });
            if self.rng.bool() {
                self.after(US, Happening::Wake);
            }
        }
    }

    /// Leaves a job for the core in the fence page, which it takes when it next looks.
    pub(super) fn give_job(&mut self, core: u32) {
        self.cores[core as usize].job = Some(self.machine.epoch());
        self.disturb(core);
        self.after(US, Happening::TakeJob { core });
    }

    /// Starts a stopped core with a job, by INIT and SIPI.
    pub(super) fn start(&mut self, core: u32) {
        let stopped = &mut self.cores[core as usize];
        (stopped.has_init, stopped.has_startup) = (true, true);
        stopped.job = Some(self.machine.epoch());
        self.send(core);
    }

    pub(super) fn take_job(&mut self, core: u32) {
        if self.cores[core as usize].runs == Runs::FencePage
            && !self.is_away(core, Happening::TakeJob { core })
            && let Some(epoch) = self.cores[core as usize].job.take()
        {
            self.run_instance(core, epoch);
        }
    }

    pub(super) fn run_instance(&mut self, core: u32, epoch: u64) {
        self.cores[core as usize].runs = Runs::Instance(epoch);
        if core == self.primary.lead {
            let delay = self.rng.u64(0..20 * MS);
            self.after(delay, Happening::BeatDue { epoch });
        }
    }

    /// Fires the primary's timer: slot, IPI, and the next beat. All gaps are below the time-out, some only just.
    pub(super) fn beat(&mut self, epoch: u64) {
        let lead = self.cores[self.primary.lead as usize];
        if !self.primary.beats || lead.runs != Runs::Instance(epoch) {
            return;
        }
        self.slot.sequence += 1;
        self.slot.epoch = epoch;
        for (index, core) in self.primary.cores.iter().enumerate() {
            let is_running = self.cores[core as usize].runs == Runs::Instance(epoch);
            if is_running && self.primary.hung != Some(index as u32) {
                self.slot.progress[index] += self.rng.u64(1..50);
            }
        }
        let arrives = self.rng.u8(0..10) > 0;
        if arrives {
            let delay = self.rng.u64(US..500 * US);
            self.after(delay, Happening::Wake);
        }
        let gap = if self.rng.u8(0..10) == 0 {
            self.rng.u64(MS..8 * MS)
        } else {
            MS
        };
        self.after(gap, Happening::BeatDue { epoch });
    }
}
