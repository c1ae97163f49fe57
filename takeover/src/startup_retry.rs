//! Decides when a stopped core that was called by SIPI to take up an order is called again, and when it is given up.
//!
//! SIPI has no acknowledgement, and does nothing to a core that does not wait for it, so one may be lost: the usual
//! start sequence sends two (Intel SDM vol. 3A, 9.4.4.1). Here the order itself is the sign: while it is still there,
//! the core has not come, and it is called again, beginning with INIT.

/// How long to wait after the first call, in ns; each further call doubles it. A core comes within microseconds; an
/// emulated one comes when its host schedules it.
const FIRST_WAIT_NS: u64 = 20_000_000;

/// Maximum number of calls to a core.
const CALLS_MAX: u32 = 6;

/// The calls to one core that has not taken up its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartupRetry {
    calls: u32,
    until_ns: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Nothing is due before the deadline.
    Wait,
    /// Call the core again.
    Again,
    /// The core did not come after the last call: give it up.
    GiveUp,
}

impl StartupRetry {
    /// Records the first call to a core, at `now_ns`.
    pub fn new(now_ns: u64) -> Self {
        Self {
            calls: 1,
            until_ns: now_ns.saturating_add(FIRST_WAIT_NS),
        }
    }

    /// Returns what is due at `now_ns` if the core has not come.
    pub fn step(&mut self, now_ns: u64) -> Call {
        if now_ns < self.until_ns {
            return Call::Wait;
        }
        if self.calls >= CALLS_MAX {
            return Call::GiveUp;
        }
        self.until_ns = now_ns.saturating_add(FIRST_WAIT_NS << self.calls);
        self.calls += 1;
        Call::Again
    }

    /// Returns how often the core was called.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// Returns when to step again, in ns.
    pub fn deadline_ns(&self) -> u64 {
        self.until_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_does_not_come_is_called_again_ever_later_and_then_given_up() {
        let mut retry = StartupRetry::new(7);
        let (mut calls, mut wait_ns) = (1, FIRST_WAIT_NS);
        let mut called_ns = 7;
        loop {
            let due_ns = retry.deadline_ns();
            assert_eq!(due_ns - called_ns, wait_ns);
            assert_eq!(retry.step(due_ns - 1), Call::Wait);
            match retry.step(due_ns) {
                Call::Again => calls += 1,
                Call::GiveUp => break,
                Call::Wait => panic!("no call was due at the deadline"),
            }
            (called_ns, wait_ns) = (due_ns, wait_ns * 2);
        }
        assert_eq!(calls, CALLS_MAX);
        assert_eq!(retry.step(u64::MAX), Call::GiveUp);
    }
}
