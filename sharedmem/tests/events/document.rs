//! `docs/events.md` has every event of the table, word for word.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use sharedmem::contract::LISTS;
use sharedmem::event::{FieldSpec, Form, GROUPS, Spec};
use sharedmem::numbered::List;

/// Marks the beginning of the part of the document that is made from the table.
const MARK: &str = "<!-- What follows is written by a test; see how-to/event.md. -->\n";

/// Maximum length of the document's lines, in characters.
const COLUMNS: usize = 120;

/// If it is set, the test writes the document instead of comparing it.
const WRITE: &str = "WRITE_EVENTS_DOCUMENT";

#[test]
fn the_document_lists_every_event() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
    let text = fs::read_to_string(&path).expect("docs/events.md");
    let (head, found) = text.split_once(MARK).expect("the mark");
    let expected = document();
    if env::var_os(WRITE).is_some() {
        fs::write(&path, format!("{head}{MARK}{expected}")).expect("docs/events.md");
        return;
    }
    let mut lines = expected.lines().zip(found.lines());
    assert!(
        found == expected,
        "docs/events.md is not what the table says: {:?}; {WRITE}=1 writes it anew",
        lines.find(|(expected, found)| expected != found)
    );
    for line in text.lines() {
        assert!(line.chars().count() <= COLUMNS, "too long: {line}");
    }
}

fn document() -> String {
    let mut out = String::new();
    for group in GROUPS {
        let _ = writeln!(out, "\n## {}", group.writers.trim());
        for spec in group.events {
            event(&mut out, spec);
        }
    }
    let lists = GROUPS.iter().flat_map(|group| group.events);
    let lists = lists.flat_map(|spec| spec.fields);
    for list in lists.filter_map(|field| list_of(&field.form)) {
        // The other lists are in `docs/shared-memory.md`.
        if !LISTS.contains(&list) {
            names(&mut out, &list);
        }
    }
    out
}

fn list_of(form: &Form) -> Option<List> {
    match form {
        Form::OneOf(list) => Some(*list),
        Form::Optional(form) => list_of(form),
        Form::Described(_) | Form::Each(..) => None,
    }
}

fn names(out: &mut String, list: &List) {
    let _ = writeln!(out, "\n## Names of `{}`\n", list.name);
    for entry in list.entries {
        let _ = writeln!(out, "- `{}`: {}", entry.name, entry.text);
    }
}

fn event(out: &mut String, spec: &Spec) {
    let _ = writeln!(out, "\n### `{}`\n\n{}", spec.name, spec.says.trim());
    if !spec.fields.is_empty() {
        let _ = writeln!(out);
    }
    for field in spec.fields {
        let FieldSpec {
            key, form, says, ..
        } = field;
        let (key, form) = match form {
            Form::Each(list, unit) => (
                format!("for each name of `{}`, `name{unit}`", list.name),
                "number".into(),
            ),
            form => (format!("`{key}`"), form_of(form)),
        };
        let _ = writeln!(out, "- {key} ({form}): {}", says.trim());
    }
}

fn form_of(form: &Form) -> String {
    match form {
        Form::Described(text) => (*text).into(),
        Form::OneOf(list) => format!("name of `{}`", list.name),
        Form::Optional(form) => format!("{}, may be left out", form_of(form)),
        Form::Each(..) => "number".into(),
    }
}
