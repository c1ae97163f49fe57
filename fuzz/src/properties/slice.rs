//! Every reader of a compute slice's control block gets bounded values in bounded work, although a computation out of
//! control may write between any two of its looks.
//!
//! An input is a sequence of acts: a monitor and ranks that write as they should, or anywhere; and a reader that looks
//! at everything.

use std::fmt::Write;

use arbitrary::{Result, Unstructured};
use compute_slice::{
    DeathCause, SLICE_CONTROL_BYTES, SliceArguments, SliceControl, SliceDeath, SliceEntry,
    SliceParameters, SliceState,
};
use sharedmem::MAX_CORES;
use sharedmem::log_ring::LOG_BYTES;

use crate::region::SliceMemory;

/// Length of the slice, in bytes.
const BYTES: u64 = 8 << 20;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    SliceMemory::with(|memory| {
        let mut input = Unstructured::new(data);
        while !input.is_empty() && act(&mut input, memory).is_ok() {}
        look(memory.control);
    });
}

fn act(input: &mut Unstructured<'_>, memory: &SliceMemory) -> Result<()> {
    let control = memory.control;
    match input.arbitrary::<u8>()? % 10 {
        0..=2 => memory.scribble(input)?,
        3 | 4 => {
            let [ranks, generation] = input.arbitrary::<[u16; 2]>()?.map(u64::from);
            let it = SliceParameters {
                slice_bytes: BYTES,
                ranks: ranks % 600,
                generation,
                entry: *input.choose(&SliceEntry::ALL)?,
                data_start: u64::from(input.arbitrary::<u16>()?) * 2048,
                tsc_hz: input.arbitrary()?,
                tsc_at_boot: 0,
            };
            let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
            let arguments = String::from_utf8_lossy(input.bytes(length)?);
            if control.prepare(&it, "slice", &arguments).is_ok() {
                assert_eq!(control.check(BYTES), Ok(it));
                assert_eq!(control.hand_off.arguments.get().as_str(), arguments);
            }
        }
        5 => {
            let rank = &control.progress[usize::from(input.arbitrary::<u16>()?) % MAX_CORES];
            let step = input.arbitrary::<u64>()? >> 16;
            rank.begin_step(step);
            rank.commit(step);
            assert_eq!(rank.committed(), Some(step));
        }
        6 => {
            control.status.run(input.arbitrary()?, input.arbitrary()?);
            control.status.end(*input.choose(&SliceState::ALL)?);
            control.status.finish(input.arbitrary()?);
        }
        7 => {
            let [generation, rank, step] = input.arbitrary()?;
            let mut death = SliceDeath::new(DeathCause::Panic, generation, rank, step);
            let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
            let _ = death.write_str(&String::from_utf8_lossy(input.bytes(length)?));
            control.epitaph.write(&death);
        }
        8 => {
            let places: [([u64; 2], u64, &str); 3] = [
                (input.arbitrary()?, input.arbitrary()?, "x"),
                (input.arbitrary()?, input.arbitrary()?, "residual"),
                ([SLICE_CONTROL_BYTES; 2], 8, "y"),
            ];
            assert!(control.results.publish(places.into_iter()));
        }
        _ => look(control),
    }
    Ok(())
}

/// Reads everything.
fn look(control: &SliceControl) {
    for bytes in [0, SLICE_CONTROL_BYTES, BYTES, u64::MAX] {
        let Ok(parameters) = control.check(bytes) else {
            continue;
        };
        assert_eq!(parameters.check(bytes), Ok(()));
        assert!((SLICE_CONTROL_BYTES..bytes).contains(&parameters.data_start));
        assert_eq!(control.ranks(&parameters).len() as u64, parameters.ranks);
        let committed = control.committed_step(&parameters);
        assert!(committed.is_none_or(|step| step >> 48 == 0));
        for result in control.results.read(&parameters) {
            let inside = parameters.data_start..=bytes;
            for offset in result.offsets {
                assert!(inside.contains(&offset) && inside.contains(&(offset + result.bytes)));
            }
            let copied = result.copy_committed(control, &parameters, |offset| {
                assert!(result.offsets.contains(&offset));
            });
            assert_eq!(copied, committed);
        }
    }
    if let Some(death) = control.epitaph.read() {
        assert!(death.message().len() <= 256);
    }
    let status = &control.status;
    let is_finished = status.state() == Some(SliceState::Finished);
    assert!(status.exit_code().is_none() || is_finished);
    let _ = status.resumed();
    let arguments = control.hand_off.arguments.get();
    assert!(SliceArguments::fits(arguments.as_str()));
    let mut text = vec![0; 2 * LOG_BYTES];
    assert!(control.log.copy_from(0, &mut text).1 <= LOG_BYTES);
    assert!(control.log.copy_tail(&mut text) <= LOG_BYTES);
}
