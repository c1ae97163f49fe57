//! The report as a block of text, which outlives a photograph, a serial log and a mail.
//!
//! Base64 (RFC 4648) of: the revision, the report (postcard), a checksum. Lines begin and end as those of PEM do.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::report::Report;

/// The revision of the report's fields.
pub const REVISION: u8 = 2;

/// The line before the block.
pub const BEGIN: &str = "-----BEGIN UNDERSTUDY QUALIFICATION-----";

/// The line after it.
pub const END: &str = "-----END UNDERSTUDY QUALIFICATION-----";

/// Characters of a line.
const LINE_LENGTH: usize = 64;

const CHECKSUM_BYTES: usize = 4;

/// Why a text holds no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// No block begins, or the one that begins does not end.
    Missing,
    /// A line is not base64.
    Characters,
    /// The checksum is not that of what was read: a line is missing, or a character was read wrong.
    Checksum,
    /// It was written by another version, with fields of another revision.
    Revision(u8),
    /// The fields make no report.
    Fields,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "there is no block from `{BEGIN}` to `{END}`"),
            Self::Characters => f.write_str("a line of the block is not base64"),
            Self::Checksum => f.write_str("the block is damaged: a line is missing or changed"),
            Self::Revision(found) => write!(
                f,
                "the block has revision {found}, and this version reads {REVISION}; the version that wrote it would \
                 work"
            ),
            Self::Fields => f.write_str("the block is whole, and its fields make no report"),
        }
    }
}

impl core::error::Error for BlockError {}

/// Writes the lines of the block, the first and the last included.
pub fn write(report: &Report) -> Vec<String> {
    let mut bytes = alloc::vec![REVISION];
    // A report has a bounded size, and a vector takes it.
    bytes.extend(postcard::to_allocvec(report).unwrap_or_default());
    let checksum = checksum(&bytes);
    bytes.extend(checksum);
    let text = STANDARD.encode(&bytes);
    let lines = text.as_bytes().chunks(LINE_LENGTH);
    let lines = lines.map(|line| String::from_utf8_lossy(line).into_owned());
    let frame = |line: &str| core::iter::once(String::from(line));
    frame(BEGIN).chain(lines).chain(frame(END)).collect()
}

/// Finds the last block in `text` and reads it. Each line may have something before it, such as a time, up to a blank.
///
/// # Errors
/// Why there is no report.
pub fn read(text: &str) -> Result<Report, BlockError> {
    let begin = text.rfind(BEGIN).ok_or(BlockError::Missing)? + BEGIN.len();
    let length = text[begin..].find(END).ok_or(BlockError::Missing)?;
    let lines = text[begin..begin + length].lines();
    let words = lines.filter_map(|line| line.split_whitespace().next_back());
    let words: Vec<&str> = words.collect();
    // What is before the closing line on the same line is no part of it.
    let complete = match text[begin..begin + length].ends_with('\n') {
        true => &words[..],
        false => &words[..words.len().saturating_sub(1)],
    };
    let bytes = STANDARD
        .decode(complete.concat())
        .map_err(|_| BlockError::Characters)?;
    let split = bytes
        .len()
        .checked_sub(CHECKSUM_BYTES)
        .ok_or(BlockError::Checksum)?;
    let (body, stored) = bytes.split_at(split);
    if checksum(body) != stored {
        return Err(BlockError::Checksum);
    }
    let (revision, fields) = body.split_first().ok_or(BlockError::Checksum)?;
    if *revision != REVISION {
        return Err(BlockError::Revision(*revision));
    }
    postcard::from_bytes(fields).map_err(|_| BlockError::Fields)
}

/// Computes CRC-32C.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    crc.checksum(bytes).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Summary;
    use alloc::vec;
    use proptest::prelude::*;
    use std::format;

    fn report() -> Report {
        Report {
            version: "0.1.0".into(),
            processor: "a processor".into(),
            cpus: 4,
            absent: vec![3],
            startup_us: Summary {
                count: 12,
                p50: 100,
                p99: 300,
                max: 400,
            },
            dma_denial_ns: Summary {
                count: 1000,
                p50: 900,
                p99: 1100,
                max: 1200,
            },
            takeovers: 1000,
            ..Report::default()
        }
    }

    #[test]
    fn a_report_comes_back_from_a_log() {
        let lines = write(&report());
        assert!(lines.iter().all(|line| line.len() <= LINE_LENGTH));
        assert_eq!(read(&lines.join("\n")), Ok(report()));
        let logged = lines
            .iter()
            .map(|line| format!("[   12.345678] monitor: qualify: {line}\r\n"));
        let logged: String = logged.collect();
        assert_eq!(read(&format!("boot\n{logged}[ 13.0] more\n")), Ok(report()));
    }

    #[test]
    fn what_is_damaged_is_no_report() {
        let lines = write(&report());
        let text = lines.join("\n");
        assert_eq!(read("nothing"), Err(BlockError::Missing));
        assert_eq!(read(&lines[..2].join("\n")), Err(BlockError::Missing));
        let mut fewer = lines.clone();
        fewer.remove(1);
        assert!(read(&fewer.join("\n")).is_err());
        let start = BEGIN.len() + 1;
        for at in start..text.len() - END.len() - 1 {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(read(&changed), Ok(report()), "{at}");
        }
    }

    #[test]
    fn another_revision_is_named() {
        let mut bytes = vec![REVISION + 1, 1, 2, 3];
        bytes.extend(checksum(&bytes));
        let text = format!("{BEGIN}\n{}\n{END}", STANDARD.encode(&bytes));
        assert_eq!(read(&text), Err(BlockError::Revision(REVISION + 1)));
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in ".{0,200}") {
            let _ = read(&text);
            let _ = read(&format!("{BEGIN}{text}{END}"));
        }
    }
}
