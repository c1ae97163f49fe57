//! What the service knows: the databases, the clients and what they have begun.
//!
//! Records change it, which is the business of the crate `service`. This one keeps it, tells it to a backup
//! ([`checkpoint`]), and says what of it two kernels compare ([`comparison`]). It knows no command: what it has to know
//! of the table of commands, a restorer is told ([`Vocabulary`](checkpoint::Vocabulary)).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod access;
pub mod blocked;
pub mod checkpoint;
pub mod comparison;
pub mod connection;
pub mod failover;
pub mod limits;
mod state;
pub mod statistics;
pub mod subscriptions;
pub mod transaction;

pub(crate) use keyspace as store;
pub(crate) use service_records::{record, status};
pub use state::State;
