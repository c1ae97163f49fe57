//! `DEBUG`: faults that reach the host, and the filling of the server.

mod common;

use common::{Bench, CLIENT};
use service::{DeathKind, DebugCommand, HangTarget, ServiceLimits};
use std::collections::BTreeSet;

#[test]
fn is_refused_unless_allowed() {
    let mut bench = Bench::new(ServiceLimits::default());
    assert!(
        bench
            .send("DEBUG PANIC")
            .starts_with("-ERR DEBUG command not allowed. If")
    );
    assert!(bench.host.debugged.is_empty());
}

#[test]
fn every_fault_reaches_the_host() {
    let mut bench = Bench::with_debug();
    let cases = [
        ("panic", DebugCommand::Panic),
        ("HANG", DebugCommand::Hang(HangTarget::ThisCore)),
        ("HANG 3", DebugCommand::Hang(HangTarget::Core(3))),
        ("hang all", DebugCommand::Hang(HangTarget::AllCores)),
        ("hang vmx", DebugCommand::Hang(HangTarget::AllCoresInVmx)),
        ("HANG LOOP", DebugCommand::Hang(HangTarget::MainLoop)),
        ("DOUBLE-FAULT", DebugCommand::DoubleFault),
        ("PROMOTION-HANG", DebugCommand::PromotionHang),
        ("PROMOTION-PANIC", DebugCommand::PromotionPanic),
        ("CHECKPOINT", DebugCommand::Checkpoint),
        ("POISON", DebugCommand::Poison),
        ("TRIPLE-FAULT", DebugCommand::TripleFault),
        ("STACK-OVERFLOW", DebugCommand::StackOverflow),
        ("WILD-WRITE", DebugCommand::WildWrite),
        ("CORRUPT-TAIL", DebugCommand::CorruptTail),
        ("BACKUP-PANIC", DebugCommand::BackupPanic),
        ("BACKUP-HANG", DebugCommand::BackupHang),
        (
            "DIE-IN 1500 panic",
            DebugCommand::DieIn {
                delay_ns: 1500,
                end: DeathKind::Panic,
            },
        ),
        (
            "DIE-IN 0 HANG",
            DebugCommand::DieIn {
                delay_ns: 0,
                end: DeathKind::Hang,
            },
        ),
        (
            "JOURNAL-BENCH 100",
            DebugCommand::JournalBench { records: 100 },
        ),
        ("LOG-FLOOD 1000", DebugCommand::LogFlood { lines: 1000 }),
        (
            "SLEEP 0.25",
            DebugCommand::Sleep {
                duration_us: 250_000,
            },
        ),
    ];
    for (name, part) in service::BrokenPart::NAMES {
        bench.host.debugged.clear();
        assert_eq!(bench.send(&format!("DEBUG BREAK {name}")), "+OK\r\n");
        assert_eq!(bench.host.debugged, [(DebugCommand::Break(*part), 0)]);
    }
    for (line, command) in cases {
        bench.host.debugged.clear();
        assert_eq!(bench.send(&format!("DEBUG {line}")), "+OK\r\n", "{line}");
        assert_eq!(bench.host.debugged, [(command, 0)]);
    }
    bench.host.debugged.clear();
    for line in [
        "HANG me",
        "BREAK",
        "BREAK nothing",
        "HANG -1",
        "HANG 1 2",
        "DIE-IN 5",
        "DIE-IN -5 HANG",
        "DIE-IN 5 SLEEP",
        "SLEEP -1",
        "SLEEP nan",
        "SLEEP",
        "JOURNAL-BENCH x",
        "LOG-FLOOD -1",
        "NOSUCH",
        "PANIC now",
    ] {
        assert!(
            bench.send(&format!("DEBUG {line}")).starts_with("-ERR "),
            "{line}"
        );
    }
    assert!(bench.host.debugged.is_empty());
    assert_eq!(
        bench.send("DEBUG NOSUCH"),
        "-ERR unknown subcommand or wrong number of arguments for 'NOSUCH'. Try DEBUG HELP.\r\n"
    );
}

#[test]
fn earlier_replies_go_out_before_the_fault() {
    let mut bench = Bench::with_debug();
    let reply = bench.raw(CLIENT, b"PING\r\nDEBUG PANIC\r\nPING\r\n");
    assert_eq!(reply, b"+PONG\r\n+OK\r\n+PONG\r\n");
    assert_eq!(
        bench.host.debugged,
        [(DebugCommand::Panic, b"+PONG\r\n".len())]
    );
}

#[test]
fn populate_fills_as_redis_does() {
    let mut bench = Bench::with_debug();
    bench.send("SET key:1 mine");
    assert_eq!(bench.send("DEBUG POPULATE 3"), "+OK\r\n");
    assert_eq!(
        bench.send("MGET key:0 key:1 key:2 key:3"),
        "*4\r\n$7\r\nvalue:0\r\n$4\r\nmine\r\n$7\r\nvalue:2\r\n$-1\r\n"
    );
    bench.send("DEBUG POPULATE 2 p 10");
    assert_eq!(bench.send("GET p:1"), "$10\r\nvalue:1\0\0\0\r\n");
    bench.send("DEBUG POPULATE 2 q 3");
    assert_eq!(bench.send("GET q:1"), "$3\r\nval\r\n");
    assert_eq!(
        bench.send("DEBUG POPULATE -1"),
        "-ERR value is out of range, must be positive\r\n"
    );
}

#[test]
fn digest_tells_states_apart() {
    let mut bench = Bench::with_debug();
    let mut digests = BTreeSet::new();
    for line in [
        "PING",
        "SET a 1",
        "SET a 2",
        "EXPIRE a 10",
        "EXPIRE a 11",
        "DEL a",
        "RPUSH a 2",
        "LPUSH a 1",
        "RPUSH a 3",
    ] {
        bench.send(line);
        digests.insert(bench.send("DEBUG DIGEST"));
    }
    // The keyspace is empty at the beginning, and again after the deletion.
    assert_eq!(digests.len(), 8);
}
