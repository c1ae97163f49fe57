//! The words of the model checker `loom`, and threads that die between any two stores, as kernels do.

use core::cell::Cell;
use core::sync::atomic::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::println;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

loom::thread_local! {
    static STORES_LEFT: Cell<Option<usize>> = Cell::new(None);
}

/// What a thread unwinds with that dies.
struct Death;

/// A store is about to be made: by a thread that lives until then.
fn live_or_die() {
    STORES_LEFT.with(|left| match left.get() {
        Some(0) => resume_unwind(std::boxed::Box::new(Death)),
        Some(stores) => left.set(Some(stores - 1)),
        None => {}
    });
}

/// Runs `life`, which dies before it makes one store more than `stores`. Returns whether it came to its end.
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

/// Runs `model` in every way that the memory model allows, with no thread stopped for another more often than `preemptions` times (or as
/// `LOOM_MAX_PREEMPTIONS` says). Returns how many ways that were.
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

/// Checks `model`, and prints how many executions that were.
pub fn explore(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let count = executions(preemptions, model);
    println!("loom: {name}: {count} executions");
}

/// Checks `model` for a thread that dies after no store, after one, and so on up to `stores`: see [`die_after`].
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
        /// A word; see the type of the same name in [`core::sync::atomic`], whose methods it has as far as they are needed.
        #[derive(Debug, Default)]
        pub struct $name(loom::sync::atomic::$name, loom::sync::atomic::AtomicBool);

        impl $name {
            /// A word that holds `value`.
            pub fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value), Default::default())
            }

            /// Reads it.
            pub fn load(&self, order: Ordering) -> $value {
                // Of the accesses to a word `loom` (0.7) remembers the last one, and compares a store with that alone. A load by the storing
                // thread itself would hide another thread's load from it. So loads are ordered too, by an exchange that nobody reads.
                self.1.swap(true, Ordering::Relaxed);
                self.0.load(order)
            }

            /// Writes it.
            pub fn store(&self, value: $value, order: Ordering) {
                live_or_die();
                self.0.store(value, order);
            }

            /// Writes it, and returns what was there.
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                live_or_die();
                self.0.swap(value, order)
            }

            /// Writes `new` if `current` is there.
            ///
            /// # Errors
            /// What is there instead.
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

            /// As [`compare_exchange`](Self::compare_exchange); may fail without a reason.
            ///
            /// # Errors
            /// What is there.
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

            /// Flips bits in it, and returns what was there.
            pub fn fetch_xor(&self, value: $value, order: Ordering) -> $value {
                live_or_die();
                self.0.fetch_xor(value, order)
            }
        }
    };
}

mortal!(AtomicU8, u8);
mortal!(AtomicU64, u64);
