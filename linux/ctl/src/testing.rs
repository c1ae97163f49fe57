//! A fake module, for tests.

use std::cell::{Cell, RefCell};

use sharedmem::Control;
use sharedmem::Role;
use sharedmem::device::DeviceInfo;
use sharedmem::timeline::Edge;

use crate::module::{Module, Turn};
use crate::problem::Problem;

/// A module whose kernel is what the test says.
pub struct FakeModule {
    /// The answers to the question which kernel this is, in their order. The last one is given again and again.
    pub infos: RefCell<Vec<DeviceInfo>>,
    /// The shared region.
    pub control: Box<Control>,
    /// The edges that were stamped.
    pub stamps: RefCell<Vec<Edge>>,
    /// The parts that were staged.
    pub staged: RefCell<Vec<(u64, Vec<u8>)>>,
    /// Records that were appended.
    pub records: RefCell<Vec<Vec<u8>>>,
    switches: Cell<u32>,
}

impl FakeModule {
    /// Makes the module of instance 0, the primary, with a spare slot of 128 MiB.
    pub fn primary() -> Self {
        Self::of(&[DeviceInfo {
            role: Role::Primary.number() as u32,
            epoch: 1,
            spare_start: 0x1000_0000,
            spare_bytes: 128 << 20,
            ..DeviceInfo::default()
        }])
    }

    /// Makes one with these answers.
    pub fn of(infos: &[DeviceInfo]) -> Self {
        Self {
            infos: RefCell::new(infos.to_vec()),
            control: Box::default(),
            stamps: RefCell::default(),
            staged: RefCell::default(),
            records: RefCell::default(),
            switches: Cell::new(0),
        }
    }

    /// Returns how often it was asked to switch over.
    pub fn switches(&self) -> u32 {
        self.switches.get()
    }
}

impl Module for FakeModule {
    fn info(&self) -> Result<DeviceInfo, Problem> {
        let mut infos = self.infos.borrow_mut();
        Ok(match infos.len() {
            1 => infos[0],
            _ => infos.remove(0),
        })
    }

    fn control(&self) -> &Control {
        &self.control
    }

    fn turn(&self) -> Result<Turn, Problem> {
        Ok(None)
    }

    fn stamp(&self, edge: Edge) -> Result<(), Problem> {
        self.stamps.borrow_mut().push(edge);
        Ok(())
    }

    fn add_memory(&self) -> Result<u64, Problem> {
        Ok(256 << 20)
    }

    fn switch_over(&self) -> Problem {
        self.switches.set(self.switches.get() + 1);
        Problem::No("the monitor does not react".into())
    }

    fn append(&self, payload: &[u8]) -> Result<(), Problem> {
        self.records.borrow_mut().push(payload.into());
        Ok(())
    }

    fn stage(&self, parts: &[(u64, &[u8])]) -> Result<(), Problem> {
        let parts = parts.iter().map(|(at, part)| (*at, part.to_vec()));
        self.staged.borrow_mut().extend(parts);
        Ok(())
    }
}
