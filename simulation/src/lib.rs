//! A whole machine as a deterministic simulation.
//!
//! The kernels' own code decides, as it is: the supervisor's main loop ([`supervisor`]), detector, fence and takeover
//! machine ([`takeover`]), the journal ([`journal`]), keepalive slots and everything else in shared memory
//! ([`sharedmem`]), the replica with its commits, checkpoints and recoveries ([`replica`]), connections as the journal
//! tells them ([`network`]) and the service ([`service`]). What that code runs on is simulated: cores, clocks,
//! interrupts, INIT and SIPI, the network card, memory, and clients who know what every reply must be.
//!
//! | folder | subject |
//! |---|---|
//! | [`scenario`] | what a seed decides before the machine boots |
//! | [`machine`] | the hardware: cores and their scheduler, events, wires, memory, chance |
//! | [`kernels`] | the kernels' code on that hardware: the monitor, instances, and the traits between |
//! | [`clients`] | what clients ask for, and what they must be told |
//! | [`faults`] | what strikes, and when |
//! | [`oracle`] | what is true, and the laws: never two owners, nothing damaged is applied, deadlines |
//!
//! A *core* is a coroutine with a clock of its own. At each access to shared memory it may be suspended, so that the
//! accesses of all cores follow one another in the order of their clocks. A fault may strike there, and INIT drops the
//! core wherever it stands. One number, the *seed*, decides everything: the same seed on the same commit is the same
//! run. [`world`] is where the parts meet; [`run`] takes a seed from boot to verdict; [`campaign`] runs many.

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
