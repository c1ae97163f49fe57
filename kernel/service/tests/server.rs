//! The server around the data, as far as a recorded session cannot show it: status, clients, the table of commands.

mod common;

use common::{Bench, CLIENT};
use service::{HostStatus, ServiceLimits, TakeoverTimes};
use sharedmem::cause::{BackupLoss, Cause, StateFault};
use sharedmem::mailbox::Answer;
use sharedmem::obstacle::Obstacles;

mod server {
    use super::*;

    #[test]
    fn the_operator_is_heard_only_if_that_was_allowed() {
        let mut bench = Bench::new(ServiceLimits::default());
        assert!(bench.send("UNDERSTUDY DISARM").contains("admin=1"));
        assert!(bench.send("COMPUTE LIST").contains("admin=1"));
        assert_eq!(bench.host.operated, [""; 0]);
        let mut bench = Bench::new(ServiceLimits {
            admin: true,
            ..ServiceLimits::default()
        });
        for command in ["ARM", "disarm", "RETRY", "LOAD image"] {
            assert_eq!(bench.send(&format!("UNDERSTUDY {command}")), "+QUEUED\r\n");
        }
        for command in [
            "LIST",
            "status cg",
            "START cg n=32 steps=50",
            "STOP cg",
            "LOG cg 9",
            "RESULT cg x",
        ] {
            assert_eq!(bench.send(&format!("COMPUTE {command}")), "+QUEUED\r\n");
        }
        let orders = bench.host.operated.split_off(4);
        assert!(
            orders[2].contains("order: Start, text: [99, 103, 32, 110"),
            "{orders:?}"
        );
        assert_eq!(orders.len(), 6);
        for command in ["", "STATUS", "STATUS a b", "LIST a", "START", "WAIT a"] {
            assert!(
                bench
                    .send(&format!("COMPUTE {command}"))
                    .starts_with("-ERR"),
                "{command}"
            );
        }
        let long = format!("COMPUTE START cg {}", "x".repeat(54));
        assert!(bench.send(&long).contains("more than 56 bytes"));
        assert!(bench.send("COMPUTE HELP").starts_with('*'));
        assert!(bench.send("UNDERSTUDY LOAD").starts_with("-ERR unknown"));
        assert!(bench.send("UNDERSTUDY HELP").starts_with('*'));
        let image = "Load { image: [105, 109, 97, 103, 101] }";
        assert_eq!(bench.host.operated, ["Arm", "Disarm", "Retry", image]);
    }

    #[test]
    fn info_shows_what_the_host_knows() {
        let mut bench = Bench::new(ServiceLimits::default());
        bench.service.set_status(HostStatus {
            epoch: 3,
            obstacles: Obstacles::NONE,
            keepalive_age_us: Some(412),
            journal_position: 9_000,
            journal_lag_bytes: 64,
            port: 6379,
            uptime_ms: 90_000_000,
            cores: 3,
            heap_bytes: 3 << 20,
            takeovers: 1,
            last_takeover: Some(TakeoverTimes {
                cause: Some(Cause::Panic),
                phases_us: [Some(18), None, None, None, None, None, Some(700)],
            }),
            version: "0.1.0".into(),
            backup_version: "0.2.0".into(),
            operator_requests: 1,
            operator_answer: Some(Answer::Accepted),
            backup_losses: 2,
            last_backup_loss: Some(BackupLoss::ImageRefused),
            state_fault: Some(StateFault::Diverged),
            state_faults: 2,
            ..HostStatus::default()
        });
        bench.send("SET a 1 EX 100");
        let info = bench.send("INFO");
        for line in [
            "# Server",
            "tcp_port:6379",
            "uptime_in_seconds:90000",
            "uptime_in_days:1",
            "connected_clients:1",
            "# Memory",
            "used_memory:232",
            "used_memory_human:232B",
            "used_memory_rss:3145728",
            "role:master",
            "master_repl_offset:9000",
            "db0:keys=1,expires=1,avg_ttl=0",
            "# Understudy",
            "understudy_role:primary",
            "epoch:3",
            "version:0.1.0",
            "backup_version:0.2.0",
            "operator_requests:1",
            "operator_answer:accepted",
            "operator_reason:",
            "backup_losses:2",
            "last_backup_loss:image-refused",
            "primary_state:diverged",
            "primary_state_faults:2",
            "protected:1",
            "unprotected_reasons:",
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
        let protection = [
            "master_failover_state:no-failover",
            "protected:1",
            "unprotected_reasons:",
            "epoch:3",
        ];
        for line in protection {
            assert!(
                some.contains(&format!("{line}\r\n")),
                "{line} is not in {some}"
            );
        }
        assert_eq!(bench.send("INFO nosuch"), "$0\r\n\r\n");
        assert_eq!(bench.send("ROLE"), "*3\r\n$6\r\nmaster\r\n:9000\r\n*0\r\n");
    }

    #[test]
    fn a_failover_is_asked_of_one_owner_for_a_time() {
        let mut bench = Bench::new(ServiceLimits {
            admin: true,
            ..ServiceLimits::default()
        });
        let status = HostStatus {
            epoch: 3,
            ..HostStatus::default()
        };
        bench.service.set_status(status);
        assert_eq!(
            bench.send("FAILOVER"),
            "-ERR FAILOVER requires connected replicas.\r\n"
        );
        bench.service.set_status(HostStatus {
            obstacles: Obstacles::NONE,
            ..status
        });
        let no_failover = "-ERR No failover in progress.\r\n";
        assert_eq!(bench.send("FAILOVER ABORT"), no_failover);
        for (line, error) in [
            (
                "FAILOVER TIMEOUT 0",
                "-ERR FAILOVER timeout must be greater than 0\r\n",
            ),
            ("FAILOVER NOW", "-ERR syntax error\r\n"),
            (
                "FAILOVER TO 10.0.0.1 6379 FORCE",
                "-ERR FAILOVER target HOST and PORT is not a replica.\r\n",
            ),
        ] {
            assert_eq!(bench.send(line), error);
        }
        let now_ms = bench.stamp.time_ms;
        assert!(!bench.service.wants_failover(3, now_ms));
        assert_eq!(bench.send("FAILOVER TIMEOUT 200"), "+OK\r\n");
        assert!(bench.service.wants_failover(3, now_ms + 199));
        assert!(!bench.service.wants_failover(3, now_ms + 200));
        assert!(!bench.service.wants_failover(4, now_ms));
        assert!(
            bench
                .send("INFO replication")
                .contains("master_failover_state:waiting-for-sync\r\n")
        );
        assert_eq!(
            bench.send("FAILOVER"),
            "-ERR FAILOVER already in progress.\r\n"
        );
        assert_eq!(bench.send("FAILOVER ABORT"), "+OK\r\n");
        assert!(!bench.service.wants_failover(3, now_ms));
        bench.send("FAILOVER TIMEOUT 200");
        bench.pass(200);
        assert_eq!(bench.send("FAILOVER ABORT"), no_failover);
    }

    #[test]
    fn clients_are_listed_in_order() {
        let mut bench = Bench::new(ServiceLimits::default());
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
    fn hello_speaks_versions_two_and_three() {
        let mut bench = Bench::new(ServiceLimits::default());
        let hello = bench.elements("HELLO 2 AUTH default x SETNAME it");
        assert_eq!(
            hello[..8],
            [
                "server", "redis", "version", "7.0.15", "proto", ":2", "id", ":1"
            ]
        );
        assert_eq!(bench.send("CLIENT GETNAME"), "$2\r\nit\r\n");
        assert_eq!(bench.elements("HELLO").len(), hello.len());
        // As Redis 7.0 writes it, but for the number of the connection.
        assert_eq!(
            bench.send("HELLO 3"),
            "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n\
             $2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n\
             $7\r\nmodules\r\n*0\r\n"
        );
        // Whoever chose a version keeps it.
        assert!(bench.send("HELLO").starts_with("%7\r\n"));
        assert!(bench.send("CLIENT INFO").starts_with('='));
    }

    /// Checks that each form of `COMMAND` replies one well-formed value: the counts in its headers are right.
    #[test]
    fn command_replies_are_well_formed() {
        let mut bench = Bench::new(ServiceLimits::default());
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
        assert_eq!(bench.send("COMMAND INFO nosuch"), "*1\r\n$-1\r\n");
        assert_eq!(bench.elements("COMMAND LIST FILTERBY PATTERN s?t"), ["set"]);
    }

    /// Finds commands that the lookup misses because the table is not sorted.
    #[test]
    fn every_listed_command_is_found() {
        let mut bench = Bench::new(ServiceLimits::default());
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
