//! The machine that Linux tenants run on, and their clients: [`gap`] and [`writer`], over [`http`]. [`ledger`] knows
//! what they were promised.

pub mod devices;
pub mod gap;
pub mod hardware;
pub mod http;
pub mod ledger;
pub mod writer;
