//! What each place in the code may write into a log ring: a token bucket in bytes.
//!
//! ```text
//!            a line does not fit in what is left
//!   speaks -------------------------------------> muted: its lines are counted
//!      ^                                            |
//!      +--------------------------------------------+
//!       half of the burst is there again: the count is told
//! ```

use core::mem;

use sharedmem::log_ring::LOG_BYTES;

/// What a site may write at once. A flood from one place leaves three quarters of the ring as they are.
pub const BURST_BYTES: u32 = (LOG_BYTES / 4) as u32;
/// What a site gets back. A fifth of what a serial port sends at 115,200 baud.
const BYTES_PER_S: u64 = 2048;
/// Sites that have a budget of their own. All later ones share the last.
const SITES: usize = 128;

/// A place in the code that logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its module.
    pub module: &'static str,
    /// Its line in the file.
    pub line: u32,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is written.
    Write,
    /// It is left out, and so are the following ones of its site.
    Mute,
    /// It is left out like the one before it.
    LeaveOut,
}

/// Lines of one site that were left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The site.
    pub site: Site,
    /// How many lines.
    pub lines: u64,
}

/// What one site has left.
#[derive(Clone, Copy, Debug)]
struct Share {
    site: Site,
    free_bytes: u32,
    refilled_us: u64,
    /// Lines that were left out, and not told of yet. The site is muted while this is not 0.
    left_out: u64,
}

/// The budgets of all sites.
#[derive(Debug)]
pub struct Budget {
    shares: [Option<Share>; SITES],
    /// Sites that are muted.
    muted: usize,
}

impl Budget {
    /// Returns budgets of which nothing is spent.
    pub const fn new() -> Self {
        Self {
            shares: [None; SITES],
            muted: 0,
        }
    }

    /// Counts a line that `site` writes now, if the site is muted. Returns whether it is.
    pub fn leaves_out(&mut self, site: Site) -> bool {
        match self.share(site, 0) {
            share if share.left_out > 0 => {
                share.left_out += 1;
                true
            }
            _ => false,
        }
    }

    /// Decides about a line of `bytes` bytes that `site` writes now.
    pub fn admit(&mut self, site: Site, bytes: usize, now_us: u64) -> Admission {
        let share = self.share(site, now_us);
        share.refill(now_us);
        if share.left_out == 0 && share.spend(bytes) {
            return Admission::Write;
        }
        share.left_out += 1;
        if share.left_out > 1 {
            return Admission::LeaveOut;
        }
        self.muted += 1;
        Admission::Mute
    }

    /// Lets a muted site speak again if it has enough, and returns what it has to tell. Call until there is nothing.
    pub fn unmute(&mut self, now_us: u64) -> Option<LeftOut> {
        if self.muted == 0 {
            return None;
        }
        let mut shares = self.shares.iter_mut().flatten();
        let share = shares.find(|share| share.left_out > 0 && share.may_speak_again(now_us))?;
        self.muted -= 1;
        Some(LeftOut {
            site: share.site,
            lines: mem::take(&mut share.left_out),
        })
    }

    /// Returns what `site` has left.
    fn share(&mut self, site: Site, now_us: u64) -> &mut Share {
        let mut shares = self.shares.iter();
        let place = shares.position(|share| share.is_none_or(|share| share.site == site));
        self.shares[place.unwrap_or(SITES - 1)].get_or_insert(Share {
            site,
            free_bytes: BURST_BYTES,
            refilled_us: now_us,
            left_out: 0,
        })
    }
}

impl Share {
    /// Gives the site what it has got back since the last time. A clock that went back gives nothing.
    fn refill(&mut self, now_us: u64) {
        let passed_us = now_us.saturating_sub(self.refilled_us);
        let back_bytes = passed_us.saturating_mul(BYTES_PER_S) / 1_000_000;
        if back_bytes > 0 {
            let free_bytes = back_bytes.saturating_add(self.free_bytes.into());
            self.free_bytes = free_bytes.min(BURST_BYTES.into()) as u32;
            self.refilled_us = now_us;
        }
    }

    /// Takes `bytes` from what is left. Returns false if that is too little.
    fn spend(&mut self, bytes: usize) -> bool {
        let left = self.free_bytes as usize;
        let after = left.checked_sub(bytes);
        self.free_bytes = after.unwrap_or(left) as u32;
        after.is_some()
    }

    fn may_speak_again(&self, now_us: u64) -> bool {
        let mut then = *self;
        then.refill(now_us);
        then.free_bytes >= BURST_BYTES / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Site = site(1);
    const OTHER: Site = site(2);
    const LINE_BYTES: usize = 100;
    const BURST_LINES: usize = BURST_BYTES as usize / LINE_BYTES;

    const fn site(line: u32) -> Site {
        Site {
            module: "arch",
            line,
        }
    }

    /// Lets `site` write lines at `now_us` until it is muted. Returns how many were written.
    fn flood(budget: &mut Budget, site: Site, now_us: u64) -> usize {
        (0..10 * BURST_LINES)
            .take_while(|_| budget.admit(site, LINE_BYTES, now_us) == Admission::Write)
            .count()
    }

    #[test]
    fn a_flood_is_muted_and_nobody_else_is() {
        let mut budget = Budget::new();
        assert_eq!(flood(&mut budget, FLOOD, 0), BURST_LINES);
        assert_eq!(budget.admit(FLOOD, 1, 0), Admission::LeaveOut);
        assert!(budget.leaves_out(FLOOD) && !budget.leaves_out(OTHER));
        assert_eq!(budget.admit(OTHER, LINE_BYTES, 0), Admission::Write);
    }

    #[test]
    fn what_was_left_out_is_told_once_when_there_is_room() {
        let mut budget = Budget::new();
        flood(&mut budget, FLOOD, 0);
        for _ in 0..4 {
            assert!(budget.leaves_out(FLOOD));
        }
        assert_eq!(budget.unmute(900_000), None);
        let told = budget.unmute(1_100_000);
        let (site, lines) = (FLOOD, 5);
        assert_eq!(told, Some(LeftOut { site, lines }));
        assert_eq!(budget.unmute(1_100_000), None);
        assert_eq!(budget.admit(FLOOD, LINE_BYTES, 1_100_000), Admission::Write);
    }

    #[test]
    fn a_flood_for_an_hour_writes_what_is_given_back_and_no_more() {
        let mut budget = Budget::new();
        let (mut written, mut lost) = (0, 0);
        for now_us in (0..3_600_000_000_u64).step_by(10_000) {
            lost += budget.unmute(now_us).map_or(0, |told| told.lines);
            written += u64::from(budget.admit(FLOOD, LINE_BYTES, now_us) == Admission::Write);
        }
        let bound = (u64::from(BURST_BYTES) + 3600 * BYTES_PER_S) / LINE_BYTES as u64;
        assert!(
            (bound / 2..=bound).contains(&written),
            "{written} of {bound}"
        );
        assert!((360_000 - 200..=360_000).contains(&(written + lost)));
    }

    #[test]
    fn a_steady_trickle_is_never_muted() {
        let mut budget = Budget::new();
        for number in 0..100_000 {
            assert_eq!(budget.admit(FLOOD, 100, number * 50_000), Admission::Write);
        }
    }

    #[test]
    fn more_sites_than_there_is_room_for_share_the_last_budget() {
        let mut budget = Budget::new();
        for line in 0..2 * SITES as u32 {
            assert_eq!(budget.admit(site(line), 1, 0), Admission::Write);
        }
        flood(&mut budget, site(500), 0);
        assert!(budget.leaves_out(site(501)) && !budget.leaves_out(site(0)));
    }

    #[test]
    fn a_clock_that_goes_back_and_a_line_without_end_do_no_harm() {
        let mut budget = Budget::new();
        assert_eq!(budget.admit(FLOOD, 10, u64::MAX), Admission::Write);
        assert_eq!(budget.admit(FLOOD, usize::MAX, 0), Admission::Mute);
        assert_eq!(budget.unmute(0).map(|told| told.lines), Some(1));
    }
}
