//! Glob patterns as `KEYS`, `SCAN MATCH` and `CONFIG GET` know them.
//!
//! The language is that of Redis' `stringmatchlen`, corner cases included (an open `[` runs to the end of the
//! pattern; only the empty pattern matches the empty string), but without its recursion: only the last `*` is ever
//! tried again.

/// Whether upper and lower case are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Case {
    Sensitive,
    Ignored,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Sensitive => byte,
            Self::Ignored => byte.to_ascii_lowercase(),
        }
    }
}

/// Returns whether `pattern` matches all of `text`. Calls `step` for each element it looks at, because a hostile
/// pattern takes time in proportion to its length times that of the text.
pub(crate) fn matches(pattern: &[u8], text: &[u8], case: Case, mut step: impl FnMut()) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on if what follows the last star does not match: behind the star, one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        step();
        if pattern.get(at_pattern) == Some(&b'*') {
            while pattern.get(at_pattern) == Some(&b'*') {
                at_pattern += 1;
            }
            if at_pattern == pattern.len() {
                return true;
            }
            retry = Some((at_pattern, at_text));
            continue;
        }
        if let Some(next) = element(pattern, at_pattern, text[at_text], case, &mut step) {
            at_pattern = next;
            at_text += 1;
        } else if let Some((behind_star, start)) = retry {
            at_pattern = behind_star;
            at_text = start + 1;
            retry = Some((behind_star, at_text));
        } else {
            return false;
        }
    }
    pattern[at_pattern..].iter().all(|&byte| byte == b'*')
}

/// Matches one byte with the element of the pattern at `at`. Returns the place behind that element.
fn element(
    pattern: &[u8],
    at: usize,
    byte: u8,
    case: Case,
    step: &mut impl FnMut(),
) -> Option<usize> {
    let (literal, next) = match *pattern.get(at..)? {
        [] => return None,
        [b'?', ..] => return Some(at + 1),
        [b'[', ..] => {
            let (hit, next) = class(pattern, at + 1, byte, case, step);
            return hit.then_some(next);
        }
        [b'\\', escaped, ..] => (escaped, at + 2),
        [literal, ..] => (literal, at + 1),
    };
    (case.fold(literal) == case.fold(byte)).then_some(next)
}

/// Matches one byte with the character class whose first byte behind the `[` is at `at`.
fn class(
    pattern: &[u8],
    mut at: usize,
    byte: u8,
    case: Case,
    step: &mut impl FnMut(),
) -> (bool, usize) {
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut hit = false;
    loop {
        step();
        match pattern[at..] {
            [] => break,
            // An escaped byte is compared as it is, whatever `Case` says.
            [b'\\', escaped, ..] => {
                hit |= escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [first, b'-', last, ..] => {
                let range = case.fold(first.min(last))..=case.fold(first.max(last));
                hit |= range.contains(&case.fold(byte));
                at += 3;
            }
            [single, ..] => {
                hit |= case.fold(single) == case.fold(byte);
                at += 1;
            }
        }
    }
    (hit != negated, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    fn matches_case(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive, || ())
    }

    #[test]
    fn the_documented_examples() {
        for (pattern, yes, no) in [
            ("h?llo", "hxllo", "hllo"),
            ("h*llo", "heeeello", "heeeell"),
            ("h[ae]llo", "hallo", "hillo"),
            ("h[^e]llo", "hbllo", "hello"),
            ("h[a-b]llo", "hbllo", "hcllo"),
            ("h[b-a]llo", "hallo", "hcllo"),
            (r"h\*llo", "h*llo", "hello"),
            (r"[\]]", "]", "a"),
            ("a*b*c", "aXbXbc", "aXbXbd"),
            ("**a**", "bab", "bbb"),
            ("[^", "x", "xx"),
            ("a[bc", "ab", "ad"),
            (r"a\", r"a\", "a"),
        ] {
            assert!(matches_case(pattern, yes), "{pattern} {yes}");
            assert!(!matches_case(pattern, no), "{pattern} {no}");
        }
        assert!(matches_case("", ""));
        assert!(!matches_case("*", ""));
    }

    #[test]
    fn case_can_be_ignored() {
        let loose = |pattern: &[u8], text: &[u8]| matches(pattern, text, Case::Ignored, || ());
        assert!(loose(b"MaxM*", b"maxmemory"));
        assert!(loose(b"[A-C]X", b"bx"));
        assert!(!loose(b"[A-C]X", b"dx"));
    }

    #[test]
    fn hostile_pattern_is_quadratic_and_reports_steps() {
        let mut steps = 0_u64;
        let text = vec![b'a'; 500];
        let pattern: Vec<u8> = [b"*a".repeat(250).as_slice(), b"b"].concat();
        assert!(!matches(&pattern, &text, Case::Sensitive, || steps += 1));
        assert!(steps < 1_000_000, "{steps}");
    }

    /// The model: a pattern as a list of tokens, and a table of which prefixes match which prefixes.
    enum Token {
        Star,
        Set(Vec<u8>),
    }

    fn tokens(pattern: &[u8]) -> Vec<Token> {
        let mut out = vec![];
        let mut rest = pattern;
        while let [first, tail @ ..] = rest {
            rest = tail;
            out.push(match first {
                b'*' => Token::Star,
                b'?' => Token::Set((0..=255).collect()),
                b'[' => {
                    let negated = rest.first() == Some(&b'^');
                    rest = &rest[usize::from(negated)..];
                    let mut members = vec![];
                    loop {
                        match rest {
                            [] => break,
                            [b'\\', byte, tail @ ..] => {
                                members.push(*byte);
                                rest = tail;
                            }
                            [b']', tail @ ..] => {
                                rest = tail;
                                break;
                            }
                            [a, b'-', b, tail @ ..] => {
                                members.extend(*a.min(b)..=*a.max(b));
                                rest = tail;
                            }
                            [byte, tail @ ..] => {
                                members.push(*byte);
                                rest = tail;
                            }
                        }
                    }
                    Token::Set(
                        (0..=255)
                            .filter(|byte| members.contains(byte) != negated)
                            .collect(),
                    )
                }
                b'\\' if !rest.is_empty() => {
                    let byte = rest[0];
                    rest = &rest[1..];
                    Token::Set(vec![byte])
                }
                byte => Token::Set(vec![*byte]),
            });
        }
        out
    }

    fn model(pattern: &[u8], text: &[u8]) -> bool {
        if text.is_empty() {
            return pattern.is_empty();
        }
        let mut row: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
        for token in tokens(pattern) {
            row = match token {
                Token::Star => {
                    let first = row.iter().position(|&reached| reached);
                    (0..row.len())
                        .map(|at| first.is_some_and(|first| at >= first))
                        .collect()
                }
                Token::Set(members) => (0..row.len())
                    .map(|at| at > 0 && row[at - 1] && members.contains(&text[at - 1]))
                    .collect(),
            };
        }
        row[text.len()]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn agrees_with_the_model(pattern in r"[ab*?\[\]\\^c-]{0,12}", text in r"[ab\]\\^c*-]{0,8}") {
            prop_assert_eq!(matches_case(&pattern, &text), model(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
