//! The prose of a file: all of a document, the comments of a source.

/// Returns the numbered lines of a file that are prose; those of a fenced block are not.
pub fn prose<'a>(file: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    let is_document = file.ends_with(".md");
    let mut is_fenced = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let comment = match is_document {
            true => Some(line),
            false => line.trim_start().strip_prefix("//"),
        };
        let Some(comment) = comment else {
            is_fenced = false;
            continue;
        };
        let is_fence = comment
            .trim_start_matches(['/', '!', ' '])
            .starts_with("```");
        is_fenced ^= is_fence;
        if !is_fenced && !is_fence {
            lines.push((number + 1, comment));
        }
    }
    lines
}

/// Returns the texts in backticks.
pub fn in_backticks(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}
