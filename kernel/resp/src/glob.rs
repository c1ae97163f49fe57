//! Glob patterns as `KEYS`, `SCAN MATCH` and `CONFIG GET` know them.
//!
//! The language is that of Redis' `stringmatchlen`, corner cases included: an open `[` runs to the end of the pattern;
//! only the empty pattern matches the empty string. Redis' matcher tries again after each star, which takes time in
//! proportion to pattern times text, or worse. This one follows all ways at once, as a set of places in the pattern
//! that is kept in machine words (Baeza-Yates and Gonnet, "A new approach to text searching", 1992): the time is in
//! proportion to the text, for each 64 elements of the pattern. And a pattern has a limit, [`PATTERN_MAX_BYTES`].

use alloc::vec;
use alloc::vec::Vec;

use crate::Step;

/// Longest pattern, in bytes. Redis has no limit of this kind. At this length a byte of text takes 16 word operations.
pub const PATTERN_MAX_BYTES: usize = 1024;

/// Bytes of text for one step, if the pattern has at most 64 elements; the longer it is, the fewer.
pub const STEP_BYTES: usize = 64;

/// The pattern is longer than [`PATTERN_MAX_BYTES`].
#[derive(Debug, PartialEq, Eq)]
pub struct PatternTooLong;

/// Whether upper and lower case are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// They differ.
    Sensitive,
    /// They are the same, for ASCII letters.
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

/// A pattern that is ready to be matched with many texts.
///
/// Place `n` is the one behind the first `n` elements, stars not counted.
#[derive(Debug)]
pub struct Pattern {
    /// Words of a set of places.
    words: usize,
    /// Number of elements, which is the place that a match ends in.
    end: usize,
    /// For each byte, the places from which it leads to the next.
    accepts: Vec<u64>,
    /// The places at which there is a star: any byte leads back to them.
    stars: Vec<u64>,
    /// Whether the pattern has no byte at all.
    is_empty: bool,
}

impl Pattern {
    /// Reads a pattern, with a step for each byte: it takes some hundred operations.
    ///
    /// # Errors
    /// It is too long.
    pub fn new(pattern: &[u8], case: Case, steps: &mut impl Step) -> Result<Self, PatternTooLong> {
        if pattern.len() > PATTERN_MAX_BYTES {
            return Err(PatternTooLong);
        }
        let elements = pattern.len() + 1;
        let words = elements.div_ceil(64);
        let mut compiled = Self {
            words,
            end: 0,
            accepts: vec![0; 256 * words],
            stars: vec![0; words],
            is_empty: pattern.is_empty(),
        };
        let mut rest = pattern;
        while let [first, tail @ ..] = rest {
            rest = tail;
            steps.step();
            match (*first, tail) {
                (b'*', _) => compiled.stars[compiled.end / 64] |= 1 << (compiled.end % 64),
                (b'?', _) => compiled.element(|_| true),
                (b'[', _) => {
                    let (members, behind) = class(tail, case, steps);
                    rest = behind;
                    compiled.element(|byte| members[usize::from(byte)]);
                }
                (b'\\', [escaped, behind @ ..]) => {
                    rest = behind;
                    compiled.element(|byte| case.fold(*escaped) == case.fold(byte));
                }
                (literal, _) => compiled.element(|byte| case.fold(literal) == case.fold(byte)),
            }
        }
        Ok(compiled)
    }

    /// Returns whether all of `text` matches.
    pub fn matches(&self, text: &[u8], steps: &mut impl Step) -> bool {
        if text.is_empty() {
            return self.is_empty;
        }
        // The set of places that the text so far leads to.
        let mut places = [0_u64; PATTERN_MAX_BYTES / 64 + 1];
        places[0] = 1;
        for piece in text.chunks((STEP_BYTES / self.words).max(1)) {
            steps.step();
            for &byte in piece {
                let accepts = &self.accepts[usize::from(byte) * self.words..][..self.words];
                let (mut carry, mut any) = (0, 0);
                for ((place, accept), star) in places.iter_mut().zip(accepts).zip(&self.stars) {
                    let moved = *place & accept;
                    *place = *place & star | moved << 1 | carry;
                    carry = moved >> 63;
                    any |= *place;
                }
                if any == 0 {
                    return false;
                }
            }
        }
        places[self.end / 64] >> (self.end % 64) & 1 == 1
    }

    /// Appends an element, which matches the bytes that `is_member` says.
    fn element(&mut self, is_member: impl Fn(u8) -> bool) {
        for byte in 0..=u8::MAX {
            let place = &mut self.accepts[usize::from(byte) * self.words + self.end / 64];
            *place |= u64::from(is_member(byte)) << (self.end % 64);
        }
        self.end += 1;
    }
}

/// Reads a character class, behind its `[`. Returns its members, and what follows it.
fn class<'p>(pattern: &'p [u8], case: Case, steps: &mut impl Step) -> ([bool; 256], &'p [u8]) {
    let (is_negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut members = [false; 256];
    let mut add = |is_member: &dyn Fn(u8) -> bool| {
        for byte in 0..=u8::MAX {
            members[usize::from(byte)] |= is_member(byte);
        }
    };
    loop {
        steps.step();
        match *rest {
            [] => break,
            [b'\\', escaped, ref behind @ ..] => {
                // An escaped byte is compared as it is, whatever `Case` says.
                add(&|byte| escaped == byte);
                rest = behind;
            }
            [b']', ref behind @ ..] => {
                rest = behind;
                break;
            }
            [first, b'-', last, ref behind @ ..] => {
                let range = case.fold(first.min(last))..=case.fold(first.max(last));
                add(&|byte| range.contains(&case.fold(byte)));
                rest = behind;
            }
            [single, ref behind @ ..] => {
                add(&|byte| case.fold(single) == case.fold(byte));
                rest = behind;
            }
        }
    }
    (members.map(|is_member| is_member != is_negated), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    struct Steps(usize);

    impl Step for Steps {
        fn step(&mut self) {
            self.0 += 1;
        }
    }

    fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
        let pattern =
            Pattern::new(pattern, case, &mut Steps(0)).expect("a pattern within the limit");
        pattern.matches(text, &mut Steps(0))
    }

    fn matches_case(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive)
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
        let loose = |pattern: &[u8], text: &[u8]| matches(pattern, text, Case::Ignored);
        assert!(loose(b"MaxM*", b"maxmemory"));
        assert!(loose(b"[A-C]X", b"bx"));
        assert!(!loose(b"[A-C]X", b"dx"));
    }

    #[test]
    fn a_hostile_pattern_takes_time_in_proportion_to_the_text() {
        let text = vec![b'a'; 1 << 20];
        for (elements, steps_max) in [(60, (1 << 20) / 64), (500, 9 * (1 << 20) / 64)] {
            let pattern = [b"*a".repeat(elements / 2).as_slice(), b"b"].concat();
            let pattern = Pattern::new(&pattern, Case::Sensitive, &mut Steps(0)).unwrap();
            let mut steps = Steps(0);
            assert!(!pattern.matches(&text, &mut steps));
            assert!(
                (text.len() / 64..=steps_max).contains(&steps.0),
                "{}",
                steps.0
            );
        }
    }

    #[test]
    fn a_pattern_has_a_limit() {
        let longest = vec![b'?'; PATTERN_MAX_BYTES];
        assert!(matches(
            &longest,
            &vec![b'x'; PATTERN_MAX_BYTES],
            Case::Sensitive
        ));
        assert!(!matches(
            &longest,
            &vec![b'x'; PATTERN_MAX_BYTES + 1],
            Case::Sensitive
        ));
        let longer = vec![b'?'; PATTERN_MAX_BYTES + 1];
        assert_eq!(
            Pattern::new(&longer, Case::Sensitive, &mut Steps(0)).err(),
            Some(PatternTooLong)
        );
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

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
        /// Compares them with sets of places of more than one word.
        #[test]
        fn agrees_with_the_model_when_it_is_long(
            pattern in r"([ab?]{20,70}[*]){1,4}[ab?]{0,70}", text in r"[ab]{60,400}",
        ) {
            let loose = pattern.replace('a', "?");
            for pattern in [pattern.as_str(), loose.as_str()] {
                prop_assert_eq!(matches_case(pattern, &text), model(pattern.as_bytes(), text.as_bytes()));
            }
        }
    }
}
