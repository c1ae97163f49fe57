//! Prints what the kernels log, with the machine's time and the core that says it.

use std::cell::RefCell;
use std::rc::Rc;

use log::{LevelFilter, Log, Metadata, Record};

use crate::machine::core::Core;
use crate::machine::scheduler::Scheduler;

thread_local! {
    /// The machine that this thread simulates. A logger is global, and has no other way to its clock.
    static SCHEDULER: RefCell<Option<Rc<Scheduler>>> = const { RefCell::new(None) };
}

/// Takes time and core of what this thread logs from a scheduler.
pub fn follow(scheduler: Option<Rc<Scheduler>>) {
    SCHEDULER.set(scheduler);
}

/// Prints from now on what is logged.
pub fn begin() {
    if log::set_logger(&Trace).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

struct Trace;

impl Log for Trace {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        SCHEDULER.with_borrow(|scheduler| {
            let Some(scheduler) = scheduler else {
                return println!("{}", record.args());
            };
            let time_ms = scheduler.now_ns() as f64 / 1e6;
            let who = scheduler.current().map_or(String::new(), describe);
            println!("[{time_ms:>12.6} ms] {who:<9} {}", record.args());
        });
    }

    fn flush(&self) {}
}

fn describe(core: &Core) -> String {
    match (core.number, core.incarnation.get()) {
        (0, _) if core.runs_guest.get() => "backup".into(),
        (0, _) => "seat".into(),
        (number, None) => format!("core {number}"),
        (number, Some(incarnation)) => format!("core {number} #{incarnation}"),
    }
}
