//! Ranks as threads of a host, over a block of plain memory: for tests of computations.

use std::boxed::Box;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::thread;
use std::time::Instant;
use std::vec::Vec;

use compute_slice::{SLICE_CONTROL_BYTES, SliceControl, SliceEntry, SliceParameters, SliceState};

use crate::error::Error;
use crate::memory::Memory;
use crate::rank::{Host, Rank, run};
use crate::region::Element;

#[repr(C, align(4096))]
struct Page([u8; 4096]);

/// A block of memory with a control block, as a compute slice has it.
pub struct Block {
    pages: *mut [Page],
    ranks: usize,
    generation: Cell<u64>,
}

/// A host whose waiting ranks let others run.
struct Threads(Instant);

impl Host for Threads {
    fn relax(&self) {
        thread::yield_now();
    }

    fn now_ns(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

impl Block {
    /// Makes a block for `ranks` ranks with at least `bytes` bytes of data.
    pub fn new(ranks: usize, bytes: u64) -> Self {
        let count = (SLICE_CONTROL_BYTES + bytes).div_ceil(4096);
        let pages: Vec<Page> = (0..count).map(|_| Page([0; 4096])).collect();
        Self {
            pages: Box::into_raw(pages.into_boxed_slice()),
            ranks,
            generation: Cell::new(0),
        }
    }

    /// Returns its control block.
    pub fn control(&self) -> &SliceControl {
        // SAFETY: the block begins with memory for it, aligned to a page, which is accessed by atomics alone.
        #[allow(unsafe_code)]
        unsafe {
            SliceControl::at(self.pages.cast())
        }
    }

    /// Returns what the next entry is made with.
    pub fn parameters(&self, entry: SliceEntry) -> SliceParameters {
        SliceParameters {
            slice_bytes: 4096 * self.pages.len() as u64,
            ranks: self.ranks as u64,
            generation: self.generation.get().max(1),
            entry,
            data_start: SLICE_CONTROL_BYTES,
            tsc_hz: 1_000_000_000,
            tsc_at_boot: 0,
        }
    }

    /// Enters the block with nothing in it. Returns the exit code; `None` if the computation did not finish.
    pub fn run(&self, program: impl Fn(&mut Rank<'_>) -> Result<u8, Error> + Sync) -> Option<u8> {
        self.enter(SliceEntry::Fresh, program)
    }

    /// Enters the block with one thread per rank. A rank that panics has died, and the others with it.
    ///
    /// # Panics
    /// If the entry is refused.
    pub fn enter(
        &self,
        entry: SliceEntry,
        program: impl Fn(&mut Rank<'_>) -> Result<u8, Error> + Sync,
    ) -> Option<u8> {
        self.generation.set(self.generation.get() + 1);
        let (control, it) = (self.control(), self.parameters(entry));
        control.prepare(&it, "test", "").expect("it is right");
        let data = self
            .pages
            .cast::<u8>()
            .wrapping_add(SLICE_CONTROL_BYTES as usize);
        // SAFETY: the data are behind the control block, in the block, and used by this entry's ranks alone.
        #[allow(unsafe_code)]
        let memory = unsafe { Memory::new(control, it.slice_bytes, data, it.data_bytes()) };
        let memory = memory.expect("it is right");
        let host = Threads(Instant::now());
        thread::scope(|scope| {
            for number in 0..self.ranks {
                let (memory, host, program) = (&memory, &host, &program);
                scope.spawn(move || {
                    let life = AssertUnwindSafe(|| run(memory, number, host, program));
                    if catch_unwind(life).is_err() {
                        memory.control().status.end(SliceState::Died);
                    }
                });
            }
        });
        control.status.exit_code()
    }

    /// Returns the last committed step.
    pub fn committed(&self) -> Option<u64> {
        let parameters = self.parameters(SliceEntry::Resume);
        self.control().committed_step(&parameters)
    }

    /// Returns what the computation's epitaph says.
    pub fn message(&self) -> Option<String> {
        let death = self.control().epitaph.read()?;
        Some(death.message().into())
    }

    /// Returns a region as it was committed.
    ///
    /// # Panics
    /// If there is no such region, or nothing is committed.
    pub fn result<T: Element>(&self, name: &str) -> Vec<T> {
        let parameters = self.parameters(SliceEntry::Resume);
        let control = self.control();
        let result = control
            .results
            .read(&parameters)
            .find(|result| result.name.as_str() == name)
            .expect("a result of this name");
        let mut copy = Vec::new();
        let step = result.copy_committed(control, &parameters, |offset| {
            let place = self.pages.cast::<u8>().wrapping_add(offset as usize);
            let count = result.bytes as usize / size_of::<T>();
            // SAFETY: a result lies in the block; no rank runs; any bytes are a `T`.
            #[allow(unsafe_code)]
            let values = unsafe { core::slice::from_raw_parts(place.cast::<T>(), count) };
            copy.extend_from_slice(values);
        });
        step.expect("a committed step");
        copy
    }

    /// Writes a byte over a committed region, as a computation out of control may.
    ///
    /// # Panics
    /// As for [`result`](Self::result).
    pub fn damage(&self, name: &str, index: usize) {
        let parameters = self.parameters(SliceEntry::Resume);
        let control = self.control();
        let mut results = control.results.read(&parameters);
        let result = results.find(|result| result.name.as_str() == name);
        let step = control.committed_step(&parameters).expect("a step");
        let offset = result.expect("a result").offsets[(step % 2) as usize];
        let place = self
            .pages
            .cast::<u8>()
            .wrapping_add(offset as usize + index);
        // SAFETY: a result lies in the block, and no rank runs.
        #[allow(unsafe_code)]
        unsafe {
            place.write(place.read() ^ 1);
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and nothing borrows it any more.
        #[allow(unsafe_code)]
        drop(unsafe { Box::from_raw(self.pages) });
    }
}
