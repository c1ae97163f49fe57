//! Words of shared memory that one kernel alone writes, overwritten from outside by the emulator's debugger port.

use sharedmem::epitaph::EpitaphCause;
use sharedmem::event::{EpitaphFound, Takeover, WordRestored};

use super::survival::WRITES;
use crate::campaigns::rearm;
use crate::suite::{Test, TestContext, Verdict, audit};
use debugger::{Debugger, Region};
use harness::client::IMPATIENT;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require_equal};
use harness::writer::KeyWriter;

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new(
        "own-words",
        "a primary whose cursor was overwritten writes it back and dies; its successor writes its own back and serves \
         on; the backup writes its own back",
        rearm::OPTIONS,
        own_words,
    )]
}

fn own_words(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, context.time_left())?;
    // No record can end there.
    overwrite(&machine, Region::RESERVED, |word| word + 4)?;
    machine.wait_first_reply(2)?;
    let epitaph: EpitaphFound = machine.wait_event()?;
    let cause = Some(EpitaphCause::MemoryChanged);
    require_equal("the epitaph's cause", epitaph.cause, cause)?;
    writer.wait_more(WRITES, context.time_left())?;
    rearm::wait_protected(&machine, port)?;
    // Within a minute of its predecessor's death, the next primary does not die of the same.
    for (offset, name) in [(Region::RETAINED, "retained"), (Region::SUSPECT, "suspect")] {
        overwrite(&machine, offset, |word| word ^ (64 | 2))?;
        machine.wait_event_where(|it: &WordRestored| it.word.as_str() == name)?;
        writer.wait_more(WRITES, context.time_left())?;
    }
    // The ring seems full, until the backup says again what it has read.
    overwrite(&machine, Region::CONSUMED, |_| 0)?;
    writer.wait_more(WRITES, context.time_left())?;
    rearm::wait_protected(&machine, port)?;
    audit(port, &writer.finish()?)?;
    let takeovers = machine.console().events::<Takeover>().len();
    require_equal("number of takeovers", takeovers, 1)?;
    machine.closing_word()
}

fn overwrite(machine: &QemuMachine, offset: u64, change: fn(u64) -> u64) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let region = Region::find(&mut debugger)?;
    let word = region.word(&mut debugger, offset)?;
    region.set(&mut debugger, offset, change(word))
}
