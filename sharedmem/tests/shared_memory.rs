//! `docs/shared-memory.md` states the revisions, the place of every part of the control block, and every number.

use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::PathBuf;
use std::{env, fs};

use sharedmem::Control;
use sharedmem::abi::{ABI_REVISION, JOURNAL_REVISION};
use sharedmem::contract::LISTS;

/// Marks the beginning of the part of the document that is made from the lists.
const MARK: &str = "<!-- What follows is written by a test: \
                    WRITE_SHARED_MEMORY_DOCUMENT=1 cargo test -p sharedmem --test shared_memory -->\n";

/// If it is set, the test writes the document instead of comparing it.
const WRITE: &str = "WRITE_SHARED_MEMORY_DOCUMENT";

/// Maximum length of the document's lines, in characters.
const COLUMNS: usize = 120;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/shared-memory.md")
}

fn document() -> String {
    fs::read_to_string(path()).expect("docs/shared-memory.md")
}

#[test]
fn the_document_has_every_number() {
    let text = document();
    let (head, found) = text.split_once(MARK).expect("the mark");
    let expected = numbers();
    if env::var_os(WRITE).is_some() {
        // At once, because the other tests read it at the same time.
        let new = path().with_extension("new");
        fs::write(&new, format!("{head}{MARK}{expected}")).expect("docs/shared-memory.new");
        fs::rename(new, path()).expect("docs/shared-memory.md");
        return;
    }
    let mut lines = expected.lines().zip(found.lines());
    assert!(
        found == expected,
        "docs/shared-memory.md is not what the lists say: {:?}; {WRITE}=1 writes it anew",
        lines.find(|(expected, found)| expected != found)
    );
}

/// Returns a table for each list.
fn numbers() -> String {
    let mut out = String::new();
    for list in LISTS {
        let _ = write!(
            out,
            "\n### `{}`\n\n| number | name | meaning |\n|---|---|---|\n",
            list.name
        );
        for entry in list.entries {
            let number = match u32::try_from(entry.number) {
                Ok(number) => number.to_string(),
                Err(_) => format!("`{:#x}`", entry.number),
            };
            let _ = writeln!(out, "| {number} | {} | {} |", entry.name, entry.text);
        }
    }
    out
}

#[test]
fn the_document_has_every_part_at_its_place() {
    let text = document();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `0x"));
    let found: Vec<(&str, &str)> = rows
        .filter_map(|row| row.split_once("` | "))
        .map(|(offset, rest)| {
            (
                offset,
                rest.split([',', '|']).next().unwrap_or_default().trim(),
            )
        })
        .take_while(|(offset, _)| offset.len() <= 4)
        .collect();
    let expected = [
        (offset_of!(Control, header), "header"),
        (offset_of!(Control, epoch), "epoch"),
        (offset_of!(Control, protection), "protection word"),
        (
            offset_of!(Control, primary_keepalive),
            "primary's keepalive slot",
        ),
        (offset_of!(Control, seat_keepalive), "seat's keepalive slot"),
        (offset_of!(Control, journal), "journal cursors"),
        (offset_of!(Control, debug), "debug words"),
        (offset_of!(Control, backup), "backup report"),
        (offset_of!(Control, console), "console owner"),
        (offset_of!(Control, epitaphs), "epitaphs"),
        (offset_of!(Control, timelines), "timelines"),
        (offset_of!(Control, monitor_log), "monitor's log ring"),
        (offset_of!(Control, instance_logs), "log rings"),
        (offset_of!(Control, resume_slots), "resume slots"),
        (offset_of!(Control, mailbox), "mailbox"),
        (offset_of!(Control, versions), "versions"),
        (offset_of!(Control, withheld), "withheld functions"),
        (offset_of!(Control, condemned), "condemned words"),
        (offset_of!(Control, obstacles), "obstacles"),
    ]
    .map(|(offset, name)| (format!("{offset:x}"), name));
    assert!(
        expected
            .iter()
            .map(|(offset, name)| (offset.as_str(), *name))
            .eq(found.iter().copied()),
        "the document says: {found:?}"
    );
}

#[test]
fn the_document_has_the_revisions_and_no_line_is_too_long() {
    let text = document();
    let revisions =
        format!("**ABI revision {ABI_REVISION}, journal revision {JOURNAL_REVISION}.**");
    assert!(text.contains(&revisions), "{revisions}");
    for line in text.lines() {
        assert!(line.chars().count() <= COLUMNS, "too long: {line}");
    }
}
