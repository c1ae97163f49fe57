//! A whole machine as a deterministic simulation.
//!
//! What decides is the kernels' own code, as it is: the seat's main loop ([`seat`]), detector, fence and takeover machine ([`takeover`]), the journal
//! ([`journal`]), keepalive slots and everything else in shared memory ([`sharedmem`]), the replica with its commits, checkpoints and recoveries
//! ([`replica`]), connections as the journal tells them ([`network`]) and the service ([`service`]). What is simulated is what it runs on: cores, clocks,
//! interrupts, INIT and SIPI, the network card, memory, and clients who know what every reply must be.
//!
//! A *core* is a coroutine with a clock of its own. At each access to shared memory it may be suspended, so that the accesses of all cores follow one another in
//! the order of their clocks; it may be struck by a fault there, and INIT drops it wherever it stands. A *seed* decides everything: [`scenario`].
//!
//! The laws are checked at every step ([`oracle`], [`clients`]): never two owners; the epoch only rises; nothing acknowledged is lost, nothing is applied
//! twice, every reply is what it must be; takeovers are bounded; and in the end the machine is protected and every client has everything.

pub mod campaign;
pub mod clients;
pub mod faults;
pub mod kernels;
pub mod machine;
pub mod oracle;
pub mod panics;
pub mod run;
pub mod scenario;
pub mod trace;
pub mod world;
