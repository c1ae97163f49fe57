//! Counts of instructions, by the plugin of QEMU in `qemu-tests/counter`: what a machine had executed when a rank of a
//! computation came to a mark.

use std::path::{Path, PathBuf};
use std::process::Command;

use compute_slice::{MARKS, Mark};

use harness::files;
use harness::paths;
use harness::problem::Problem;

/// Words of a record.
const RECORD_WORDS: usize = 4;

/// A mark that a rank came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The mark.
    pub mark: Mark,
    /// The 2 MiB of memory that its code lies in, by some number. Each slice has memory of its own.
    pub memory: u64,
    /// How many instructions in that memory were executed before.
    pub own: u64,
    /// How many instructions all CPUs had executed. In the deterministic model this is time, as long as not all of them
    /// sleep.
    pub all: u64,
}

/// The plugin, as it was built, and the file that it writes.
#[derive(Clone, Debug)]
pub struct Counter {
    plugin: PathBuf,
    records: PathBuf,
}

impl Counter {
    /// Builds the plugin, for a machine of this name.
    ///
    /// # Errors
    /// Cargo fails.
    pub fn build(machine: &str) -> Result<Self, Problem> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .current_dir(paths::workspace())
            .args(["build", "--release", "-p", "instruction-counter"])
            .status()
            .map_err(|error| Problem::of_host("cargo", error))?;
        if !status.success() {
            let text = "the instruction counter does not build; cargo says why above";
            return Err(Problem::BrokenSetUp(text.into()));
        }
        let counter = Self {
            plugin: paths::target().join("release/libinstruction_counter.so"),
            records: paths::scratch(machine).join("marks"),
        };
        files::write(&counter.records, &[])?;
        Ok(counter)
    }

    /// Returns QEMU's arguments.
    pub fn arguments(&self) -> [String; 2] {
        let path = |path: &Path| path.display().to_string().replace(',', ",,");
        let value = format!("file={},out={}", path(&self.plugin), path(&self.records));
        ["-plugin".into(), value]
    }

    /// Reads what was written so far.
    ///
    /// # Errors
    /// The file cannot be read, or has what the plugin does not write.
    pub fn read(&self) -> Result<Vec<Marked>, Problem> {
        parse(&files::read(&self.records)?)
    }
}

/// Reads records. The last one may be incomplete.
fn parse(bytes: &[u8]) -> Result<Vec<Marked>, Problem> {
    let (records, _) = bytes.as_chunks::<{ 8 * RECORD_WORDS }>();
    let records = records.iter().map(|record| {
        let (words, _) = record.as_chunks::<8>();
        let [mark, memory, own, all] =
            std::array::from_fn(|index| u64::from_ne_bytes(words[index]));
        let known = MARKS.into_iter().find(|it| u64::from(*it as u32) == mark);
        let mark = known.ok_or_else(|| {
            Problem::BrokenSetUp(format!("the instruction counter has written mark {mark}"))
        })?;
        Ok(Marked {
            mark,
            memory,
            own,
            all,
        })
    });
    records.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(mark: u64) -> Vec<u8> {
        let words = [mark, 5, 20, 100];
        words
            .iter()
            .flat_map(|word: &u64| word.to_ne_bytes())
            .collect()
    }

    #[test]
    fn whole_records_are_read_and_wrong_ones_are_not() {
        let mut bytes = record(Mark::Committed as u64);
        bytes.extend(&record(Mark::Work as u64)[..31]);
        let expected = Marked {
            mark: Mark::Committed,
            memory: 5,
            own: 20,
            all: 100,
        };
        assert_eq!(parse(&bytes), Ok(vec![expected]));
        assert!(parse(&record(99)).is_err());
    }
}
