//! Words for the model checker `loom`, and threads that die between any two stores, as kernels do.

use core::cell::Cell;
use core::sync::atomic::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::println;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

loom::thread_local! {
    static STORES_LEFT: Cell<Option<usize>> = Cell::new(None);
}

/// The payload with which a dying thread unwinds.
struct Death;

/// Ends the thread if it has no store left; called before each store.
fn live_or_die() {
    STORES_LEFT.with(|left| match left.get() {
        Some(0) => resume_unwind(std::boxed::Box::new(Death)),
        Some(stores) => left.set(Some(stores - 1)),
        None => {}
    });
}

/// Runs `life`, which dies before its store number `stores + 1`. Returns whether it came to its end.
pub fn die_after(stores: usize, life: impl FnOnce()) -> bool {
    STORES_LEFT.with(|left| left.set(Some(stores)));
    let outcome = catch_unwind(AssertUnwindSafe(life));
    STORES_LEFT.with(|left| left.set(None));
    match outcome {
        Ok(()) => true,
        Err(cause) if cause.is::<Death>() => false,
        Err(cause) => resume_unwind(cause),
    }
}

/// Runs `model` in every way that the memory model allows. No thread is preempted more than `preemptions` times, or as
/// `LOOM_MAX_PREEMPTIONS` says. Returns the number of executions.
fn executions(preemptions: usize, model: impl Fn() + Sync + Send + 'static) -> usize {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 100_000;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    count.load(Ordering::Relaxed)
}

/// Checks `model`, and prints the number of executions.
pub fn explore(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let count = executions(preemptions, model);
    println!("loom: {name}: {count} executions");
}

/// Checks `model` with a thread that dies after 0, 1, ... `stores` stores: see [`die_after`].
pub fn explore_deaths(
    name: &str,
    preemptions: usize,
    stores: usize,
    model: impl Fn(usize) + Sync + Send + Copy + 'static,
) {
    let count: usize = (0..=stores)
        .map(|stores| executions(preemptions, move || model(stores)))
        .sum();
    println!("loom: {name}: {count} executions, {} deaths", stores + 1);
}

macro_rules! mortal {
    ($name:ident, $value:ty) => {
        /// A word with the methods of its namesake in [`core::sync::atomic`] that this crate needs.
        #[derive(Debug, Default)]
        pub struct $name(loom::sync::atomic::$name, loom::sync::atomic::AtomicBool);

        impl $name {
            /// Makes a word that holds `value`.
            pub fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value), Default::default())
            }

            /// Reads it.
            pub fn load(&self, order: Ordering) -> $value {
                // `loom` (0.7) remembers only the last access to a word, and compares a store with that alone. A load
                // by the storing thread itself would hide another thread's load from it. So loads are ordered too, by
                // an exchange whose result is not used.
                self.1.swap(true, Ordering::Relaxed);
                self.0.load(order)
            }

            /// Writes it.
            pub fn store(&self, value: $value, order: Ordering) {
                live_or_die();
                self.0.store(value, order);
            }

            /// Writes it, and returns the old value.
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                live_or_die();
                self.0.swap(value, order)
            }

            /// Writes `new` if it holds `current`.
            ///
            /// # Errors
            /// Returns the value it holds instead.
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                live_or_die();
                self.0.compare_exchange(current, new, success, failure)
            }

            /// Exchanges like [`compare_exchange`](Self::compare_exchange), but may fail without a reason.
            ///
            /// # Errors
            /// Returns the value it holds.
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                live_or_die();
                self.0.compare_exchange_weak(current, new, success, failure)
            }

            /// Adds to it, and returns the old value.
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                live_or_die();
                self.0.fetch_add(value, order)
            }

            /// Flips bits in it, and returns the old value.
            pub fn fetch_xor(&self, value: $value, order: Ordering) -> $value {
                live_or_die();
                self.0.fetch_xor(value, order)
            }
        }
    };
}

mortal!(AtomicU8, u8);
mortal!(AtomicU64, u64);
