//! Data commands, as far as a recorded session cannot show them: time, chance and memory.

mod common;

use common::{Bench, CLIENT, request};
use service::ServiceLimits;
use std::collections::BTreeSet;

mod expiry {
    use super::*;

    #[test]
    fn a_key_lives_up_to_and_with_its_deadline() {
        let mut bench = Bench::new(ServiceLimits::default());
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
        let mut bench = Bench::new(ServiceLimits::default());
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
        let mut bench = Bench::new(ServiceLimits::default());
        for number in 0..2000 {
            bench.send(&format!("SET key:{number} v PX 10"));
        }
        bench.pass(11);
        bench.tick();
        let left = bench.service.key_count();
        assert!((1000..2000).contains(&left), "{left} keys left");
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
    fn keys_that_live_shortly_do_not_pile_up_without_a_tick() {
        let mut bench = Bench::new(ServiceLimits::default());
        // A second's worth lives at a time, five a millisecond, for eight seconds.
        for number in 0..8_000 {
            for part in 0..5 {
                bench.send(&format!("SET key:{number}:{part} v PX 1000"));
            }
            bench.pass(1);
            let keys = bench.service.key_count();
            assert!(keys <= 5_050, "{keys} keys after {number} ms");
        }
    }

    #[test]
    fn memory_that_expired_keys_take_is_free_for_others() {
        let mut bench = Bench::new(ServiceLimits {
            max_memory_bytes: 100_000,
            ..ServiceLimits::default()
        });
        let mut number = 0;
        while bench
            .send(&format!("SET key:{number} v PX 10"))
            .starts_with('+')
        {
            number += 1;
        }
        bench.pass(11);
        let value = "v".repeat(60_000);
        assert_eq!(bench.send(&format!("SET large {value}")), "+OK\r\n");
    }

    #[test]
    fn a_clock_that_steps_back_stands_still() {
        let mut bench = Bench::new(ServiceLimits::default());
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
        let mut bench = Bench::new(ServiceLimits::default());
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
            let mut bench = Bench::new(ServiceLimits::default());
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
        let mut bench = Bench::new(ServiceLimits::default());
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

    /// Checks Redis' guarantee about `SCAN`, while keys are added and removed between the calls.
    #[test]
    fn finds_every_key_that_is_there_all_the_time() {
        let mut bench = Bench::new(ServiceLimits::default());
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
        let mut bench = Bench::new(ServiceLimits::default());
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
        Bench::new(ServiceLimits {
            max_memory_bytes: 100_000,
            debug: true,
            ..ServiceLimits::default()
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
        let mut small = 0;
        while bench.send(&format!("SET {small} v")) == "+OK\r\n" {
            small += 1;
        }
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
        assert_eq!(bench.send("EXPIRE key:0 100"), OOM);
        assert_eq!(bench.send("PERSIST key:0"), ":0\r\n");
        bench.send("DEL key:1 key:2");
        assert_eq!(bench.send(&format!("SET again {value}")), "+OK\r\n");
        assert_eq!(bench.send("DEBUG POPULATE 1000"), OOM);
        assert!(bench.service.used_bytes() <= 100_000);
    }

    /// Checks that the last write that is accepted still fits, whatever is stored and whatever room is left.
    #[test]
    fn the_limit_is_never_exceeded() {
        const MAX_BYTES: u64 = 6_000;
        let lines = [
            "SET KEY v",
            "SET KEY v EX 10",
            "SADD KEY m",
            "HSET KEY f v",
            "RPUSH KEY e",
            "SADD s KEY",
            "HSET h KEY v",
            "RPUSH l KEY",
            "APPEND a KEY",
            "INCR KEY",
            "MSET KEY 1 xKEY 2",
            "DEBUG POPULATE 1 KEY",
        ];
        for (line, filler) in lines
            .iter()
            .flat_map(|line| (0..40).map(move |filler| (line, filler)))
        {
            let mut bench = Bench::new(ServiceLimits {
                max_memory_bytes: MAX_BYTES,
                debug: true,
                ..ServiceLimits::default()
            });
            bench.send(&format!("SET filler {}", "f".repeat(32 * filler)));
            for stored in 0.. {
                assert!(stored < 1000, "{line} was never refused");
                let key = format!("{}{stored}", "k".repeat([0, 10, 1000, 30][stored % 4]));
                let reply = bench.send(&line.replace("KEY", &key));
                let used = bench.service.used_bytes();
                assert!(used <= MAX_BYTES, "{line}: {used}");
                if reply == OOM {
                    break;
                }
            }
        }
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
        let mut bench = Bench::new(ServiceLimits::default());
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
