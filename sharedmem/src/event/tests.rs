//! Every event that is written can be read back, and no part of a line can be read.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::arbitrary::{Arbitrary, any};
use proptest::collection::{btree_set, vec};
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::Instance;
use crate::hand_off::PhysicalRange;
use crate::timeline::Edge;

/// Characters of which lines are made, and a few that need escapes or more than one byte.
const SPECIAL: [char; 16] = [
    '"', '\\', '\'', '=', ';', ' ', '\n', '\r', '\t', '\0', '\x1b', 'ä', '\u{301}', '\u{2028}',
    '木', '😀',
];

impl<const BYTES: usize> Arbitrary for Text<BYTES> {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let piece = prop_oneof![
            select(&SPECIAL[..]).prop_map(String::from),
            any::<char>().prop_map(String::from),
            any::<String>(),
            Just(" ;".into()),
            Just("event=serving ".into()),
        ];
        let pieces = prop_oneof![vec(piece.clone(), 0..4), vec(piece, 0..40)];
        pieces.prop_map(|pieces| Self::of(pieces.concat())).boxed()
    }
}

impl Arbitrary for Hex {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        any::<u64>().prop_map(Self).boxed()
    }
}

impl Arbitrary for PhysicalRange {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        any::<(u64, u64)>()
            .prop_map(|(start, end)| Self { start, end })
            .boxed()
    }
}

impl Arbitrary for CoreList {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        btree_set(0u32..700, 0..300)
            .prop_map(Self::from_iter)
            .boxed()
    }
}

impl Arbitrary for List {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        vec(any::<u32>(), 0..40).prop_map(Self::from_iter).boxed()
    }
}

/// Checks, for events of type `E` with any values, that the line reads back, that it fits, and that no part of it can
/// be read.
pub(super) fn check_round_trip<E>()
where
    E: Event + Arbitrary + PartialEq,
{
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let checked = TestRunner::new(config).run(&any::<E>(), |event| {
        let line = event.to_string();
        assert_eq!(E::parse(&line).as_ref(), Ok(&event), "{line}");
        assert_eq!(check(&line), Ok(()), "{line}");
        assert!(line.len() <= E::SPEC.line_bytes_max(), "{line}");
        assert!(!line.contains(['\n', '\r']), "{line}");
        for (end, _) in line.char_indices() {
            let part = E::parse(&line[..end]);
            assert!(part.is_err(), "{} is {part:?}", &line[..end]);
        }
        for twice in [
            format!("{line}{line}"),
            format!("{line} ;"),
            format!("{line} x=1 ;"),
        ] {
            assert!(E::parse(&twice).is_err(), "{twice}");
        }
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn every_event_reads_back_and_no_part_of_it_does() {
    table::check_round_trips();
}

#[test]
fn every_line_fits_into_the_log() {
    for spec in all() {
        assert!(
            spec.line_bytes_max() <= LINE_BYTES_MAX,
            "{}: {}",
            spec.name,
            spec.line_bytes_max()
        );
    }
}

#[test]
fn names_and_keys_are_unique_and_plain() {
    let is_plain = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    let mut names: Vec<&str> = all().map(|spec| spec.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for spec in all() {
        let mut keys: Vec<&str> = spec.fields.iter().map(|field| field.key).collect();
        assert!(
            is_plain(spec.name) && keys.iter().all(|key| is_plain(key)),
            "{}",
            spec.name
        );
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), spec.fields.len(), "{}", spec.name);
    }
}

#[test]
fn a_text_is_quoted_where_it_must_be() {
    let line = |text: &str| {
        Exec {
            command: text.into(),
        }
        .to_string()
    };
    assert_eq!(line("PING"), "event=exec command=PING ;");
    assert_eq!(line(""), "event=exec command=\"\" ;");
    assert_eq!(
        line("don't\n\"stop\" \\;"),
        r#"event=exec command="don't\n\"stop\" \\;" ;"#
    );
    assert_eq!(line("größer\u{7}"), "event=exec command=\"größer\\u{7}\" ;");
}

#[test]
fn a_text_that_is_too_long_says_so() {
    let long = Text::<16>::of("0123456789abcdef0");
    assert_eq!(long.as_str(), "0123456789abc...");
    assert_eq!(
        Text::<16>::of("0123456789abcdef").as_str(),
        "0123456789abcdef"
    );
    // The length in the line counts, not the length of the text.
    assert_eq!(Text::<16>::of("\n".repeat(9)).as_str(), "\n\n\n\n\n\n...");
    assert_eq!(Text::<16>::of("\u{7}".repeat(9)).as_str(), "\u{7}\u{7}...");
}

#[test]
fn other_lines_are_told_apart() {
    type Error = ParseError;
    for (line, error) in [
        ("the primary of epoch 2 is up", Error::NoEvent),
        ("no event=first-reply epoch=2 at_ns=3 ;", Error::NoEvent),
        ("event=first-replies epoch=2 at_ns=3 ;", Error::OtherEvent),
        ("event=first epoch=2 at_ns=3 ;", Error::OtherEvent),
        ("event=first-reply", Error::Cut),
        ("event=first-reply epoch=2 at_ns=3", Error::Cut),
        ("event=first-reply epoch=2 at_ns=3;", Error::Cut),
        ("event=first-reply epoch=2 ;", Error::Missing("at_ns")),
        (
            "event=first-reply at_ns=3 epoch=2 ;",
            Error::Missing("epoch"),
        ),
        (
            "event=first-reply epoch=two at_ns=3 ;",
            Error::BadValue("epoch"),
        ),
        (
            "event=first-reply epoch=+2 at_ns=3 ;",
            Error::BadValue("epoch"),
        ),
        (
            "event=first-reply epoch= at_ns=3 ;",
            Error::BadValue("epoch"),
        ),
        (
            "event=first-reply epoch=\"2\" at_ns=3 ;",
            Error::BadValue("epoch"),
        ),
        ("event=first-reply epoch=2 at_ns=3 more=1 ;", Error::Excess),
        ("event=first-reply epoch=2 at_ns=3 word ;", Error::Excess),
    ] {
        assert_eq!(FirstReply::parse(line), Err(error), "{line}");
    }
    for other_form in [
        "event=first-reply epoch=02 at_ns=3 ;",
        "event=exec command=\"PING\" ;",
        "event=exec command=\"\\u{20}\" ;",
        "event=epitaph instance=a core=0 vector=0 error_code=0x00 address=0x0 rip=0x0 rsp=0x0 at_ns=0 message=x ;",
    ] {
        assert_eq!(check(other_form), Err(Error::OtherForm), "{other_form}");
    }
    assert_eq!(check("event=nothing ;"), Err(Error::OtherEvent));
    assert_eq!(
        Exec::parse(r#"event=exec command="\x" ;"#),
        Err(Error::BadValue("command"))
    );
    assert_eq!(
        Exec::parse(r#"event=exec command="\u{110000}" ;"#),
        Err(Error::BadValue("command"))
    );
}

#[test]
fn a_field_that_may_be_missing_is_left_out() {
    let native = Arming {
        instance: Instance::B,
        core: None,
        heap_bytes: Some(4096),
    };
    assert_eq!(
        native.to_string(),
        "event=arming instance=b heap_bytes=4096 ;"
    );
    let linux = Arming::parse("event=arming instance=a core=3 ;").unwrap();
    assert_eq!((linux.core, linux.heap_bytes), (Some(3), None));
    assert_eq!(
        Arming::parse("event=arming instance=c ;"),
        Err(ParseError::BadValue("instance"))
    );
}

#[test]
fn a_list_has_commas() {
    let line = FenceRefused {
        cores: [2_u32, 5].into_iter().collect(),
    }
    .to_string();
    assert_eq!(line, "event=fence-refused cores=2,5 ;");
    let cores: Vec<u32> = FenceRefused::parse(&line).unwrap().cores.iter().collect();
    assert_eq!(cores, [2, 5]);
    assert_eq!(
        FenceRefused {
            cores: CoreList::default()
        }
        .to_string(),
        "event=fence-refused cores=none ;"
    );
    for cores in ["", "2,", ",2", "2,,5", "none,2"] {
        assert!(
            FenceRefused::parse(&format!("event=fence-refused cores={cores} ;")).is_err(),
            "{cores}"
        );
    }
}

#[test]
fn a_takeover_has_a_field_for_each_edge_that_was_reached() {
    let mut takeover = Takeover {
        epoch: 2,
        cause: None,
        core: None,
        counters: Counters::default(),
        records: 1,
        findings: 0,
        fault_ns: 0,
        edges: EdgeTimes::default(),
    };
    let head = "event=takeover epoch=2 fence_rounds=0 cores_left=0 records=1 findings=0 fault_ns=0";
    assert_eq!(takeover.to_string(), format!("{head} ;"));
    for edge in Edge::ALL {
        takeover.edges.set(edge, Some(7));
    }
    let keys = Edge::ALL.map(|edge| format!(" {}_ns=7", edge.name().replace('-', "_")));
    assert_eq!(takeover.to_string(), format!("{head}{} ;", keys.concat()));
    assert_eq!(Takeover::parse(&takeover.to_string()), Ok(takeover));
}
