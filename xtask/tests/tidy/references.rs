//! A path that a document or a comment names exists, and so does what a document links to.

use std::path::{Component, Path, PathBuf};

use crate::comments::{in_backticks, prose};
use crate::sources::{FILES, text, with_extension};
use crate::{Violation, judge};

/// What ends like a path in this repository.
const EXTENSIONS: [&str; 7] = [".rs", ".md", ".c", ".h", ".toml", ".sh", ".ld"];

/// Folders and files that are not yet clean.
const NOT_YET: &[&str] = &[];

#[test]
fn every_path_in_backticks_exists() {
    let mut violations = Vec::new();
    for file in with_extension(&["md", "rs", "c", "h"]) {
        for (line, prose) in prose(file, &text(file)) {
            let missing = in_backticks(prose)
                .flat_map(alternatives)
                .filter(|path| !is_found(path));
            violations.extend(missing.map(|path| Violation {
                file: file.into(),
                line,
                what: format!("`{path}` is not there"),
            }));
        }
    }
    judge(&violations, NOT_YET);
}

/// Returns the paths that a text like `takeover/src/{fence,detector}.rs` stands for.
fn alternatives(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else {
        return vec![text.to_string()];
    };
    let Some((list, after)) = rest.split_once('}') else {
        return vec![text.to_string()];
    };
    list.split(',')
        .map(|one| format!("{before}{one}{after}"))
        .collect()
}

/// Returns whether a text is no path of this repository, or one that exists.
fn is_found(text: &str) -> bool {
    let path = text.trim_end_matches('/');
    let is_there = |file: &String| {
        let before = file.strip_suffix(path);
        before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
            || starts_with(file, path)
            || file.contains(&format!("/{path}/"))
    };
    !looks_like_path(text) || FILES.iter().any(is_there)
}

/// Returns whether a text looks like a path of this repository. `NAME.rs` stands for any file.
fn looks_like_path(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let is_relative = !text.starts_with(['/', '-']) && !text.contains("..");
    let stands_for_any = text
        .split(['/', '.'])
        .any(|part| part == "NAME" || part == "TARGET");
    let ends_like_file = EXTENSIONS
        .iter()
        .any(|extension| text.len() > extension.len() && text.ends_with(extension));
    let folder = text.split_once('/').map(|(folder, _)| folder);
    let is_from_root = folder.is_some_and(|it| FILES.iter().any(|file| starts_with(file, it)));
    text.bytes().all(is_plain) && is_relative && !stands_for_any && (ends_like_file || is_from_root)
}

/// Returns whether a file lies in a folder.
fn starts_with(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut violations = Vec::new();
    for file in with_extension(&["md"]) {
        for (line, prose) in prose(file, &text(file)) {
            for target in links(prose) {
                if let Err(what) = follow(file, target) {
                    violations.push(Violation {
                        file: file.into(),
                        line,
                        what,
                    });
                }
            }
        }
    }
    judge(&violations, NOT_YET);
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

/// Checks that a link leads to a file, and to a heading in it.
fn follow(from: &str, target: &str) -> Result<(), String> {
    if target.contains("://") {
        return Ok(());
    }
    let (path, anchor) = target
        .split_once('#')
        .map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = match path {
        "" => from.to_string(),
        path => normalised(&Path::new(from).with_file_name(path)),
    };
    let is_folder = FILES.iter().any(|file| starts_with(file, &path));
    if !FILES.contains(&path) {
        return if is_folder {
            Ok(())
        } else {
            Err(format!("{target}: {path} is not there"))
        };
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let document = text(&path);
    let headings = document.lines().filter_map(|line| line.strip_prefix('#'));
    match headings.map(anchor_of).any(|heading| heading == anchor) {
        true => Ok(()),
        false => Err(format!("{target}: {path} has no such heading")),
    }
}

fn normalised(path: &Path) -> String {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                result.pop();
            }
            Component::CurDir => {}
            component => result.push(component),
        }
    }
    result.to_string_lossy().into_owned()
}

/// Returns the anchor that a forge makes of a heading.
fn anchor_of(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[test]
fn every_document_is_in_the_index_of_its_folder() {
    let documents = with_extension(&["md"]).filter(|file| file.starts_with("docs/"));
    let missing: Vec<&str> = documents
        .filter(|file| {
            let (folder, name) = file.rsplit_once('/').expect("it is in a folder");
            let index = format!("{folder}/README.md");
            *file != index && !text(&index).contains(&format!("]({name})"))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "the README.md of its folder does not name {missing:?}"
    );
}
