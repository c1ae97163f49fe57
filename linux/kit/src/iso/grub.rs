//! Writes what GRUB reads: a boot line in its quotes, and the entry of its menu.

use harness::problem::Problem;

/// The menu. Its entry is the one to copy for an existing GRUB.
const TEMPLATE: &str = include_str!("grub.cfg");

/// Writes the menu with an entry that boots `image` with a boot line. Each of `modules` is a path: GRUB finds the file
/// there, and the boot line names it so.
///
/// # Errors
/// A word of the boot line, or a path, would not come through GRUB as it is.
pub fn config(image: &str, boot_line: &str, modules: &[&str]) -> Result<String, Problem> {
    let words = split(boot_line)?;
    let words: Result<Vec<String>, Problem> = words.iter().map(|word| quoted(word)).collect();
    let modules: Result<Vec<String>, Problem> = modules
        .iter()
        .map(|path| quoted(path).map(|path| format!("    module2 {path} {path}")))
        .collect();
    Ok(TEMPLATE
        .replace("@IMAGE@", &quoted(image)?)
        .replace("@WORDS@", &words?.join(" \\\n        "))
        .replace("@MODULES@", &modules?.join("\n")))
}

/// Splits a boot line as the monitor does: at blanks outside of double quotes, which are dropped.
fn split(boot_line: &str) -> Result<Vec<String>, Problem> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut is_quoted = false;
    for c in boot_line.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !is_quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match is_quoted {
        false => Ok(words),
        true => Err(Problem::BrokenSetUp(format!(
            "a double quote of this boot line is not closed: {boot_line}"
        ))),
    }
}

/// Quotes a word for GRUB (GRUB manual, "Quoting"). In single quotes only the closing quote has a meaning. GRUB itself
/// puts a word with a blank into double quotes for the loader, with a backslash before every quote and backslash; the
/// monitor reads that backslash as a character.
fn quoted(word: &str) -> Result<String, Problem> {
    if let Some(bad) = word
        .chars()
        .find(|c| matches!(c, '\'' | '"' | '\\') || c.is_control())
    {
        return Err(Problem::BrokenSetUp(format!(
            "GRUB cannot hand over the {bad:?} in {word:?}; a word without quotes, backslashes and line breaks \
             would work"
        )));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:+@%".contains(c);
    let is_bare = !word.is_empty() && word.chars().all(is_plain);
    match word.split_once('=') {
        _ if is_bare => Ok(word.into()),
        // Without quotes it is easier to read, and the same.
        Some((name, value)) if name.chars().all(is_plain) => Ok(format!("{name}='{value}'")),
        _ => Ok(format!("'{word}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partition::Options;

    /// Splits a line into words as GRUB does. The line has only single quotes, and nothing with a meaning outside of
    /// them.
    fn read_by_grub(line: &str) -> Vec<String> {
        let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
        for c in line.chars() {
            match c {
                '\'' => {
                    is_quoted = !is_quoted;
                    word.get_or_insert_default();
                }
                ' ' | '\n' | '\\' if !is_quoted => words.extend(word.take()),
                c => {
                    assert!(
                        is_quoted || !"$;&|<>(){}#\"*?[]~!".contains(c),
                        "{c} in {line}"
                    );
                    word.get_or_insert_default().push(c);
                }
            }
        }
        assert!(!is_quoted, "{line}");
        words.extend(word);
        words
    }

    /// Joins words as `grub_create_loader_cmdline` does (GRUB 2.06, grub-core/lib/cmdline.c).
    fn handed_over(words: &[String]) -> String {
        let escaped = words.iter().map(|word| {
            let word: String = word
                .chars()
                .flat_map(|c| {
                    ['\\', c]
                        .into_iter()
                        .skip(usize::from(!"\\'\"".contains(c)))
                })
                .collect();
            match word.contains(' ') {
                true => format!("\"{word}\""),
                false => word,
            }
        });
        escaped.collect::<Vec<_>>().join(" ")
    }

    /// Returns the words of the entry's boot line.
    fn through_grub(line: &str) -> String {
        let text = config("/boot/understudy", line, &[]).unwrap();
        let begin = text.find("    multiboot2 ").unwrap();
        let end = begin + text[begin..].find("\n    # ").unwrap();
        let words = read_by_grub(text[begin..end].trim());
        assert_eq!(words[..2], ["multiboot2", "/boot/understudy"]);
        handed_over(&words[2..])
    }

    #[test]
    fn the_monitor_reads_what_was_meant() {
        for line in [
            "primary_kernel=/boot/a failover_kernel=/boot/b failover_mem=128M",
            "primary_kernel=/boot/a primary_initrd=/boot/i \
             primary_cmdline=\"console=ttyS0,115200n8 root=UUID=1-2 a.b=c;d $x #1 {e} (f) *?\" \
             failover_kernel=/boot/b \"failover_cmdline=quiet  two\" failover_timeout=20ms",
            "primary_kernel=/boot/a failover_kernel=/boot/b debug=1 exec=\"ECHO a$b;1s ECHO {c}|d&e\"",
            "primary_kernel=\"/boot/with blank\" failover_kernel=/boot/b failover_cmdline=\"a  b\"",
        ] {
            let meant = Options::parse(line).unwrap();
            let line = through_grub(line);
            assert_eq!(Options::parse(&line).unwrap(), meant, "{line}");
        }
    }

    #[test]
    fn what_grub_would_change_is_refused_by_name() {
        for (line, name) in [
            ("primary_cmdline=\"it's\"", "it's"),
            ("primary_cmdline=a\\x20b", "x20b"),
            ("a=\"b\nc\"", "b\\nc"),
        ] {
            let problem = config("/i", line, &[]).unwrap_err();
            assert!(
                problem.text().contains(name) && problem.text().contains("would work"),
                "{problem}"
            );
        }
        let problem = config("/i", "a=1", &["/boot/it's"]).unwrap_err();
        assert!(problem.text().contains("/boot/it's"), "{problem}");
        assert!(config("/i", "a=\"b", &[]).is_err());
    }

    #[test]
    fn every_module_has_its_path_for_a_name() {
        let text = config("/boot/understudy", "a=1", &["/boot/k a", "/boot/b"]).unwrap();
        assert!(
            text.contains(
                "    module2 '/boot/k a' '/boot/k a'\n    module2 /boot/b /boot/b\n    # "
            ),
            "{text}"
        );
        assert!(!text.contains('@'), "{text}");
    }
}
