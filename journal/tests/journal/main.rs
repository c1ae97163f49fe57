//! The journal from outside: what goes in comes out, whatever happens in between.

mod append;
mod cases;
mod closing;
mod crash;
mod exhaustive;
mod fixture;
mod flips;
mod hostile;
mod laps;
mod machine;
mod oracle;
mod owner;
mod producers;
mod stale;
mod trace;
mod workload;
