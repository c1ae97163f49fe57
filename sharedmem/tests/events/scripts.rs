//! Shell scripts write lines of events as text. Each of them matches the table.

use sharedmem::event::{self, FieldSpec, Form};

use crate::tree::files;

#[test]
fn scripts_write_lines_of_the_table() {
    let mut count = 0;
    for (path, text) in ["linux", "qemu-tests"].into_iter().flat_map(files) {
        if !text.starts_with("#!/bin/sh") {
            continue;
        }
        for line in text.lines() {
            let Some((_, event)) = line.split_once("event=") else {
                continue;
            };
            let event = without_substitutions(event);
            let event = event.split('"').next().unwrap_or_default();
            if let Err(why) = check(event) {
                panic!("{}: {line}: {why}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 20, "only {count} lines were found");
}

#[test]
fn a_line_that_is_not_of_the_table_is_noticed() {
    assert_eq!(check("userspace kernel=$ ;"), Ok(()));
    assert_eq!(check("ready ;"), Ok(()));
    assert_eq!(check("ready nmi_watchdog=$ ;"), Ok(()));
    for wrong in [
        "userspace kernel=$",
        "userspace ;",
        "userspace kernel=$ more=$ ;",
        "userland kernel=$ ;",
        "ready nmi_watchdog=$ crash_loaded=$ ;",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
    assert_eq!(
        without_substitutions("x a=$(b \"$(c d)\") e=$f ;"),
        "x a=$ e=$f ;"
    );
}

/// Replaces each `$(command)` by `$`.
fn without_substitutions(text: &str) -> String {
    let (mut out, mut depth, mut before) = (String::new(), 0, ' ');
    for c in text.chars() {
        match c {
            '(' if depth > 0 || before == '$' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
        before = c;
    }
    out
}

/// Checks what follows `event=`. A word that is a variable may stand for any fields.
fn check(event: &str) -> Result<(), String> {
    let words: Vec<&str> = event.split(' ').collect();
    let [name, words @ .., ";"] = &words[..] else {
        return Err("it does not end with a blank and `;`".into());
    };
    let spec = event::all().find(|spec| spec.name == *name);
    let spec = spec.ok_or("there is no such event")?;
    let mut left = spec.fields;
    for word in words {
        let Some((key, _)) = word.split_once('=') else {
            return match word.starts_with('$') {
                true => Ok(()),
                false => Err(format!("{word} is not a field")),
            };
        };
        let place = left.iter().position(|field| field.key == key);
        let place = place.ok_or(format!("{key}= is not a field, or not in its place"))?;
        left[..place].iter().try_for_each(may_be_missing)?;
        left = &left[place + 1..];
    }
    left.iter().try_for_each(may_be_missing)
}

fn may_be_missing(field: &FieldSpec) -> Result<(), String> {
    match field.form {
        Form::Optional(_) => Ok(()),
        _ => Err(format!("{}= is missing", field.key)),
    }
}
