//! A compute slice of a machine that stands still: a copy of its control block, and its results.

use std::array;

use compute_slice::{ControlLine, SliceControl, SliceParameters};
use partition::Range;
use sharedmem::log_ring::LOG_BYTES;
use sharedmem::sync::AtomicU64;

use debugger::{Debugger, Space};
use harness::problem::Problem;

/// A copy of a slice's control block.
pub struct SliceCopy {
    range: Range,
    lines: Vec<ControlLine>,
}

impl SliceCopy {
    /// Copies the control block of the slice that has this memory.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn read(debugger: &mut Debugger, range: Range) -> Result<Self, Problem> {
        let bytes = debugger.read(Space::Physical, range.start, size_of::<SliceControl>())?;
        let (words, _) = bytes.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |it| u64::from_le_bytes(*it));
        let line = |line: usize| {
            let words = array::from_fn(|index| AtomicU64::new(word(16 * line + index)));
            ControlLine::new(words)
        };
        let lines = (0..words.len().div_ceil(16)).map(line).collect();
        Ok(Self { range, lines })
    }

    /// Returns the control block.
    pub fn control(&self) -> &SliceControl {
        SliceControl::of_lines(&self.lines).expect("all of it was copied")
    }

    /// Returns what the slice was entered with.
    ///
    /// # Errors
    /// It was not.
    pub fn parameters(&self) -> Result<SliceParameters, Problem> {
        let checked = self.control().check(self.range.len());
        checked.map_err(|error| Problem::Failed(error.to_string()))
    }

    /// Returns the lines of its log, as far as they are still there.
    pub fn log(&self) -> Vec<String> {
        let mut text = vec![0; LOG_BYTES];
        let length = self.control().log.copy_tail(&mut text);
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Reads a result as of the last committed step. The machine stands still, so it is whole.
    ///
    /// # Errors
    /// There is no such result, or nothing is committed.
    pub fn result(&self, debugger: &mut Debugger, name: &str) -> Result<Vec<u8>, Problem> {
        let (control, parameters) = (self.control(), self.parameters()?);
        let mut results = control.results.read(&parameters);
        let result = results.find(|it| it.name.as_str() == name);
        let (Some(result), Some(step)) = (result, control.committed_step(&parameters)) else {
            return Err(Problem::Failed(format!("the slice has no result {name}")));
        };
        let offset = result.offsets[(step % 2) as usize];
        debugger.read(
            Space::Physical,
            self.range.start + offset,
            result.bytes as usize,
        )
    }
}
