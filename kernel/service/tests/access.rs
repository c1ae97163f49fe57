//! Who may use the service. The replies are those of Redis 7.0, but for those that name a boot option.

mod common;

use common::{Bench, CLIENT, request};
use service::{CONSOLE, HostStatus, Input, Network, Password, ServiceLimits};
use sharedmem::obstacle::Obstacles;

fn with_password() -> Bench {
    Bench::new(ServiceLimits {
        password: Some(Password::new("open sesame")),
        ..ServiceLimits::default()
    })
}

const NOAUTH: &str = "-NOAUTH Authentication required.\r\n";
const WRONGPASS: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

#[test]
fn with_a_password_nothing_is_done_before_it_is_given() {
    let mut bench = with_password();
    let names = bench.elements("COMMAND LIST");
    assert_eq!(
        names,
        ["NOAUTH Authentication required."].map(|text| format!("-{text}"))
    );
    // Every command, as the service without a password lists them.
    let names = Bench::new(ServiceLimits::default()).elements("COMMAND LIST");
    for name in names {
        let mut bench = with_password();
        let mut words: Vec<Vec<u8>> = name
            .split('|')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        let mut reply = vec![];
        // The arity is checked first, as in Redis, so give more words until it fits.
        for _ in 0..7 {
            let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            reply = bench.raw(CLIENT, &request(&slices));
            if !reply.starts_with(b"-ERR wrong number of arguments") {
                break;
            }
            words.push(b"2".to_vec());
        }
        let is_refused =
            reply == NOAUTH.as_bytes() || reply.starts_with(b"-ERR unknown subcommand");
        let is_free = ["auth", "hello", "quit", "reset"].contains(&name.as_str());
        assert_eq!(
            is_refused,
            !is_free,
            "{name}: {}",
            String::from_utf8_lossy(&reply)
        );
        assert_eq!(bench.service.key_count(), 0);
    }
}

#[test]
fn the_password_opens_the_connection_that_gave_it() {
    let mut bench = with_password();
    bench.open(2);
    for (line, reply) in [
        (
            "AUTH",
            "-ERR wrong number of arguments for 'auth' command\r\n",
        ),
        ("AUTH wrong", WRONGPASS),
        ("AUTH \"open sesame\" x", WRONGPASS),
        ("AUTH somebody \"open sesame\"", WRONGPASS),
        ("AUTH default wrong", WRONGPASS),
        ("AUTH a b c", "-ERR syntax error\r\n"),
        ("HELLO 2 AUTH default wrong", WRONGPASS),
        (
            "NOSUCH a",
            "-ERR unknown command 'NOSUCH', with args beginning with: 'a' \r\n",
        ),
        (
            "GET",
            "-ERR wrong number of arguments for 'get' command\r\n",
        ),
        ("GET a", NOAUTH),
        ("AUTH \"open sesame\"", "+OK\r\n"),
        ("GET a", "$-1\r\n"),
        ("AUTH wrong", WRONGPASS),
        // A wrong password later takes nothing away, as in Redis.
        ("GET a", "$-1\r\n"),
        ("RESET", "+RESET\r\n"),
        ("GET a", NOAUTH),
        ("AUTH default \"open sesame\"", "+OK\r\n"),
        ("GET a", "$-1\r\n"),
    ] {
        assert_eq!(bench.send(line), reply, "{line}");
    }
    assert_eq!(bench.raw(2, b"GET a\r\n"), NOAUTH.as_bytes());
    let hello = bench.raw(2, b"HELLO 2\r\n");
    assert!(
        hello.starts_with(b"-NOAUTH HELLO must be called with the client already authenticated, ")
    );
    let hello = bench.raw(2, b"HELLO 2 AUTH default \"open sesame\" SETNAME me\r\n");
    assert!(hello.starts_with(b"*14\r\n"));
    assert_eq!(bench.raw(2, b"CLIENT GETNAME\r\n"), b"$2\r\nme\r\n");
}

#[test]
fn without_a_password_auth_says_so() {
    let mut bench = Bench::new(ServiceLimits::default());
    for (line, reply) in [
        (
            "AUTH x",
            "-ERR AUTH <password> called without any password configured for the default user. Are you sure \
                    your configuration is correct?\r\n",
        ),
        ("AUTH default x", "+OK\r\n"),
        ("AUTH somebody x", WRONGPASS),
    ] {
        assert_eq!(bench.send(line), reply, "{line}");
    }
}

#[test]
fn a_client_without_the_password_gets_redis_limits() {
    for (stream, reply) in [
        (
            &b"*11\r\n"[..],
            &b"-ERR Protocol error: unauthenticated multibulk length\r\n"[..],
        ),
        (
            b"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
            b"-ERR Protocol error: unauthenticated bulk length\r\n",
        ),
    ] {
        let mut bench = with_password();
        assert_eq!(bench.raw(CLIENT, stream), reply);
        assert_eq!(bench.host.hung_up, [CLIENT]);
        let mut bench = with_password();
        let both = [&request(&[b"AUTH", b"open sesame"]), stream].concat();
        assert_eq!(bench.raw(CLIENT, &both), b"+OK\r\n");
    }
    let mut bench = with_password();
    assert_eq!(bench.raw(CLIENT, b"*10\r\n$4\r\nAUTH\r\n$16384\r\n"), b"");
}

#[test]
fn protected_mode_refuses_clients_from_elsewhere() {
    let near = Some(Network {
        address: [127, 0, 0, 0],
        prefix_bits: 8,
    });
    let limits = ServiceLimits {
        near,
        ..ServiceLimits::default()
    };
    let mut bench = Bench::new(limits.clone());
    assert_eq!(bench.send("PING"), "+PONG\r\n");
    let far = [192, 168, 1, 1, 0x30, 0x39];
    bench.apply(Input::Open {
        connection: 2,
        peer: far,
    });
    let denied = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is \
                   set for the default user. ";
    assert!(bench.host.sent_to(2).starts_with(denied));
    assert_eq!(bench.host.hung_up, [2]);
    assert!(!bench.service.is_open(2));
    // The console has no address. With a password everyone may come, and has to give it.
    bench.apply(Input::Open {
        connection: CONSOLE,
        peer: [0; 6],
    });
    assert!(bench.service.is_open(CONSOLE));
    let password = Some(Password::new("x"));
    let mut bench = Bench::new(ServiceLimits { password, ..limits });
    bench.apply(Input::Open {
        connection: 2,
        peer: far,
    });
    assert_eq!(bench.raw(2, b"PING\r\n"), NOAUTH.as_bytes());
    bench.apply(Input::Open {
        connection: CONSOLE,
        peer: [0; 6],
    });
    assert_eq!(bench.raw(CONSOLE, b"PING\r\n"), b"+PONG\r\n");
}

#[test]
fn only_an_operator_spends_the_backup() {
    let password = Some(Password::new("x"));
    for (limits, is_allowed) in [
        (ServiceLimits::default(), false),
        (
            ServiceLimits {
                password: password.clone(),
                ..ServiceLimits::default()
            },
            false,
        ),
        (
            ServiceLimits {
                admin: true,
                ..ServiceLimits::default()
            },
            true,
        ),
        (
            ServiceLimits {
                admin: true,
                password,
                ..ServiceLimits::default()
            },
            true,
        ),
    ] {
        let mut bench = Bench::new(limits);
        bench.service.set_status(HostStatus {
            epoch: 3,
            obstacles: Obstacles::NONE,
            ..HostStatus::default()
        });
        bench.send("AUTH x");
        for (line, order) in [
            ("FAILOVER", "+OK\r\n"),
            ("UNDERSTUDY DISARM", "+QUEUED\r\n"),
        ] {
            let reply = bench.send(line);
            assert_eq!(reply == order, is_allowed, "{line}: {reply}");
            assert!(is_allowed || reply.contains("admin=1"), "{line}: {reply}");
        }
        assert_eq!(
            bench.service.wants_failover(3, bench.stamp.time_ms),
            is_allowed
        );
        assert_eq!(bench.host.operated.len(), usize::from(is_allowed));
        bench.apply(Input::Open {
            connection: CONSOLE,
            peer: [0; 6],
        });
        assert_eq!(bench.raw(CONSOLE, b"UNDERSTUDY ARM\r\n"), b"+QUEUED\r\n");
    }
}
