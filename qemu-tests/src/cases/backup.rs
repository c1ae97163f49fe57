//! The backup's death never hurts the primary.

use std::thread;
use std::time::Duration;

use sharedmem::Instance;
use sharedmem::cause::BackupLoss;
use sharedmem::event::{self, Event};

use super::survival::WRITES;
use crate::campaigns::rearm;
use crate::suite::{Test, TestContext, Verdict, audit};
use debugger::{Debugger, Region};
use harness::client::{self, IMPATIENT, PATIENT};
use harness::problem::{Problem, require, require_equal};
use harness::writer::KeyWriter;

/// Values that are written while the backup hangs: four times the journal.
const VALUES: usize = 128;
const VALUE_BYTES: usize = 64 << 10;
/// Lines of a flood, how many floods there are, and the time between two.
const FLOOD_LINES: u64 = 10_000;
const FLOODS: u32 = 6;
const BETWEEN_FLOODS: Duration = Duration::from_millis(700);

pub(super) fn tests() -> Vec<Test> {
    [
        ("backup-panics", "DEBUG BACKUP-PANIC"),
        ("backup-hangs", "DEBUG BACKUP-HANG"),
    ]
    .map(|(name, command)| {
        Test::new(
            name,
            "the backup dies: the primary serves on, says that it is unprotected, and loses \
                             nothing",
            "debug=1",
            move |context| survive_backup(context, command),
        )
    })
    .into_iter()
    .chain([Test::new(
        "log-flood",
        "a flood of log lines leaves the reason in the log why there is no backup, and says what it left out",
        "debug=1 failover_rearm=manual",
        flood_log,
    )])
    .chain([Test::new(
        "journal-full",
        "the journal is full because the backup does not come round: the primary waits, goes on without it, and loses \
         nothing, also at the next death",
        "debug=1 failover_rearm=auto journal_mem=2M",
        fill_journal,
    )])
    .chain([Test::new(
        "backup-busy",
        "the primary dies while its backup is amid a long piece of work: that is found at once, not after the work",
        "debug=1",
        die_beside_busy_backup,
    )])
    .collect()
}

/// Lets the primary panic while its backup takes long: it hangs, so that it is given up after a second.
fn die_beside_busy_backup(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, context.time_left())?;
    client::ask::<String>(port, "DEBUG BACKUP-HANG")?;
    client::inject(port, "DEBUG PANIC")?;
    // Before the backup was given up, that is: a machine without a backup has none to begin.
    machine.wait_event::<event::TakeoverBegan>()?;
    let losses = machine.console().events::<event::BackupLost>().len();
    require_equal("backups lost before the takeover began", losses, 0)?;
    writer.wait_more(WRITES, context.time_left())?;
    audit(port, &writer.finish()?)?;
    machine.closing_word()
}

/// Writes several times what the journal has room for while the backup hangs.
fn fill_journal(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, context.time_left())?;
    client::ask::<String>(port, "DEBUG BACKUP-HANG")?;
    let value = "v".repeat(VALUE_BYTES);
    let mut client = client::connect(port, PATIENT)
        .map_err(|error| Problem::Failed(format!("a client cannot connect: {error}")))?;
    for number in 0..VALUES {
        client::run::<String>(&mut client, &format!("SET large-{number} {value}"))
            .map_err(|error| Problem::Failed(format!("write {number} is not answered: {error}")))?;
    }
    let lost: event::BackupLost = machine.wait_event()?;
    let expected = [BackupLoss::Hung, BackupLoss::Dropped];
    require(expected.contains(&lost.loss), || {
        format!("the backup was lost because {}", lost.loss)
    })?;
    writer.wait_more(WRITES, context.time_left())?;
    rearm::wait_protected(&machine, port)?;
    let takeovers = machine.console().events::<event::Takeover>().len();
    require_equal("takeovers before the death", takeovers, 0)?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_first_reply(2)?;
    for number in 0..VALUES {
        let length: usize = client::ask(port, &format!("STRLEN large-{number}"))?;
        require_equal("the length of a value", length, VALUE_BYTES)?;
    }
    audit(port, &writer.finish()?)?;
    machine.closing_word()
}

/// Loses the backup, and then lets the primary log so much that its ring turns several times.
fn flood_log(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    client::ask::<String>(port, "DEBUG BACKUP-PANIC")?;
    let reason = machine.wait_event::<event::Unprotected>()?;
    for _ in 0..FLOODS {
        client::ask::<String>(port, &format!("DEBUG LOG-FLOOD {FLOOD_LINES}"))?;
        thread::sleep(BETWEEN_FLOODS);
    }
    machine.wait_event_where::<event::LinesLeftOut>(|it| it.lines > FLOOD_LINES / 10)?;
    let mut debugger = Debugger::attach(&machine)?;
    let region = Region::find(&mut debugger)?;
    let log = region.log(&mut debugger, Some(Instance::A))?;
    drop(debugger);
    require(log.contains("earlier: "), || {
        "the ring has not turned".into()
    })?;
    require(log.contains(&reason.to_string()), || {
        "the reason is not in the ring any more".into()
    })?;
    require(!log.contains(event::Serving::SPEC.name), || {
        "what is no reason is still in the ring".into()
    })?;
    machine.closing_word()
}

fn survive_backup(context: &TestContext<'_>, command: &str) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, context.time_left())?;
    require_equal(
        "the answer",
        client::ask::<String>(port, command)?.as_str(),
        "OK",
    )?;
    let unprotected = machine.wait_logged::<event::Unprotected>()?;
    require_equal("who says so", unprotected.who.as_str(), "a")?;
    writer.wait_more(WRITES, context.time_left())?;
    audit(port, &writer.finish()?)?;
    require_equal(
        "number of takeovers",
        machine.console().events::<event::Takeover>().len(),
        0,
    )?;
    machine.closing_word()
}
