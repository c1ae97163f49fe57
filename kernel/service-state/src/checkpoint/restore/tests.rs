//! What a restorer refuses.

use super::super::Form;
use super::*;
use checkpoint::{Sequence, Writer};
use core::num::NonZeroU64;
use key_commands::Protocol;

/// No client of these tests has sent a command.
const NO_COMMANDS: Vocabulary = Vocabulary {
    name_of: |_| None,
    wait_of: |_, _| None,
};

/// Restores what `write` writes.
fn restored(write: impl FnOnce(&mut Writer<'_>)) -> Result<State, Malformed> {
    let (mut records, mut sequence) = (Vec::new(), Sequence::default());
    let mut sink = |payload: &[u8]| records.push(payload.to_vec());
    write(&mut Writer::new(1, &mut sequence, &mut sink));
    let mut restorer = StateRestorer::new(ServiceLimits::default(), NO_COMMANDS);
    let mut sequence = Sequence::default();
    for record in &records {
        restorer.restore(Items::of(record, &mut sequence)?.1, &mut || ())?;
    }
    restorer.finish()
}

fn value(form: Form, deadline_ms: u64, strings: &[&[u8]]) -> Result<State, Malformed> {
    let head = Head::Value {
        form,
        deadline_ms: NonZeroU64::new(deadline_ms),
        elements: strings.len() as u64,
    };
    restored(|writer| {
        writer.head(&head);
        writer.string(b"key");
        strings.iter().for_each(|string| writer.string(string));
    })
}

#[test]
fn a_value_that_no_command_makes_is_refused() {
    let missing = Malformed("the service's end is missing");
    let error = |form, deadline_ms, strings| value(form, deadline_ms, strings).err();
    assert_eq!(error(Form::List, COUNT_MAX, &[b"a"]), Some(missing));
    assert_ne!(error(Form::List, COUNT_MAX + 1, &[b"a"]), Some(missing));
    let is_spread = false;
    for form in [
        Form::List,
        Form::Set { is_spread },
        Form::Hash { is_spread },
    ] {
        assert_ne!(error(form, 0, &[]), Some(missing));
    }
    assert_ne!(error(Form::Hash { is_spread }, 0, &[b"f"]), Some(missing));
    assert_ne!(error(Form::String, 0, &[b"a", b"b"]), Some(missing));
}

fn server(now_ms: u64, commands_processed: u64, connections: u64) -> Head {
    Head::Server(Server {
        now_ms,
        expired: 0,
        blocked_began: 0,
        statistics: Statistics {
            commands_processed,
            ..Statistics::default()
        },
        failover: None,
        keys: 0,
        used_bytes: 0,
        connections,
        pending_bytes: 0,
    })
}

#[test]
fn times_and_counts_that_cannot_be_are_refused() {
    let mut status = Vec::new();
    HostStatus::default().encode(&mut status);
    let is_restored = |opened_ms, arguments, server: Head| {
        let client = Head::Connection(Client {
            connection: 1,
            peer: [0; 6],
            opened_ms,
            last_input_ms: 0,
            database: 0,
            protocol: Protocol::Resp2,
            no_evict: false,
            is_authenticated: true,
            progress: resp::Parser::default().progress(),
            arguments,
        });
        let result = restored(|writer| {
            writer.head(&client);
            (0..3).for_each(|_| writer.string(b""));
            writer.head(&server);
            writer.string(&status);
        });
        result.is_ok()
    };
    assert!(is_restored(5, 0, server(5, COUNT_MAX, 1)));
    assert!(!is_restored(5, u64::MAX, server(5, 0, 1)));
    assert!(!is_restored(6, 0, server(5, 0, 1)));
    assert!(!is_restored(0, 0, server(COUNT_MAX + 1, 0, 1)));
    assert!(!is_restored(0, 0, server(0, u64::MAX, 1)));
}
