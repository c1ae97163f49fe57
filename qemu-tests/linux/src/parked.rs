//! Evidence that a parked Linux executes nothing: no byte of its memory changes, and no CPU runs on one of its page
//! tables.
//!
//! A running Linux writes all the time: the stack of every interrupt, the clock, the counters of its timers. And it
//! executes everything on page tables of its own, which lie in its own memory. This does not show that the primary
//! never reads it.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use partition::range::Range;
use sharedmem::event::{BackupMemory, Plan};

use harness::machine::QemuMachine;
use harness::paths;
use harness::problem::{Problem, require_equal};
use harness::qmp::Qmp;

/// Between two looks at the CPUs. It divides no period in the machine.
const LOOK: Duration = Duration::from_micros(13_700);

const CHUNK_BYTES: usize = 1 << 20;
const PAGE_BYTES: usize = 4096;

/// The memory that only the backup uses while it waits, by the monitor's plan: its slot, and a piece below 1 MiB to
/// start in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarters {
    ranges: Vec<Range>,
}

/// Looks at the registers of all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Page tables seen, one for each CPU and look.
    pub tables: usize,
    /// Of those, in the backup's memory.
    pub within: usize,
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} page tables are the backup's",
            self.within, self.tables
        )
    }
}

impl Quarters {
    /// Reads what the monitor says of the plan.
    ///
    /// # Errors
    /// The monitor has logged no plan, or one in which the backup does not have both.
    pub fn of(machine: &QemuMachine) -> Result<Self, Problem> {
        // The ranges come before it.
        machine.wait_event::<Plan>()?;
        let told = machine.console().events::<BackupMemory>();
        let ranges: Vec<Range> = told
            .iter()
            .map(|told| Range::new(told.range.start, told.range.end))
            .collect();
        require_equal("ranges of the backup's memory", ranges.len(), 2)?;
        Ok(Self { ranges })
    }

    /// Returns its size in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.ranges.iter().map(Range::len).sum()
    }

    /// Says whether an address is in it.
    fn has(&self, address: u64) -> bool {
        self.ranges
            .iter()
            .any(|range| (range.start..range.end).contains(&address))
    }

    /// Looks at the page tables of all CPUs, `looks` times.
    ///
    /// # Errors
    /// QEMU does not answer, or tells of fewer CPUs than the machine has.
    pub fn look(&self, machine: &QemuMachine, cpus: usize, looks: usize) -> Result<Looks, Problem> {
        let mut control = machine.control()?;
        let mut seen = Looks::default();
        for _ in 0..looks {
            let tables = control.page_tables()?;
            require_equal("CPUs that QEMU tells of", tables.len(), cpus)?;
            seen.tables += tables.len();
            seen.within += tables.iter().filter(|table| self.has(**table)).count();
            thread::sleep(LOOK);
        }
        Ok(seen)
    }
}

/// The backup's memory at one moment, in files. Dropping the value removes them.
pub struct Snapshot {
    files: Vec<PathBuf>,
}

impl Snapshot {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// QEMU does not answer, or cannot write.
    pub fn take(machine: &QemuMachine, quarters: &Quarters, name: &str) -> Result<Self, Problem> {
        let mut control: Qmp = machine.control()?;
        let mut snapshot = Self { files: Vec::new() };
        for (index, range) in quarters.ranges.iter().enumerate() {
            let path = paths::scratch("parked").join(format!("{name}-{index}.bin"));
            path.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .map_err(|error| Problem::of_host(path.display(), error))?;
            control.save_memory(*range, &path)?;
            snapshot.files.push(path);
        }
        Ok(snapshot)
    }

    /// Counts the pages that differ from those of a later snapshot.
    ///
    /// # Errors
    /// A file cannot be read, or the two are not of the same size.
    pub fn pages_changed(&self, later: &Self) -> Result<u64, Problem> {
        let pairs = self.files.iter().zip(&later.files);
        pairs.map(|(one, other)| pages_changed(one, other)).sum()
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        for file in &self.files {
            // A file that stays is overwritten by the next snapshot.
            let _ = fs::remove_file(file);
        }
    }
}

fn pages_changed(one: &Path, other: &Path) -> Result<u64, Problem> {
    let broken = |path: &Path, error: std::io::Error| Problem::of_host(path.display(), error);
    let open = |path: &Path| {
        let file = File::open(path).map_err(|error| broken(path, error))?;
        let bytes = file.metadata().map_err(|error| broken(path, error))?.len();
        Ok::<_, Problem>((BufReader::with_capacity(CHUNK_BYTES, file), bytes))
    };
    let ((mut first, bytes), (mut second, other_bytes)) = (open(one)?, open(other)?);
    require_equal("bytes of a snapshot", other_bytes, bytes)?;
    let (mut page, mut other_page) = ([0; PAGE_BYTES], [0; PAGE_BYTES]);
    let mut changed = 0;
    for _ in 0..bytes / PAGE_BYTES as u64 {
        first
            .read_exact(&mut page)
            .map_err(|error| broken(one, error))?;
        second
            .read_exact(&mut other_page)
            .map_err(|error| broken(other, error))?;
        changed += u64::from(page != other_page);
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_backups_or_not() {
        let quarters = Quarters {
            ranges: vec![
                Range::new(0x800_0000, 0xf00_0000),
                Range::new(0x1_0000, 0x5_7000),
            ],
        };
        assert_eq!(quarters.len_bytes(), (112 << 20) + (284 << 10));
        for (address, is_within) in [
            (0x800_0000, true),
            (0xeff_ffff, true),
            (0xf00_0000, false),
            (0x1_0000, true),
            (0x5_7000, false),
            (0x10_0000, false),
        ] {
            assert_eq!(quarters.has(address), is_within, "{address:#x}");
        }
    }

    #[test]
    fn a_page_that_changed_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let mut bytes = vec![7; 3 * PAGE_BYTES];
        let before = write("before", &bytes);
        assert_eq!(pages_changed(&before, &write("same", &bytes)), Ok(0));
        bytes[PAGE_BYTES - 1] ^= 1;
        bytes[2 * PAGE_BYTES] ^= 1;
        assert_eq!(pages_changed(&before, &write("after", &bytes)), Ok(2));
        assert!(pages_changed(&before, &write("short", &bytes[1..])).is_err());
    }
}
