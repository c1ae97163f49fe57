//! The script of `exec=`: commands that the primary gives itself at set times, as if typed on the console. It outlives
//! the primary: the next one goes on behind the clause that was begun last.

use alloc::string::String;
use core::sync::atomic::Ordering;

use crate::context::Context;

/// The script, at its present position.
pub struct Script {
    start_ns: u64,
    next_due_ns: Option<u64>,
}

impl Script {
    /// Continues the script; starts its clock if this is the first primary.
    pub fn new(context: &Context) -> Self {
        let start = &context.region.control.debug.script_start_ns;
        let _ = start.compare_exchange(0, context.now_ns(), Ordering::Relaxed, Ordering::Relaxed);
        let mut script = Self {
            start_ns: start.load(Ordering::Relaxed),
            next_due_ns: None,
        };
        script.look_up(context);
        script
    }

    /// Returns whether a clause is due.
    pub fn is_due(&self, now_ns: u64) -> bool {
        self.next_due_ns.is_some_and(|due| due <= now_ns)
    }

    /// Returns the next command, if it is due. From here on it counts as begun: no other primary begins it again.
    pub fn next_due(&mut self, context: &Context) -> Option<String> {
        if !self.is_due(context.now_ns()) {
            return None;
        }
        let position = context
            .region
            .control
            .debug
            .script_position
            .fetch_add(1, Ordering::Relaxed);
        let command = context
            .options
            .exec
            .get(position as usize)
            .map(|clause| clause.command.clone());
        self.look_up(context);
        command
    }

    fn look_up(&mut self, context: &Context) {
        let position = context
            .region
            .control
            .debug
            .script_position
            .load(Ordering::Relaxed);
        self.next_due_ns = context
            .options
            .exec
            .get(position as usize)
            .map(|clause| self.start_ns + clause.at_ns);
    }
}
