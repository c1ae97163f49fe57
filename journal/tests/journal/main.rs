//! The journal from outside: what goes in comes out, whatever happens in between.

mod append;
mod cases;
mod cuts;
mod fixture;
mod flips;
mod hostile;
mod laps;
mod producers;
