//! What the kernels log, with the machine's time and the core that says it.

use log::{LevelFilter, Log, Metadata, Record};

use crate::world::world;

struct Trace;

impl Log for Trace {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let world = world();
        let who = match world.current() {
            None => "         ".to_string(),
            Some(core) if core.number == 0 && !world.faults.is_backup_called.get() => {
                "seat     ".to_string()
            }
            Some(core) if core.number == 0 => "backup   ".to_string(),
            Some(core) => format!(
                "core {} {}",
                core.number,
                core.incarnation
                    .get()
                    .map_or(String::new(), |incarnation| format!("#{incarnation}"))
            ),
        };
        println!(
            "[{:>12.6} ms] {who} {}",
            world.now_ns() as f64 / 1e6,
            record.args()
        );
    }

    fn flush(&self) {}
}

/// From now on what is logged is printed.
pub fn begin() {
    if log::set_logger(&Trace).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}
