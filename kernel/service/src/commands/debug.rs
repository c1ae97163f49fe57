//! `DEBUG`: injects faults, and fills the server. It has to be allowed at boot.

use super::Context;
use crate::host::{BrokenPart, DeathKind, DebugCommand, HangTarget};
use crate::store::{Bytes, Deadline, ENTRY_BYTES, Value, heap_bytes};
use key_commands::{Failure, Outcome, count, help, integer, is};
use resp::{Arguments, BULK_MAX_BYTES, Step};

const NOT_ALLOWED: Failure = Failure::Fixed(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it \
     from a local connection, otherwise you need to set this option in the configuration file, and then restart \
     the server.",
);

pub(super) fn debug(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if !context.limits.debug {
        return Err(NOT_ALLOWED);
    }
    let name = &arguments[1];
    if is(name, "help") && arguments.len() == 2 {
        return show_help(context);
    }
    if is(name, "populate") && (3..=5).contains(&arguments.len()) {
        return populate(context, &arguments.few()[2..]);
    }
    if is(name, "digest") && arguments.len() == 2 {
        let digest = context.keyspace.digest(&mut || context.out.step());
        context.out.status(&alloc::format!("{digest:040x}"));
        return Ok(());
    }
    let command = host_command(&arguments.few()[1..])?;
    context.out.host().debug(command);
    context.out.ok();
    Ok(())
}

/// Parses a subcommand that the kernel carries out.
fn host_command(words: &[Bytes]) -> Result<DebugCommand, Failure> {
    let Some((name, arguments)) = words.split_first() else {
        return Err(Failure::SYNTAX);
    };
    let command = match arguments {
        [] if is(name, "panic") => DebugCommand::Panic,
        [] if is(name, "hang") => DebugCommand::Hang(HangTarget::ThisCore),
        [] if is(name, "double-fault") => DebugCommand::DoubleFault,
        [] if is(name, "triple-fault") => DebugCommand::TripleFault,
        [] if is(name, "checkpoint") => DebugCommand::Checkpoint,
        [] if is(name, "promotion-panic") => DebugCommand::PromotionPanic,
        [] if is(name, "promotion-hang") => DebugCommand::PromotionHang,
        [] if is(name, "nmi") => DebugCommand::Nmi,
        [] if is(name, "poison") => DebugCommand::Poison,
        [] if is(name, "stack-overflow") => DebugCommand::StackOverflow,
        [] if is(name, "wild-write") => DebugCommand::WildWrite,
        [] if is(name, "corrupt-tail") => DebugCommand::CorruptTail,
        [] if is(name, "backup-panic") => DebugCommand::BackupPanic,
        [] if is(name, "backup-hang") => DebugCommand::BackupHang,
        [part] if is(name, "break") => DebugCommand::Break(broken_part(part)?),
        [target] if is(name, "hang") => DebugCommand::Hang(hang_target(target)?),
        [delay, end] if is(name, "die-in") => DebugCommand::DieIn {
            delay_ns: count(delay)? as u64,
            end: end_of(end)?,
        },
        [lines] if is(name, "log-flood") => DebugCommand::LogFlood {
            lines: count(lines)? as u64,
        },
        [records] if is(name, "journal-bench") => DebugCommand::JournalBench {
            records: count(records)? as u64,
        },
        [seconds] if is(name, "sleep") => DebugCommand::Sleep {
            duration_us: microseconds(seconds)?,
        },
        _ => {
            return Err(Failure::composed(&[
                b"ERR unknown subcommand or wrong number of arguments for '",
                &name[..name.len().min(128)],
                b"'. Try DEBUG HELP.",
            ]));
        }
    };
    Ok(command)
}

fn broken_part(word: &[u8]) -> Result<BrokenPart, Failure> {
    let mut names = BrokenPart::NAMES.iter();
    names
        .find_map(|(name, part)| is(word, name).then_some(*part))
        .ok_or(Failure::Fixed("ERR nothing of that name can be broken"))
}

fn end_of(word: &[u8]) -> Result<DeathKind, Failure> {
    let ends = [("panic", DeathKind::Panic), ("hang", DeathKind::Hang)];
    ends.into_iter()
        .find_map(|(name, end)| is(word, name).then_some(end))
        .ok_or(Failure::Fixed("ERR the end must be 'panic' or 'hang'"))
}

fn hang_target(target: &[u8]) -> Result<HangTarget, Failure> {
    if is(target, "all") {
        return Ok(HangTarget::AllCores);
    }
    if is(target, "vmx") {
        return Ok(HangTarget::AllCoresInVmx);
    }
    if is(target, "loop") {
        return Ok(HangTarget::MainLoop);
    }
    let core = integer(target)
        .ok()
        .and_then(|core| u32::try_from(core).ok());
    core.map(HangTarget::Core).ok_or(Failure::Fixed(
        "ERR hang target must be a core number, 'all', 'vmx' or 'loop'",
    ))
}

/// Parses a number of seconds, with or without decimals. Returns microseconds.
fn microseconds(seconds: &[u8]) -> Result<u64, Failure> {
    core::str::from_utf8(seconds)
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|seconds| (0.0..=1e9).contains(seconds))
        .map(|seconds| (seconds * 1e6) as u64)
        .ok_or(Failure::Fixed("ERR value is not a valid number of seconds"))
}

/// Runs `POPULATE count [prefix [size]]`: adds keys `prefix:0`, `prefix:1`, ... with values `value:0`, `value:1`,
/// ..., cut or filled with zero bytes to `size` if that is given and not 0. Existing keys keep their values.
fn populate(context: &mut Context<'_, '_>, arguments: &[Bytes]) -> Outcome {
    let keys = count(&arguments[0])?;
    let prefix = arguments.get(1).map_or(b"key".as_slice(), Bytes::as_slice);
    let size = match arguments.get(2) {
        None => 0,
        Some(size) => count(size)?,
    };
    if size > BULK_MAX_BYTES {
        return Err(Failure::STRING_TOO_LONG);
    }
    for number in 0..keys {
        context.out.step();
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        let mut key = Bytes::with_capacity(prefix.len() + 1 + digits.len());
        key.extend_from_slice(prefix);
        key.push(b':');
        key.extend_from_slice(digits);
        let place = context.keyspace.locate(&key);
        if place.slot.is_some() {
            continue;
        }
        let value_bytes = heap_bytes(size.max(b"value:".len() + digits.len()));
        context.room_for(ENTRY_BYTES + heap_bytes(key.len()) + value_bytes)?;
        let mut value = Bytes::with_capacity(size);
        value.extend_from_slice(b"value:");
        value.extend_from_slice(digits);
        if size != 0 {
            value.resize(size, 0);
        }
        context
            .keyspace
            .put(&place, key, Value::String(value), Deadline::Clear);
    }
    context.out.ok();
    Ok(())
}

fn show_help(context: &mut Context<'_, '_>) -> Outcome {
    help(
        context.out,
        "DEBUG",
        &[
            "BACKUP-HANG",
            "    Hang the waiting backup.",
            "BACKUP-PANIC",
            "    Make the waiting backup panic.",
            "BREAK <part>",
            "    Break a part without which nobody is served: bus-master, pci-memory, device-status,",
            "    receive-used, receive-behind, transmit-used, nic-page, notify-page, heap-page, gate,",
            "    service.",
            "CHECKPOINT",
            "    Keep nothing in the journal, so that the next checkpoint is written at once.",
            "CORRUPT-TAIL",
            "    Damage the last journal record, then panic.",
            "DIE-IN <nanoseconds> <PANIC|HANG>",
            "    Panic, or stop this core, this long after the command, whatever runs then.",
            "DIGEST",
            "    Output a hex signature representing the current DB content.",
            "DOUBLE-FAULT",
            "    Fault inside a fault handler.",
            "HANG [<core>|ALL|LOOP]",
            "    Stop this core, one core or all cores with interrupts off, or only the main loop.",
            "JOURNAL-BENCH <count>",
            "    Append and commit <count> records, and report the cost on the console.",
            "LOG-FLOOD <lines>",
            "    Write <lines> lines to the kernel's log, from six places in the code.",
            "NMI",
            "    Send an NMI to this core.",
            "PANIC",
            "    Make the kernel panic.",
            "POISON",
            "    Make the kernel panic, and every kernel that applies this command again.",
            "POPULATE <count> [<prefix>] [<size>]",
            "    Create <count> string keys named key:<num>. If <prefix> is specified then",
            "    it is used instead of the 'key' prefix.",
            "PROMOTION-HANG",
            "    Make the next kernel that is promoted hang.",
            "PROMOTION-PANIC",
            "    Make the next kernel that is promoted panic.",
            "SLEEP <seconds>",
            "    Stop the main loop for <seconds>. Decimals allowed.",
            "STACK-OVERFLOW",
            "    Run the stack into its guard page.",
            "TRIPLE-FAULT",
            "    Fault without a handler: the platform is reset.",
            "WILD-WRITE",
            "    Write into memory of another instance.",
        ],
    )
}
