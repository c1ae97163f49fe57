//! The operator's orders to slices, and what is told of them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use compute_slice::SliceEntry;
use sharedmem::mailbox::{ARGUMENTS, ComputeOrder, compute_text};

use super::{Slice, Slices};

impl Slices {
    /// Carries out an order, which the primary claims that the operator gave. Returns the state of the slice.
    ///
    /// # Errors
    /// Why it is not carried out.
    pub(crate) fn obey(&mut self, arguments: &[u64; ARGUMENTS]) -> Result<String, String> {
        let text = compute_text(arguments);
        let text = core::str::from_utf8(&text).map_err(|_| "the order is no text".to_string())?;
        let order = ComputeOrder::from_number(arguments[0])
            .ok_or_else(|| format!("there is no order number {}", arguments[0]))?;
        if order == ComputeOrder::List {
            return Ok(self.list());
        }
        let (name, what) = text.split_once(' ').unwrap_or((text, ""));
        let list = self.list();
        let slice = self.slices.iter_mut().find(|it| it.tenant.name() == name);
        let slice = slice.ok_or_else(|| format!("there is no slice `{name}`: {list}"))?;
        match order {
            ComputeOrder::List | ComputeOrder::Status => {}
            ComputeOrder::Start => slice.start(what)?,
            ComputeOrder::Stop if slice.computation.stop() => {}
            ComputeOrder::Stop => return Err(format!("nothing of it runs: {}", slice.state())),
        }
        Ok(slice.state())
    }

    fn list(&self) -> String {
        let states: Vec<String> = self.slices.iter().map(Slice::state).collect();
        match states.is_empty() {
            true => "the boot line has no compute=".into(),
            false => states.join("; "),
        }
    }
}

impl Slice {
    fn start(&mut self, what: &str) -> Result<(), String> {
        if self.computation.is_active() {
            return Err(format!("stop it first: {}", self.state()));
        }
        if !self.tenant.starts_at_boot() {
            return Err("the boot line gives it no image".into());
        }
        if !what.is_empty() {
            self.tenant.set_arguments(what)?;
        }
        match self.computation.start(SliceEntry::Fresh) {
            true => Ok(()),
            false => Err(format!("it cannot be started: {}", self.state())),
        }
    }

    /// Says what it does: its name, its state, the number of the entry, the last committed step.
    fn state(&self) -> String {
        let name = self.tenant.name();
        let state = match self.computation.idle() {
            Some(idle) => idle.name(),
            None if self.computation.is_stopping() => "stopping",
            None => "running",
        };
        let entries = self.computation.entries();
        let step = match self.tenant.committed() {
            Some(step) => format!(", step {step} committed"),
            None => String::new(),
        };
        let exit_code = match self.tenant.exit_code() {
            Some(code) => format!(", exit code {code}"),
            None => String::new(),
        };
        format!("{name} {state}, entry {entries}{step}{exit_code}")
    }
}
