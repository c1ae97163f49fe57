//! What a client of a Linux tenant was promised, and whether the machine kept its word.
//!
//! A client appends numbered lines to files on the disk, and puts blocks of bytes into the RAM disk. What was
//! acknowledged must be there, whole and in its place; what was never sent must not be there; what was sent and not
//! acknowledged may be. When an answer does not come, the client leaves that file or block alone from then on: the
//! request may still be under way and could be carried out after a later one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::problem::Problem;

/// Bytes of a block in the RAM disk: not a page, so that blocks share pages.
pub const BLOCK_BYTES: usize = 10_000;

/// Where the writes went.
pub trait FileStore {
    /// Returns the whole of a file on the disk; `None` if there is none.
    ///
    /// # Errors
    /// The store cannot be read.
    fn file(&mut self, number: u64) -> Result<Option<Vec<u8>>, Problem>;

    /// Returns bytes of the RAM disk; `None` if they lie behind its end.
    ///
    /// # Errors
    /// The store cannot be read.
    fn bytes(&mut self, at: u64, length: usize) -> Result<Option<Vec<u8>>, Problem>;
}

/// One client's account.
#[derive(Clone, Debug, Default)]
pub struct FileLedger {
    files: BTreeMap<u64, Account>,
    blocks: BTreeMap<u64, Account>,
}

/// How far writes to one place have come.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    acknowledged: u64,
    is_in_doubt: bool,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileAudit {
    /// Files of which something was acknowledged.
    pub files_acked: u64,
    /// Of these, those of which something acknowledged is missing or wrong.
    pub files_lost: u64,
    /// Lines that were acknowledged.
    pub lines_acked: u64,
    /// Bytes in the RAM disk that were acknowledged.
    pub ram_bytes_acked: u64,
    /// Of these, those that are missing or wrong.
    pub ram_bytes_lost: u64,
    /// Files with more in them than was sent.
    pub files_invented: u64,
    /// The first few of all these, for people.
    pub examples: Vec<String>,
}

const EXAMPLES_MAX: usize = 5;

/// Returns line `index` of a file: no other line is like it.
pub fn line(file: u64, index: u64) -> String {
    format!("{file}:{index}/{:016x}", scattered(file << 32 | index))
}

/// Returns the content of a block in its version `version`. Two blocks or two versions have at most a few bytes in
/// common.
pub fn block(number: u64, version: u64) -> Vec<u8> {
    let seed = scattered(number << 32 | version);
    let words = (0..).flat_map(|index: u64| scattered(seed ^ index).to_le_bytes());
    words.take(BLOCK_BYTES).collect()
}

/// Returns the offset of a block in the RAM disk, in bytes.
pub fn place(number: u64) -> u64 {
    number * BLOCK_BYTES as u64
}

/// Scatters a number by SplitMix64's finaliser: the digits differ all over from number to number.
fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl FileLedger {
    /// Returns the next line of a file, which is about to be sent; `None` if the file is left alone.
    pub fn append(&mut self, file: u64) -> Option<String> {
        let index = begin(self.files.entry(file).or_default())?;
        Some(line(file, index))
    }

    /// Notes that the line that was sent last is on the disk.
    pub fn appended(&mut self, file: u64) {
        complete(self.files.entry(file).or_default());
    }

    /// Returns the next version of a block, which is about to be sent; `None` if the block is left alone.
    pub fn put(&mut self, number: u64) -> Option<Vec<u8>> {
        let version = begin(self.blocks.entry(number).or_default())?;
        Some(block(number, version))
    }

    /// Notes that the version that was sent last is in the RAM disk.
    pub fn has_put(&mut self, number: u64) {
        complete(self.blocks.entry(number).or_default());
    }

    /// Compares the account with the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn audit(&self, store: &mut impl FileStore) -> Result<FileAudit, Problem> {
        let mut audit = FileAudit::default();
        for (number, account) in &self.files {
            let found = store.file(*number)?;
            audit.file(*number, *account, found.as_deref());
        }
        for (number, account) in &self.blocks {
            let found = store.bytes(place(*number), BLOCK_BYTES)?;
            audit.block(*number, *account, found.as_deref());
        }
        Ok(audit)
    }
}

/// Begins a write, and returns its index.
fn begin(account: &mut Account) -> Option<u64> {
    let is_free = !account.is_in_doubt;
    account.is_in_doubt = true;
    is_free.then_some(account.acknowledged)
}

fn complete(account: &mut Account) {
    account.is_in_doubt = false;
    account.acknowledged += 1;
}

impl FileAudit {
    /// Says whether nothing was lost and nothing invented.
    pub fn is_clean(&self) -> bool {
        self.files_lost == 0 && self.files_invented == 0 && self.ram_bytes_lost == 0
    }

    /// Adds up both findings.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.files_acked += other.files_acked;
        self.files_lost += other.files_lost;
        self.lines_acked += other.lines_acked;
        self.ram_bytes_acked += other.ram_bytes_acked;
        self.ram_bytes_lost += other.ram_bytes_lost;
        self.files_invented += other.files_invented;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
        self
    }

    fn file(&mut self, number: u64, account: Account, found: Option<&[u8]>) {
        self.files_acked += u64::from(account.acknowledged > 0);
        self.lines_acked += account.acknowledged;
        let expected: String = (0..account.acknowledged)
            .map(|index| line(number, index) + "\n")
            .collect();
        let found = found.unwrap_or_default();
        let Some(rest) = found.strip_prefix(expected.as_bytes()) else {
            self.files_lost += 1;
            return self.example(format!(
                "file {number}: of {} acknowledged lines {} are there",
                account.acknowledged,
                whole_lines(number, found)
            ));
        };
        // A line in doubt may be there, or a part of it.
        let doubt = match account.is_in_doubt {
            true => line(number, account.acknowledged) + "\n",
            false => String::new(),
        };
        if !doubt.as_bytes().starts_with(rest) {
            self.files_invented += 1;
            self.example(format!(
                "file {number}: {} bytes that nobody sent",
                rest.len()
            ));
        }
    }

    fn block(&mut self, number: u64, account: Account, found: Option<&[u8]>) {
        let Some(last) = account.acknowledged.checked_sub(1) else {
            return;
        };
        self.ram_bytes_acked += BLOCK_BYTES as u64;
        let expected = block(number, last);
        // One that is in doubt may be there in part: nobody promised that a write happens at once.
        let doubt = match account.is_in_doubt {
            true => block(number, account.acknowledged),
            false => expected.clone(),
        };
        let found = found.unwrap_or_default();
        let is_kept = |index: &usize| {
            let byte = found.get(*index);
            byte == expected.get(*index) || byte == doubt.get(*index)
        };
        let lost = (0..BLOCK_BYTES).filter(|index| !is_kept(index)).count();
        self.ram_bytes_lost += lost as u64;
        if lost > 0 {
            self.example(format!("RAM disk, block {number}: {lost} bytes are wrong"));
        }
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text);
        }
    }
}

/// Counts the lines that were sent to a file and are found, wherever they are.
fn whole_lines(file: u64, found: &[u8]) -> usize {
    let text = String::from_utf8_lossy(found);
    let lines: BTreeSet<&str> = text.lines().collect();
    (0..)
        .take_while(|index| lines.contains(line(file, *index).as_str()))
        .count()
}

impl fmt::Display for FileAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files ({} lines) acknowledged, {} lost, {} invented; \
             {} KiB of the RAM disk acknowledged, {} bytes lost",
            self.files_acked,
            self.lines_acked,
            self.files_lost,
            self.files_invented,
            self.ram_bytes_acked >> 10,
            self.ram_bytes_lost
        )?;
        self.examples
            .iter()
            .try_for_each(|example| write!(f, "; {example}"))
    }
}

#[cfg(test)]
mod tests;
