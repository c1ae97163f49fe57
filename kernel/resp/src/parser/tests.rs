//! Tests of the parser.

use super::*;

const LIMITS: RequestLimits = RequestLimits {
    request_bytes: usize::MAX,
    is_authenticated: true,
};

struct NoSteps;

impl Step for NoSteps {
    fn step(&mut self) {}
}

/// Returns whether the state of a parser that was fed `stream` can be restored after `spoil`.
fn is_restored(stream: &[u8], spoil: impl FnOnce(&mut ParserProgress, &mut Vec<u8>)) -> bool {
    let mut parser = Parser::default();
    let found = parser.next(&mut &stream[..], &LIMITS, &mut NoSteps);
    assert_eq!(found, Ok(Found::NeedMore));
    let (mut progress, mut line) = (parser.progress(), parser.line().to_vec());
    spoil(&mut progress, &mut line);
    Parser::restored(progress, line, parser.arguments).is_some()
}

#[test]
fn a_state_that_a_stream_leads_to_is_restored_wherever_it_is_cut() {
    let stream =
        b"\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$40\r\nabcdefghijklmnopqrstuvwxyz0123456789abcd\r";
    for end in 0..=stream.len() {
        assert!(is_restored(&stream[..end], |_, _| ()), "{end}");
    }
    assert!(is_restored(b"SET a", |_, _| ()));
}

#[test]
fn a_state_that_no_stream_leads_to_is_not_restored() {
    let stream = b"*2\r\n$3\r\nGET\r\n$5\r\nab";
    assert!(!is_restored(stream, |it, _| it.remaining = 0));
    assert!(!is_restored(stream, |it, _| it.remaining = usize::MAX));
    assert!(!is_restored(stream, |it, _| it.request_bytes += 1));
    assert!(!is_restored(stream, |it, _| it.request_bytes = 0));
    assert!(!is_restored(stream, |it, _| it.state = State::Start));
    assert!(!is_restored(stream, |_, line| line.push(b'$')));
    for missing in [2, BULK_MAX_BYTES + 1, usize::MAX] {
        let state = State::Argument { missing };
        assert!(!is_restored(stream, |it, _| it.state = state));
    }
    let end = b"*2\r\n$3\r\nGET\r";
    for skip in [0, 3] {
        let state = State::ArgumentEnd { skip };
        assert!(!is_restored(end, |it, _| it.state = state));
    }
    assert!(!is_restored(b"*1", |_, line| line.clear()));
    assert!(!is_restored(b"PING", |it, _| it.remaining = 1));
    assert!(!is_restored(b"", |it, _| it.state = State::Length));
}
