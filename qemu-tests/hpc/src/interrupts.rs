//! Interrupts as QEMU sees them: its log of every interrupt, exception, NMI and SMI that it delivers, with the page
//! table of the CPU that takes it (`-d int`).

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use partition::Range;

use harness::paths;
use harness::problem::Problem;

/// The log of one machine.
#[derive(Clone, Debug)]
pub struct InterruptLog(PathBuf);

/// How many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterruptCount {
    /// On CPUs whose page table lies in the range asked for.
    pub inside: u64,
    /// On others.
    pub outside: u64,
}

impl InterruptLog {
    /// Makes the log for a machine of this name.
    ///
    /// # Errors
    /// Its directory cannot be made.
    pub fn of(machine: &str) -> Result<Self, Problem> {
        let path = paths::scratch(machine).join("interrupts");
        harness::files::write(&path, &[])?;
        Ok(Self(path))
    }

    /// Returns QEMU's arguments.
    pub fn arguments(&self) -> [String; 4] {
        let path = self.0.display().to_string();
        ["-d".into(), "int".into(), "-D".into(), path]
    }

    /// Counts the interrupts so far, by where the page table of their CPU lies.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn count(&self, tables: Range) -> Result<InterruptCount, Problem> {
        let broken = |error| Problem::of_host(self.0.display(), error);
        let file = File::open(&self.0).map_err(broken)?;
        count(BufReader::new(file), tables).map_err(broken)
    }

    /// Removes the log, which is large.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Counts. Each interrupt is logged with all registers, CR3 among them, and nothing else has that word.
fn count(log: impl BufRead, tables: Range) -> std::io::Result<InterruptCount> {
    let mut count = InterruptCount::default();
    for line in log.lines() {
        let line = line?;
        let Some((_, rest)) = line.split_once("CR3=") else {
            continue;
        };
        let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        match u64::from_str_radix(&digits, 16) {
            Ok(table) if (tables.start..tables.end).contains(&table) => count.inside += 1,
            _ => count.outside += 1,
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupts_are_told_apart_by_the_page_table_of_their_cpu() {
        let log = "     0: v=21 e=0000 i=0 cpl=0 IP=0008:0000000000100000 pc=0000000000100000 SP=0010:0 env->regs\n\
                   RAX=0000000000000001\n\
                   CR0=80010033 CR2=0000000000000000 CR3=0000000010220000 CR4=000006a0\n\
                   SMM: enter\n\
                   CR0=80010033 CR2=0000000000000000 CR3=0000000000300000 CR4=000006a0\n";
        let tables = Range::new(0x1000_0000, 0x1100_0000);
        let counted = count(log.as_bytes(), tables).unwrap();
        assert_eq!((counted.inside, counted.outside), (1, 1));
    }
}
