//! Every event is logged somewhere, and no source writes the line of one by hand.

use std::path::Path;

use sharedmem::event;

use crate::tree::files;

/// Where events are logged.
const WRITERS: [&str; 4] = ["kernel", "linux", "qemu-tests", "takeover/src"];

/// Where events are logged or read.
const USERS: [&str; 7] = [
    "journal",
    "kernel",
    "linux",
    "qemu-tests",
    "simulation",
    "takeover",
    "xtask",
];

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

#[test]
fn every_event_is_logged() {
    let sources: Vec<_> = WRITERS.into_iter().flat_map(files).collect();
    for spec in event::all() {
        // A kernel or a program makes a value of the type; a script writes the line.
        let value = format!("{} {{", spec.type_name);
        let line = format!("event={} ", spec.name);
        let is_logged = sources.iter().any(|(path, text)| match is_rust(path) {
            true => text.contains(&value),
            false => text.contains(&line),
        });
        assert!(is_logged, "no source logs event={}", spec.name);
    }
}

#[test]
fn no_line_is_made_or_read_by_hand() {
    for (path, text) in USERS.into_iter().flat_map(files) {
        // In tests, the output of a console is written by hand.
        let is_test = path.ends_with("tests.rs") || path.iter().any(|part| part == "tests");
        if is_test || !is_rust(&path) {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines() {
            let code = line.split("//").next().unwrap_or_default();
            // A name from the table may be inserted.
            let is_by_hand = code.replace("event={", "").contains("event=");
            assert!(!is_by_hand, "{}: {line}", path.display());
        }
    }
}
