//! Machines with Linux tenants: [`tenants`] is one with two of them, [`mixed`] one with a native instance beside one of them, [`takeover`] what happens to it.
//! [`parked`] looks at a backup that waits.

pub mod mixed;
pub mod parked;
pub mod takeover;
pub mod tenants;
