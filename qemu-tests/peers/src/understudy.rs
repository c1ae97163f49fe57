//! A machine of ours, in emulation.

use std::time::Duration;

use harness::client;
use harness::images::Images;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::Problem;
use harness::writer::FindPort;
use sharedmem::event::Protected;

use crate::{Cause, Peer};

/// A machine that has not shown everything after this time is given up.
const MACHINE_LIMIT: Duration = Duration::from_secs(120);

/// A machine that is protected.
pub struct Understudy {
    machine: QemuMachine,
    port: u16,
    accel: Accel,
}

impl Understudy {
    /// Its name among the peers.
    pub const NAME: &str = "understudy";

    /// Boots one, as it is by default, and waits until a backup waits.
    ///
    /// # Errors
    /// It does not boot.
    pub fn start(images: &Images, accel: Accel) -> Result<Self, Problem> {
        let spec = MachineSpec::new("peers", accel).append("debug=1");
        let log = paths::fresh_log(&spec.name)?;
        let machine = QemuMachine::start(&spec, &Launch::of(images, &log, MACHINE_LIMIT))?;
        machine.wait_serving(1)?;
        machine.wait_event::<Protected>()?;
        let port = machine.port()?;
        Ok(Self {
            machine,
            port,
            accel,
        })
    }
}

impl Peer for Understudy {
    fn name(&self) -> String {
        Self::NAME.into()
    }

    fn runs_on(&self) -> &'static str {
        self.accel.label()
    }

    fn finder(&self) -> FindPort {
        let port = self.port;
        Box::new(move || Some(port))
    }

    fn strike(&mut self, cause: Cause) -> Result<(), Problem> {
        client::inject(
            self.port,
            match cause {
                Cause::Death => "DEBUG PANIC",
                Cause::Hang => "DEBUG HANG all",
            },
        )
    }
}

impl Drop for Understudy {
    fn drop(&mut self) {
        self.machine.end();
    }
}
