//! The atomics of shared memory, in three forms: in a kernel, the processor's own; under the model checker, those of
//! `loom` ([`cfg(loom)`](https://docs.rs/loom)), in threads that can die; with the feature `observed`, those of a
//! simulation, which comes between the code and the memory at every single access.

#[cfg(all(feature = "observed", not(loom)))]
mod observed;

#[cfg(all(feature = "observed", not(loom)))]
pub use observed::{AtomicU64, Observer, observe};

#[cfg(not(any(feature = "observed", loom)))]
pub use core::sync::atomic::AtomicU64;
#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU8, fence};

#[cfg(loom)]
mod mortal;

#[cfg(loom)]
pub use self::mortal::{AtomicU8, AtomicU64, die_after, explore, explore_deaths};
#[cfg(loom)]
pub use loom::sync::atomic::fence;

pub use core::sync::atomic::Ordering;
