//! What a recorded session cannot show: time, chance, memory, and what is this server's own.

mod common;

use common::{Bench, CLIENT, request};
use service::{DebugCommand, HangTarget, HostStatus, Limits, Takeover};
use std::collections::BTreeSet;

mod expiry {
    use super::*;

    #[test]
    fn a_key_lives_up_to_and_with_its_deadline() {
        let mut bench = Bench::new(Limits::default());
        bench.send("SET a 1 PX 100");
        bench.pass(100);
        assert_eq!(bench.send("GET a"), "$1\r\n1\r\n");
        assert_eq!(bench.send("PTTL a"), ":0\r\n");
        bench.pass(1);
        assert_eq!(bench.send("GET a"), "$-1\r\n");
        assert_eq!(bench.service.key_count(), 0);
    }

    #[test]
    fn ticks_remove_what_nobody_looks_at() {
        let mut bench = Bench::new(Limits::default());
        let start_ms = bench.stamp.time_ms;
        assert_eq!(bench.service.next_expiry_ms(), None);
        bench.send("MSET b 1 keep 1");
        bench.send("SET a 1 PX 100");
        bench.send("PEXPIRE b 50");
        assert_eq!(bench.service.next_expiry_ms(), Some(start_ms + 51));
        bench.pass(50);
        bench.tick();
        assert_eq!(bench.service.key_count(), 3);
        bench.pass(1);
        bench.tick();
        assert_eq!(bench.service.key_count(), 2);
        assert_eq!(bench.service.next_expiry_ms(), Some(start_ms + 101));
        bench.send("PERSIST a");
        assert_eq!(bench.service.next_expiry_ms(), None);
    }

    #[test]
    fn one_tick_does_a_bounded_amount_of_work() {
        let mut bench = Bench::new(Limits::default());
        for number in 0..1000 {
            bench.send(&format!("SET key:{number} v PX 10"));
        }
        bench.pass(11);
        bench.tick();
        let left = bench.service.key_count();
        assert!((700..1000).contains(&left), "{left} keys left");
        assert!(bench.service.next_expiry_ms().unwrap() <= bench.stamp.time_ms);
        for _ in 0..10 {
            bench.tick();
        }
        assert_eq!(
            (bench.service.key_count(), bench.service.used_bytes()),
            (0, 0)
        );
    }

    #[test]
    fn a_clock_that_steps_back_stands_still() {
        let mut bench = Bench::new(Limits::default());
        bench.send("SET a 1 PX 100");
        bench.pass(60);
        bench.send("PING");
        bench.stamp.time_ms = 0;
        assert_eq!(bench.send("PTTL a"), ":40\r\n");
        bench.stamp.time_ms = u64::MAX;
        assert_eq!(bench.send("GET a"), "$-1\r\n");
        assert_eq!(
            bench.send("SET a 1 EX 1"),
            "-ERR invalid expire time in 'set' command\r\n"
        );
    }

    #[test]
    fn keys_that_are_over_are_not_listed() {
        let mut bench = Bench::new(Limits::default());
        bench.send("MSET a 1 b 2");
        bench.send("PEXPIRE a 1");
        bench.pass(2);
        assert_eq!(bench.elements("KEYS *"), ["b"]);
        assert_eq!(bench.elements("SCAN 0 COUNT 100"), ["0", "b"]);
    }
}

mod sets {
    use super::*;

    #[test]
    fn spop_follows_the_records_random_word() {
        let popped = |entropy| {
            let mut bench = Bench::new(Limits::default());
            for number in 0..40 {
                bench.send(&format!("SADD s {number}"));
            }
            bench.stamp.entropy = entropy;
            bench.elements("SPOP s 10")
        };
        assert_eq!(popped(7), popped(7));
        assert_ne!(popped(7), popped(8));
        assert_eq!(popped(7).iter().collect::<BTreeSet<_>>().len(), 10);
    }

    #[test]
    fn every_member_can_be_chosen_and_none_comes_twice() {
        let mut bench = Bench::new(Limits::default());
        let mut firsts = BTreeSet::new();
        for _ in 0..200 {
            bench.send("SADD s a b c d e");
            firsts.extend(bench.elements("SPOP s"));
        }
        assert_eq!(firsts.len(), 5);
        let members: Vec<String> = (0..3000).map(|number| format!("m{number}")).collect();
        bench.send(&format!("SADD large {}", members.join(" ")));
        let popped: BTreeSet<_> = bench.elements("SPOP large 3000").into_iter().collect();
        assert_eq!(popped, members.into_iter().collect());
        assert_eq!(bench.send("EXISTS large"), ":0\r\n");
    }
}

mod scan {
    use super::*;

    /// Redis' guarantee, with keys coming and going between the calls.
    #[test]
    fn finds_every_key_that_is_there_all_the_time() {
        let mut bench = Bench::new(Limits::default());
        for number in 0..6000 {
            bench.send(&format!("SET {number} v"));
        }
        let stays = |number: i32| number % 3 == 0;
        let mut goes = (0..6000).filter(|&number| !stays(number));
        let (mut cursor, mut found, mut calls) = ("0".to_string(), BTreeSet::new(), 0);
        loop {
            let mut reply = bench.elements(&format!("SCAN {cursor} COUNT 7"));
            assert!(reply.len() <= 8);
            cursor = reply.remove(0);
            found.extend(reply);
            if cursor == "0" {
                break;
            }
            calls += 1;
            for number in goes.by_ref().take(5) {
                bench.send(&format!("DEL {number}"));
            }
            bench.send(&format!("SET new:{calls} v"));
        }
        let missing: Vec<_> = (0..6000)
            .filter(|&number| stays(number) && !found.contains(&number.to_string()))
            .collect();
        assert!(missing.is_empty(), "missed {missing:?}");
    }

    #[test]
    fn strange_cursors_end_somewhere() {
        let mut bench = Bench::new(Limits::default());
        bench.send("MSET a 1 b 2 c 3");
        for cursor in [u64::MAX, 1, 1 << 32, 4096 << 32, u64::from(u32::MAX)] {
            let reply = bench.elements(&format!("SCAN {cursor} COUNT 100"));
            assert_eq!(reply[0], "0", "{cursor}");
        }
    }
}

mod memory {
    use super::*;

    fn small() -> Bench {
        Bench::new(Limits {
            max_memory_bytes: 100_000,
            debug: true,
            ..Limits::default()
        })
    }

    const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

    #[test]
    fn writes_are_refused_when_memory_is_used_up() {
        let mut bench = small();
        let value = "x".repeat(1000);
        let mut stored = 0;
        while bench.send(&format!("SET key:{stored} {value}")) == "+OK\r\n" {
            stored += 1;
            assert!(bench.service.used_bytes() <= 100_000);
        }
        assert!((50..100).contains(&stored), "{stored}");
        for line in [
            "APPEND key:0",
            "LPUSH l",
            "SADD s",
            "HSET h f",
            "MSET k",
            "GETSET key:1",
            "SETNX k",
        ] {
            assert_eq!(bench.send(&format!("{line} {value}")), OOM, "{line}");
        }
        assert_eq!(bench.send("STRLEN key:0"), ":1000\r\n");
        assert_eq!(bench.send("EXPIRE key:0 100"), ":1\r\n");
        bench.send("DEL key:1 key:2");
        assert_eq!(bench.send(&format!("SET again {value}")), "+OK\r\n");
        assert_eq!(bench.send("DEBUG POPULATE 1000"), OOM);
        assert!(bench.service.used_bytes() <= 100_000);
    }

    #[test]
    fn the_account_goes_back_to_nothing() {
        let mut bench = small();
        let long = "y".repeat(100);
        for line in [
            "SET a 1",
            "SET a LONG EX 10",
            "APPEND a LONG",
            "SET a 1 KEEPTTL",
            "INCR a",
            "EXPIRE a 7",
            "SET LONG LONG",
            "EXPIRE LONG 10",
            "PERSIST LONG",
            "EXPIRE LONG 10",
            "GETSET LONG 1",
            "RPUSH l 1 LONG 2",
            "LPOP l",
            "RPOP l 1",
            "HSET h f LONG LONG v",
            "HSET h f 1",
            "HDEL h LONG",
            "SADD s 1 LONG 2",
            "SREM s LONG",
            "SPOP s",
            "EXPIRE l 5",
            "SET h2 1",
            "SETNX h2 1",
        ] {
            bench.send(&line.replace("LONG", &long));
            assert!(bench.service.used_bytes() > 0);
        }
        let keys = bench.elements("KEYS *");
        assert_eq!(keys.len(), 6);
        for key in keys {
            assert_eq!(bench.send(&format!("DEL {key}")), ":1\r\n");
        }
        assert_eq!(
            (bench.service.used_bytes(), bench.service.next_expiry_ms()),
            (0, None)
        );
    }

    #[test]
    fn a_string_cannot_grow_beyond_the_limit() {
        let mut bench = Bench::new(Limits::default());
        let half = vec![b'z'; service::BULK_MAX_BYTES / 2 + 1];
        for expected in [
            ":8388609\r\n",
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n",
        ] {
            let reply = bench.raw(CLIENT, &request(&[b"APPEND", b"k", &half]));
            assert_eq!(String::from_utf8_lossy(&reply), expected);
        }
    }
}

mod debug {
    use super::*;

    #[test]
    fn is_refused_unless_allowed() {
        let mut bench = Bench::new(Limits::default());
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
            ("HANG LOOP", DebugCommand::Hang(HangTarget::MainLoop)),
            ("DOUBLE-FAULT", DebugCommand::DoubleFault),
            ("STACK-OVERFLOW", DebugCommand::StackOverflow),
            ("WILD-WRITE", DebugCommand::WildWrite),
            ("CORRUPT-TAIL", DebugCommand::CorruptTail),
            ("BACKUP-PANIC", DebugCommand::BackupPanic),
            ("BACKUP-HANG", DebugCommand::BackupHang),
            (
                "JOURNAL-BENCH 100",
                DebugCommand::JournalBench { records: 100 },
            ),
            (
                "SLEEP 0.25",
                DebugCommand::Sleep {
                    duration_us: 250_000,
                },
            ),
        ];
        for (line, command) in cases {
            bench.host.debugged.clear();
            assert_eq!(bench.send(&format!("DEBUG {line}")), "+OK\r\n", "{line}");
            assert_eq!(bench.host.debugged, [(command, 0)]);
        }
        bench.host.debugged.clear();
        for line in [
            "HANG me",
            "HANG -1",
            "HANG 1 2",
            "SLEEP -1",
            "SLEEP nan",
            "SLEEP",
            "JOURNAL-BENCH x",
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
        // Empty in the beginning, and once more after the deletion.
        assert_eq!(digests.len(), 8);
    }
}

mod server {
    use super::*;

    #[test]
    fn info_shows_what_the_host_knows() {
        let mut bench = Bench::new(Limits::default());
        bench.host.status = HostStatus {
            epoch: 3,
            protected: true,
            keepalive_age_us: Some(412),
            journal_position: 9_000,
            journal_lag_bytes: 64,
            port: 6379,
            uptime_ms: 90_000_000,
            cores: 3,
            takeovers: 1,
            last_takeover: Some(Takeover {
                cause: "panic",
                detect_us: 18,
                first_reply_us: None,
                total_us: Some(700),
                ..Takeover::default()
            }),
            version: "0.1.0",
            ..HostStatus::default()
        };
        bench.send("SET a 1 EX 100");
        let info = bench.send("INFO");
        for line in [
            "# Server",
            "tcp_port:6379",
            "uptime_in_seconds:90000",
            "uptime_in_days:1",
            "connected_clients:1",
            "# Memory",
            "used_memory:192",
            "used_memory_human:192B",
            "role:master",
            "master_repl_offset:9000",
            "db0:keys=1,expires=1,avg_ttl=0",
            "# Understudy",
            "understudy_role:primary",
            "epoch:3",
            "protected:1",
            "backup_keepalive_age_us:412",
            "journal_lag_bytes:64",
            "last_takeover_cause:panic",
            "last_takeover_detect_us:18",
            "last_takeover_total_us:700",
            "total_commands_processed:2",
        ] {
            assert!(
                info.contains(&format!("{line}\r\n")),
                "{line} is not in {info}"
            );
        }
        assert!(!info.contains("first_reply"));
        let some = bench.send("INFO keyspace REPLICATION");
        let titles: Vec<_> = some.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(titles, ["# Replication", "# Keyspace"]);
        assert_eq!(bench.send("INFO nosuch"), "$0\r\n\r\n");
        assert_eq!(bench.send("ROLE"), "*3\r\n$6\r\nmaster\r\n:9000\r\n*0\r\n");
    }

    #[test]
    fn clients_are_listed_in_order() {
        let mut bench = Bench::new(Limits::default());
        bench.open(9);
        bench.open(4);
        bench.send("CLIENT SETNAME me");
        bench.pass(3_000);
        let list = bench.send("CLIENT LIST");
        let lines: Vec<_> = list
            .lines()
            .filter(|line| line.starts_with("id="))
            .collect();
        assert!(
            lines[0].starts_with("id=1 addr=127.0.0.1:12345 ")
                && lines[0].contains(" name=me age=3 idle=0 "),
            "{list}"
        );
        assert!(lines[0].contains(" cmd=client|list "));
        assert!(lines[1].starts_with("id=4 ") && lines[2].starts_with("id=9 "));
        assert!(lines[2].contains(" idle=3 ") && lines[2].contains(" cmd=NULL "));
        assert!(bench.send("CLIENT INFO").contains("id=1 "));
        assert_eq!(bench.send("CLIENT LIST ID 9 9").matches("id=9 ").count(), 2);
        assert_eq!(bench.send("CLIENT ID"), ":1\r\n");
        assert_eq!(bench.send("CLIENT SETINFO lib-name redis-py"), "+OK\r\n");
        assert!(
            bench
                .send("CLIENT SETINFO lib-color red")
                .starts_with("-ERR Unrecognized option")
        );
    }

    #[test]
    fn hello_speaks_version_two_only() {
        let mut bench = Bench::new(Limits::default());
        let hello = bench.elements("HELLO 2 AUTH default x SETNAME it");
        assert_eq!(
            hello[..8],
            [
                "server", "redis", "version", "7.0.15", "proto", ":2", "id", ":1"
            ]
        );
        assert_eq!(bench.send("CLIENT GETNAME"), "$2\r\nit\r\n");
        assert_eq!(bench.elements("HELLO").len(), hello.len());
        assert_eq!(
            bench.send("HELLO 3"),
            "-NOPROTO unsupported protocol version\r\n"
        );
    }

    /// Whatever the form, the reply is one well-formed value: the counts in its headers are right.
    #[test]
    fn command_replies_are_well_formed() {
        let mut bench = Bench::new(Limits::default());
        for line in [
            "COMMAND",
            "COMMAND INFO",
            "COMMAND INFO get client nosuch client|list client|nosuch get|x",
            "COMMAND DOCS",
            "COMMAND DOCS get client nosuch config|get",
            "COMMAND LIST",
            "COMMAND LIST FILTERBY PATTERN C*",
            "COMMAND HELP",
            "CLIENT HELP",
            "CONFIG HELP",
            "COMMAND COUNT",
        ] {
            let reply = bench.raw(CLIENT, format!("{line}\r\n").as_bytes());
            let (length, _) = common::scan_reply(&reply).expect(line);
            assert_eq!(length, reply.len(), "{line}");
        }
        let info = bench.send("COMMAND INFO get");
        assert!(
            info.starts_with(
                "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
            ),
            "{info}"
        );
        assert_eq!(bench.send("COMMAND INFO nosuch"), "*1\r\n*-1\r\n");
        assert_eq!(bench.elements("COMMAND LIST FILTERBY PATTERN s?t"), ["set"]);
    }

    /// A table that is not sorted loses commands.
    #[test]
    fn every_listed_command_is_found() {
        let mut bench = Bench::new(Limits::default());
        let names = bench.elements("COMMAND LIST");
        assert!(names.len() > 60);
        for name in names {
            let line = name.replace('|', " ").to_uppercase();
            let reply = bench.send(&line);
            assert!(!reply.contains("unknown"), "{line}: {reply}");
            bench.open(CLIENT);
        }
    }
}
