//! What a monitor, a computation and a reader see of each other in a control block.

use core::fmt::Write;
use core::mem::offset_of;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use super::*;
use sharedmem::layout::Layout;

const BYTES: u64 = 64 << 20;

fn parameters() -> SliceParameters {
    SliceParameters {
        slice_bytes: BYTES,
        ranks: 3,
        generation: 1,
        entry: SliceEntry::Fresh,
        data_start: 4 << 20,
        tsc_hz: 1_000_000_000,
        tsc_at_boot: 17,
    }
}

/// Returns an empty control block.
#[inline(never)]
fn empty() -> Box<SliceControl> {
    Box::default()
}

fn prepared() -> Box<SliceControl> {
    let control = empty();
    control
        .prepare(&parameters(), "sim", "cg n=32 steps=50")
        .unwrap();
    control
}

fn assert_whole<T: Layout>() {
    let end = T::FIELDS.iter().fold(0, |end, field| {
        assert_eq!(field.offset_bytes, end, "{}.{}", T::NAME, field.name);
        end + field.size_bytes
    });
    assert_eq!(end, size_of::<T>(), "{}", T::NAME);
}

#[test]
fn no_field_is_forgotten_and_none_is_told_twice() {
    assert_whole::<SliceHandOff>();
    assert_whole::<SliceStatus>();
    assert_whole::<RankProgress>();
    assert_whole::<SliceEpitaph>();
    assert_whole::<ResultTable>();
}

#[test]
fn what_was_prepared_is_read() {
    let control = empty();
    assert_eq!(control.check(BYTES), Err(SliceError::Magic(0)));
    let control = prepared();
    assert_eq!(control.check(BYTES), Ok(parameters()));
    assert_eq!(control.entered(), Ok(parameters()));
    assert_eq!(control.hand_off.name.get().as_str(), "sim");
    let arguments = control.hand_off.arguments.get();
    assert_eq!(arguments.as_str(), "cg n=32 steps=50");
    assert_eq!(control.status.state(), Some(SliceState::Prepared));
    assert_eq!(control.ranks(&parameters()).len(), 3);
}

#[test]
fn what_cannot_be_true_is_refused_by_its_name() {
    let wrong = |change: fn(&mut SliceParameters)| {
        let mut it = parameters();
        change(&mut it);
        prepared().prepare(&it, "sim", "")
    };
    assert_eq!(wrong(|it| it.ranks = 0), Err(SliceError::Ranks(0)));
    assert_eq!(
        wrong(|it| it.ranks = 1 << 40),
        Err(SliceError::Ranks(1 << 40))
    );
    for start in [
        0,
        SLICE_CONTROL_BYTES - 4096,
        (4 << 20) + 8,
        BYTES,
        u64::MAX,
    ] {
        let mut it = parameters();
        it.data_start = start;
        assert_eq!(
            prepared().prepare(&it, "sim", ""),
            Err(SliceError::Data(start))
        );
    }
    assert_eq!(
        wrong(|it| it.generation = 0),
        Err(SliceError::Generation(0))
    );
    let control = prepared();
    assert_eq!(control.check(BYTES / 2), Err(SliceError::Bytes(BYTES)));
    for text in ["é", &"x".repeat(SliceArguments::BYTES + 1)] {
        assert_eq!(
            control.prepare(&parameters(), "sim", text),
            Err(SliceError::Text)
        );
    }
    assert_eq!(
        control.check(BYTES),
        Ok(parameters()),
        "nothing was written"
    );
}

#[test]
fn an_entry_that_resumes_keeps_what_was_committed_and_a_fresh_one_does_not() {
    let control = prepared();
    for rank in control.ranks(&parameters()) {
        rank.begin_step(8);
        rank.commit(8);
    }
    let named = [([4 << 20, 5 << 20], 100, "x")];
    assert!(control.results.publish(named.iter().copied()));
    control.status.run(100, None);
    control.status.end(SliceState::Died);
    let death = SliceDeath::new(DeathCause::Panic, 1, 0, 9);
    assert!(control.epitaph.write(&death));
    let resume = SliceParameters {
        generation: 2,
        entry: SliceEntry::Resume,
        ..parameters()
    };
    control.prepare(&resume, "sim", "").unwrap();
    assert_eq!(control.epitaph.read(), None);
    assert_eq!(control.status.state(), Some(SliceState::Prepared));
    assert_eq!(control.committed_step(&resume), Some(8));
    let progress = control.progress[0].read();
    assert_eq!((progress.step, progress.heartbeat), (0, 0));
    assert_eq!(control.results.read(&resume).count(), 1);
    control.prepare(&parameters(), "sim", "").unwrap();
    assert_eq!(control.committed_step(&parameters()), None);
    assert_eq!(control.results.read(&parameters()).count(), 0);
}

#[test]
fn the_step_that_any_rank_has_committed_is_whole() {
    let of = |steps: &[Option<u64>]| committed_step(steps.iter().copied());
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[None, None]), None);
    assert_eq!(of(&[Some(0), None]), Some(0));
    assert_eq!(of(&[Some(7), Some(8), Some(7)]), Some(8));
    assert_eq!(
        of(&[Some(7), None, Some(7)]),
        Some(7),
        "one was overwritten"
    );
    assert_eq!(of(&[Some(7), Some(9)]), None, "they contradict each other");
}

#[test]
fn a_committed_word_that_was_overwritten_is_none() {
    let progress = RankProgress::default();
    assert_eq!(progress.committed(), None);
    for step in [0, 1, 2, 1 << 40, (1 << 48) - 1] {
        progress.commit(step);
        assert_eq!(progress.committed(), Some(step));
    }
    for word in [0, 1, 8, u64::MAX, 0x4141_4141_4141_4141] {
        progress.overwrite(word);
        assert_eq!(progress.committed(), None, "{word:#x}");
    }
}

#[test]
fn the_first_end_stays() {
    let control = prepared();
    assert_eq!(control.status.exit_code(), None);
    control.status.run(50, Some(0));
    assert_eq!(control.status.resumed(), Some(0));
    assert!(control.status.finish(3));
    assert!(!control.status.end(SliceState::Died));
    control.status.run(50, None);
    assert_eq!(control.status.state(), Some(SliceState::Finished));
    assert_eq!(control.status.exit_code(), Some(3));
    let early = prepared();
    assert!(early.status.end(SliceState::Failed), "before it ran");
}

#[test]
fn the_first_rank_to_die_is_the_one_that_is_remembered() {
    let control = prepared();
    let mut death = SliceDeath::new(DeathCause::Exception, 1, 2, 41);
    death.vector = 14;
    death.registers[14] = 0xdead;
    write!(death, "page fault at {:#x}", 0x1234).unwrap();
    assert!(control.epitaph.write(&death));
    assert!(
        !control
            .epitaph
            .write(&SliceDeath::new(DeathCause::Panic, 1, 0, 40))
    );
    let read = control.epitaph.read().unwrap();
    assert_eq!(read, death);
    assert_eq!(read.message(), "page fault at 0x1234");
    for _ in 0..100 {
        death.write_str("abcdefgh").unwrap();
    }
    assert_eq!(death.message().len(), 256);
}

#[test]
fn a_result_outside_of_the_data_is_not_mentioned() {
    let control = prepared();
    let (start, end) = (parameters().data_start, BYTES);
    let places = [
        ([start, end - 8], 8, "inside"),
        ([start - 1, start], 8, "before"),
        ([start, end - 7], 8, "behind"),
        ([u64::MAX, start], 8, "far behind"),
        ([start, start], u64::MAX, "long"),
    ];
    assert!(control.results.publish(places.iter().copied()));
    let read: Vec<SliceResult> = control.results.read(&parameters()).collect();
    assert_eq!(read.len(), 1);
    assert_eq!((read[0].name.as_str(), read[0].bytes), ("inside", 8));
    let many = [([start, start], 8, "many"); RESULTS_MAX + 1];
    assert!(!control.results.publish(many.iter().copied()));
    let long = String::from("x").repeat(ResultName::BYTES + 1);
    assert!(
        !control
            .results
            .publish([([start, start], 8, long.as_str())].into_iter())
    );
}

#[test]
fn a_copy_counts_only_if_the_step_is_still_the_last_one() {
    let control = prepared();
    let it = parameters();
    let place = [([it.data_start, it.data_start + 4096], 8, "x")];
    assert!(control.results.publish(place.iter().copied()));
    let result = control.results.read(&it).next().unwrap();
    assert_eq!(result.copy_committed(&control, &it, |_| ()), None);
    let commit = |step| control.ranks(&it).iter().for_each(|rank| rank.commit(step));
    commit(5);
    let mut from = 0;
    let copied = result.copy_committed(&control, &it, |offset| from = offset);
    assert_eq!((copied, from), (Some(5), it.data_start + 4096));
    assert_eq!(result.copy_committed(&control, &it, |_| commit(6)), None);
}

#[test]
fn every_part_is_where_the_document_says() {
    let offsets = [
        offset_of!(SliceControl, hand_off),
        offset_of!(SliceControl, status),
        offset_of!(SliceControl, epitaph),
        offset_of!(SliceControl, progress),
        offset_of!(SliceControl, results),
        offset_of!(SliceControl, log),
    ];
    let document = include_str!("../../../docs/shared-memory.md");
    for (offset, part) in offsets.iter().zip([
        "hand-off", "status", "epitaph", "progress", "results", "log",
    ]) {
        let row = std::format!("| `+{offset:#x}` | {part}");
        assert!(document.contains(&row), "{row}");
    }
    let revision = std::format!("**Slice revision {SLICE_REVISION}.**");
    assert!(document.contains(&revision));
}
