//! The clients of Linux tenants: [`gap`] and [`writer`], over [`http`]. [`ledger`] knows what they were promised.

pub mod gap;
pub mod http;
pub mod ledger;
pub mod writer;
