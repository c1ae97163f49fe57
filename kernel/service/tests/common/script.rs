//! The format of a recorded session: what a client sent, and what Redis replied.
//!
//! | line | meaning |
//! |---|---|
//! | `# ...`, empty | comment |
//! | `> command` | sent as an inline command on the session's connection |
//! | `~ command` | the same, but the order of the reply's elements is free |
//! | `! command` | as `> command`, but its reply differs each time and is not recorded |
//! | `= bytes` | sent, escapes resolved, on a connection of its own; the reply is all that comes back |
//! | `sleep n` | `n` milliseconds pass |
//! | `< bytes` | the reply to the line before, with escapes |
//! | `< bytes (closed)` | the same, and the server ended the connection |

#![allow(dead_code)]

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Comment(String),
    Command { line: String, ordered: bool },
    Unrecorded(String),
    Raw(String),
    Sleep(u64),
    Reply(Answer),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub closed: bool,
}

const CLOSED: &str = " (closed)";

pub fn parse(text: &str) -> Vec<Step> {
    let step = |line: &str| match line.split_at_checked(2) {
        Some(("> ", rest)) => Step::Command {
            line: rest.into(),
            ordered: true,
        },
        Some(("~ ", rest)) => Step::Command {
            line: rest.into(),
            ordered: false,
        },
        Some(("! ", rest)) => Step::Unrecorded(rest.into()),
        Some(("= ", rest)) => Step::Raw(rest.into()),
        Some(("< ", rest)) => Step::Reply(Answer {
            bytes: unescape(rest.strip_suffix(CLOSED).unwrap_or(rest)),
            closed: rest.ends_with(CLOSED),
        }),
        _ => match line.strip_prefix("sleep ") {
            Some(time) => Step::Sleep(time.parse().expect("a number of milliseconds")),
            None => {
                assert!(
                    line.is_empty() || line.starts_with('#'),
                    "strange line: {line}"
                );
                Step::Comment(line.into())
            }
        },
    };
    text.lines().map(step).collect()
}

pub fn print(steps: &[Step]) -> String {
    let line = |step: &Step| match step {
        Step::Comment(text) => text.clone(),
        Step::Command { line, ordered } => format!("{} {line}", if *ordered { '>' } else { '~' }),
        Step::Unrecorded(line) => format!("! {line}"),
        Step::Raw(text) => format!("= {text}"),
        Step::Sleep(time) => format!("sleep {time}"),
        Step::Reply(answer) => {
            let closed = if answer.closed { CLOSED } else { "" };
            format!("< {}{closed}", escape(&answer.bytes))
        }
    };
    steps.iter().map(|step| line(step) + "\n").collect()
}

pub fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Reverses [`escape`], and replaces `\z{text}{count}` by `count` times `text`.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = vec![];
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match rest.next().expect("an escape") {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'x' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                out.push(u8::from_str_radix(&digits, 16).expect("two hex digits"));
            }
            b'z' => {
                let mut braced = || -> String {
                    assert_eq!(rest.next(), Some(b'{'));
                    rest.by_ref()
                        .take_while(|&byte| byte != b'}')
                        .map(char::from)
                        .collect()
                };
                let (text, count) = (braced(), braced());
                out.extend(text.repeat(count.parse().expect("a count")).bytes());
            }
            other => out.push(other),
        }
    }
    out
}
