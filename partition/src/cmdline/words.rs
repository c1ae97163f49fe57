//! Words of a command line, and the nearest of several words.

use alloc::string::String;
use alloc::vec::Vec;

use crate::refusal::Refusal;

/// Splits at blanks outside of double quotes, which are dropped wherever they are: `a="b c"` and `"a=b c"` are the same
/// word. GRUB writes the second, and a backslash in front of each quote and backslash (`grub_create_loader_cmdline`):
/// that one is dropped as well, and what follows it stands for itself. In front of anything else it stays.
pub(super) fn split(cmdline: &str) -> Result<Vec<String>, Refusal> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut is_word = false;
    let mut rest = cmdline.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                let escaped = rest.next_if(|next| matches!(next, '"' | '\'' | '\\'));
                word.push(escaped.unwrap_or(c));
                is_word = true;
            }
            '"' => {
                quoted = !quoted;
                is_word = true;
            }
            c if c.is_whitespace() && !quoted => {
                if is_word {
                    words.push(core::mem::take(&mut word));
                }
                is_word = false;
            }
            c => {
                word.push(c);
                is_word = true;
            }
        }
    }
    if quoted {
        let (name, value) = word.split_once('=').unwrap_or((&word, ""));
        let reason = "a double quote is not closed";
        return Err(Refusal::new(name, value, reason, "a second double quote"));
    }
    if is_word {
        words.push(word);
    }
    Ok(words)
}

/// Returns the candidate that takes the fewest changes of one letter to become `word`, and how many.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<(&'a str, usize)> {
    candidates
        .map(|candidate| (candidate, distance(word, candidate)))
        .min_by_key(|(_, distance)| *distance)
}

/// Returns Levenshtein's distance, computed row by row.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (line, letter) in a.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, other) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        let words = split("  a=1 \t b=\"2 3\"  \"c=4 5\" d\"e f\"g \n").unwrap();
        assert_eq!(words, ["a=1", "b=2 3", "c=4 5", "de fg"]);
        let escaped = split(r#"a="b acpi_osi=\"!Windows\" c\\d \e" \'f"#).unwrap();
        assert_eq!(escaped, [r#"a=b acpi_osi="!Windows" c\d \e"#, "'f"]);
        assert_eq!(split(" \n").unwrap(), [""; 0]);
        assert_eq!(split("\"\"").unwrap(), [""]);
        assert!(split("a=\"b c").unwrap_err().reason.contains("quote"));
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("debug", "debug"), 0);
        assert_eq!(
            nearest(
                "failover_cpu",
                ["failover_mem", "failover_cpus"].into_iter()
            ),
            Some(("failover_cpus", 1))
        );
    }
}
