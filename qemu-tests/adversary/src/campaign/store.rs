//! The records of a campaign on disk, a line a run, so that an interrupted campaign goes on.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use harness::paths;
use harness::problem::Problem;

use super::Record;

/// The file of a campaign's records.
pub struct Store {
    path: PathBuf,
    file: File,
    /// What it had when it was opened, and what was added.
    pub records: Vec<Record>,
}

impl Store {
    /// Opens the records of the campaign with this seed. If they are not to be resumed, they are begun anew.
    ///
    /// # Errors
    /// The file cannot be used, or a line other than the last is no record.
    pub fn open(seed: u64, is_resumed: bool) -> Result<Self, Problem> {
        let folder = paths::artifacts().join("campaign");
        fs::create_dir_all(&folder).map_err(|error| Problem::of_host("campaign", error))?;
        Self::at(folder.join(format!("{seed}.jsonl")), is_resumed)
    }

    fn at(path: PathBuf, is_resumed: bool) -> Result<Self, Problem> {
        let broken = |error| Problem::of_host(path.display().to_string(), error);
        let text = match is_resumed && path.exists() {
            true => fs::read_to_string(&path).map_err(broken)?,
            false => String::new(),
        };
        let mut records = Vec::new();
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            match Record::parse(line) {
                Some(record) => records.push(record),
                // The last line may have been cut when the campaign was interrupted.
                None if number + 1 == lines.len() => {}
                None => {
                    return Err(Problem::BrokenSetUp(format!(
                        "{}: line {} is no record of a run; remove the file, or do not resume",
                        path.display(),
                        number + 1
                    )));
                }
            }
        }
        fs::write(&path, "").map_err(broken)?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(broken)?;
        let mut store = Self {
            path: path.clone(),
            file,
            records: Vec::new(),
        };
        records
            .into_iter()
            .try_for_each(|record| store.add(record))?;
        Ok(store)
    }

    /// Adds a record, and writes it to the disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, record: Record) -> Result<(), Problem> {
        let written = writeln!(self.file, "{}", record.json());
        written.map_err(|error| Problem::of_host(self.path.display().to_string(), error))?;
        self.records.push(record);
        Ok(())
    }

    /// Says whether there is a run of this class and seed.
    pub fn has(&self, class: &str, seed: u64) -> bool {
        let is_it = |record: &Record| record.class == class && record.seed == seed;
        self.records.iter().any(is_it)
    }

    /// Returns where the records are.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Outcome;

    fn record(seed: u64) -> Record {
        Record {
            class: "text".into(),
            seed,
            hit: String::new(),
            outcome: Ok(Outcome::NoEffect),
            detected_ms: None,
            silence_ms: 0,
            observed: String::new(),
        }
    }

    #[test]
    fn an_interrupted_campaign_goes_on_and_a_cut_line_is_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.jsonl");
        let mut store = Store::at(path.clone(), false).unwrap();
        store.add(record(1)).unwrap();
        store.add(record(2)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        let resumed = Store::at(path.clone(), true).unwrap();
        assert!(resumed.has("text", 1) && !resumed.has("text", 2));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        fs::write(&path, format!("nonsense\n{}\n", record(3).json())).unwrap();
        assert!(Store::at(path.clone(), true).is_err());
        assert!(Store::at(path, false).unwrap().records.is_empty());
    }
}
