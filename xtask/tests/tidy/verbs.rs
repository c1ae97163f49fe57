//! The documentation of a function begins with a verb in the third person: "Returns", "Stops".

use crate::sources::{text, with_extension};
use crate::{Violation, judge};

/// Words that end like such a verb, and are none.
const NO_VERBS: &[&str] = &[
    "Across", "Always", "As", "Hence", "Is", "Its", "Less", "Perhaps", "This", "Thus", "Unless",
    "Was", "Yes",
];

/// Plurals that are also verbs: "Records of this kind", but "Records an event".
const PLURALS: &[&str] = &[
    "Addresses",
    "Bits",
    "Blocks",
    "Bytes",
    "Cores",
    "Fields",
    "Frames",
    "Lines",
    "Names",
    "Records",
    "Words",
];

/// Folders and files that are not yet clean.
const NOT_YET: &[&str] = &[];

#[test]
fn the_documentation_of_a_function_begins_with_a_verb() {
    let mut violations = Vec::new();
    for file in with_extension(&["rs"]) {
        let text = text(file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, first) in first_lines(&lines) {
            let mut words = first.split_whitespace();
            let word = words.next().unwrap_or_default();
            let is_noun = PLURALS.contains(&word) && matches!(words.next(), Some("in" | "of"));
            if !is_verb(word) || is_noun {
                violations.push(Violation {
                    file: file.into(),
                    line: index + 1,
                    what: format!("begins with {word:?}: {first}"),
                });
            }
        }
    }
    judge(&violations, NOT_YET);
}

/// Returns the first line of the documentation of each function, and its index.
fn first_lines<'a>(lines: &[&'a str]) -> Vec<(usize, &'a str)> {
    let is_doc = |line: &str| line.starts_with("///") && !line.starts_with("////");
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let begins = is_doc(line)
            && !index
                .checked_sub(1)
                .is_some_and(|before| is_doc(lines[before]));
        if !begins {
            continue;
        }
        let mut after = lines[index..].iter().skip_while(|line| is_doc(line));
        let mut is_attribute = false;
        let item = after.find(|line| {
            is_attribute |= line.starts_with("#[");
            let is_part = is_attribute;
            is_attribute &= !line.ends_with(']');
            !is_part
        });
        if item.is_some_and(|item| is_function(item)) {
            found.push((index, line.trim_start_matches('/').trim()));
        }
    }
    found
}

fn is_function(item: &str) -> bool {
    let mut words = item.split_whitespace();
    let is_qualifier = |word: &&str| {
        let word = word.trim_end_matches(')');
        ["pub", "const", "async", "unsafe", "extern", "\"C\""].contains(&word)
            || word.starts_with("pub(")
            || ["crate", "super", "self"].contains(&word)
    };
    words.find(|word| !is_qualifier(word)) == Some("fn")
}

fn is_verb(word: &str) -> bool {
    let word = word.trim_end_matches([',', '.', ':', ';']);
    let is_word = word.starts_with(|first: char| first.is_ascii_uppercase())
        && word
            .chars()
            .all(|letter| letter.is_ascii_alphabetic() || letter == '-');
    is_word && !NO_VERBS.contains(&word) && word.ends_with('s')
}
