//! No request works long without a sign of life. Work is counted in arguments and elements, and a sign of life is a
//! call of `Host::progress`; no clock is involved.

mod common;

use common::{Bench, CLIENT, request};
use service::{Input, ServiceLimits};

const ARGUMENTS: usize = 200_000;
/// Elements that may pass between two signs of life (`service::Host::progress`).
const ELEMENTS_MAX: usize = 256;

/// How a command is given very many arguments.
enum Many {
    /// It goes through all of them: the words before them, then these over and over.
    Walks(&'static [&'static str], &'static [&'static str]),
    /// It takes few, and refuses more without looking at them.
    Refuses,
}

use Many::{Refuses, Walks};

/// Every command that takes any number of arguments.
const MANY: &[(&str, Many)] = &[
    ("auth", Refuses),
    ("bitcount", Refuses),
    ("bitfield", Walks(&["k"], &["overflow", "sat"])),
    ("bitfield_ro", Walks(&["k"], &["overflow", "sat"])),
    ("bitop", Walks(&["or", "d"], &["nosuch"])),
    ("bitpos", Refuses),
    ("blmpop", Walks(&["0", "199999"], &["left"])),
    ("blpop", Walks(&[], &["1"])),
    ("brpop", Walks(&[], &["1"])),
    ("bzmpop", Walks(&["0", "199999"], &["min"])),
    ("bzpopmax", Walks(&[], &["1"])),
    ("bzpopmin", Walks(&[], &["1"])),
    ("client", Refuses),
    ("client|kill", Walks(&[], &["id", "99999"])),
    ("client|list", Walks(&["id"], &["1"])),
    ("client|pause", Refuses),
    ("client|tracking", Refuses),
    ("client|unblock", Refuses),
    ("command", Walks(&["info"], &["nosuch"])),
    ("command|docs", Walks(&[], &["nosuch"])),
    ("command|getkeys", Walks(&["del"], &["k"])),
    ("command|info", Walks(&[], &["client|nosuch"])),
    ("command|list", Refuses),
    ("compute", Refuses),
    ("config", Refuses),
    ("config|get", Walks(&[], &["nosuch"])),
    ("config|set", Walks(&[], &["port", "0"])),
    ("copy", Walks(&["k", "d"], &["replace"])),
    ("debug", Refuses),
    ("del", Walks(&[], &["nosuch"])),
    ("exists", Walks(&[], &["nosuch"])),
    ("expire", Walks(&["k", "100"], &["xx"])),
    ("expireat", Walks(&["k", "99999999999"], &["xx"])),
    ("failover", Refuses),
    ("flushall", Refuses),
    ("flushdb", Refuses),
    ("function", Refuses),
    ("function|flush", Refuses),
    ("getex", Refuses),
    ("hdel", Walks(&["h"], &["nosuch"])),
    ("hello", Walks(&["2"], &["setname", "n"])),
    ("hmget", Walks(&["h"], &["f"])),
    ("hmset", Walks(&["h"], &["f", "v"])),
    ("hrandfield", Refuses),
    ("hscan", Walks(&["h", "0"], &["count", "1"])),
    ("hset", Walks(&["h"], &["f", "v"])),
    ("info", Walks(&[], &["nosuch"])),
    ("latency", Refuses),
    ("latency|reset", Walks(&[], &["fork"])),
    ("lmpop", Walks(&["199999"], &["left"])),
    ("lpop", Refuses),
    ("lpos", Walks(&["l", "a"], &["rank", "1"])),
    ("lpush", Walks(&["l"], &["v"])),
    ("lpushx", Walks(&["l"], &["v"])),
    ("memory", Refuses),
    ("memory|usage", Walks(&["k"], &["samples", "1"])),
    ("mget", Walks(&[], &["nosuch"])),
    ("mset", Walks(&[], &["k", "v"])),
    ("msetnx", Walks(&[], &["new", "v"])),
    ("object", Refuses),
    ("pexpire", Walks(&["k", "100"], &["gt"])),
    ("pexpireat", Walks(&["k", "99999999999999"], &["xx"])),
    ("ping", Refuses),
    ("psubscribe", Walks(&[], &["p*"])),
    ("pubsub", Refuses),
    ("pubsub|channels", Refuses),
    ("pubsub|numsub", Walks(&[], &["c"])),
    ("punsubscribe", Walks(&[], &["p*"])),
    ("quit", Refuses),
    ("rpop", Refuses),
    ("rpush", Walks(&["l"], &["v"])),
    ("rpushx", Walks(&["l"], &["v"])),
    ("sadd", Walks(&["s"], &["m"])),
    ("scan", Walks(&["0"], &["count", "1"])),
    ("sdiff", Walks(&[], &["s"])),
    ("sdiffstore", Walks(&["d"], &["s"])),
    ("set", Walks(&["k", "v"], &["nx"])),
    ("sinter", Walks(&[], &["s"])),
    ("sintercard", Walks(&["1", "s"], &["limit", "1"])),
    ("sinterstore", Walks(&["d"], &["s"])),
    ("slowlog", Refuses),
    ("slowlog|get", Refuses),
    ("smismember", Walks(&["s"], &["m"])),
    ("sort", Walks(&["l"], &["limit", "0", "1", "alpha"])),
    ("sort_ro", Walks(&["l"], &["limit", "0", "1", "alpha"])),
    ("spop", Refuses),
    ("srandmember", Refuses),
    ("srem", Walks(&["s"], &["m"])),
    ("sscan", Walks(&["s", "0"], &["count", "1"])),
    ("subscribe", Walks(&[], &["c"])),
    ("sunion", Walks(&[], &["s"])),
    ("sunionstore", Walks(&["d"], &["s"])),
    ("touch", Walks(&[], &["k"])),
    ("understudy", Refuses),
    ("unlink", Walks(&[], &["nosuch"])),
    ("unsubscribe", Walks(&[], &["c"])),
    ("watch", Walks(&[], &["k"])),
    ("zadd", Walks(&["z"], &["1", "m"])),
    ("zdiff", Walks(&["200000"], &["z"])),
    ("zdiffstore", Walks(&["d", "200000"], &["z"])),
    ("zinter", Walks(&["200000"], &["z"])),
    ("zintercard", Walks(&["200000"], &["z"])),
    ("zinterstore", Walks(&["d", "200000"], &["z"])),
    ("zmpop", Walks(&["199999"], &["min"])),
    ("zmscore", Walks(&["z"], &["m"])),
    ("zpopmax", Refuses),
    ("zpopmin", Refuses),
    ("zrandmember", Refuses),
    (
        "zrange",
        Walks(
            &["z", "1", "2", "byscore"],
            &["limit", "1", "2", "withscores"],
        ),
    ),
    (
        "zrangebylex",
        Walks(&["z", "-", "+", "limit"], &["1", "2", "limit"]),
    ),
    ("zrangebyscore", Walks(&["z", "1", "2"], &["withscores"])),
    (
        "zrangestore",
        Walks(
            &["d", "z", "-", "+", "bylex", "limit"],
            &["1", "2", "limit"],
        ),
    ),
    ("zrem", Walks(&["z"], &["nosuch"])),
    ("zrevrange", Walks(&["z", "1", "2"], &["withscores"])),
    (
        "zrevrangebylex",
        Walks(&["z", "+", "-", "limit"], &["1", "2", "limit"]),
    ),
    ("zrevrangebyscore", Walks(&["z", "2", "1"], &["withscores"])),
    ("zscan", Walks(&["z", "0"], &["count", "1"])),
    ("zunion", Walks(&["200000"], &["z"])),
    ("zunionstore", Walks(&["d", "200000"], &["z"])),
];

/// Sends a request to a new service with a few keys. Returns the number of signs of life, and the reply.
fn run(words: &[&[u8]]) -> (u64, Vec<u8>) {
    let mut bench = Bench::new(ServiceLimits {
        admin: true,
        ..ServiceLimits::default()
    });
    for setup in [
        "SET k v",
        "HSET h f v",
        "SADD s m n",
        "RPUSH l a b",
        "ZADD z 1 m 2 n",
    ] {
        bench.send(setup);
    }
    let before = bench.host.progress;
    let reply = bench.raw(CLIENT, &request(words));
    (bench.host.progress - before, reply)
}

/// Returns the words of a command, and `ARGUMENTS` more.
fn with_many<'a>(name: &'a str, first: &[&'a str], pattern: &[&'a str]) -> Vec<&'a [u8]> {
    let name = name.split('|').map(str::as_bytes);
    let first = first.iter().map(|word| word.as_bytes());
    let many = pattern
        .iter()
        .cycle()
        .take(ARGUMENTS)
        .map(|word| word.as_bytes());
    name.chain(first).chain(many).collect()
}

/// Returns the commands that take any number of arguments, by what the service says of itself.
fn variadic() -> Vec<String> {
    let mut bench = Bench::new(ServiceLimits::default());
    let names = bench.elements("COMMAND LIST");
    let is_variadic = |name: &String| {
        // The second element of a command's description is its arity.
        let arity = &bench.elements(&format!("COMMAND INFO {name}"))[1];
        arity.starts_with(":-")
    };
    names.into_iter().filter(is_variadic).collect()
}

#[test]
fn every_command_gives_signs_of_life_while_it_goes_through_its_arguments() {
    let listed: Vec<&str> = MANY.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        variadic(),
        listed,
        "a command is missing in this test, or it is too many"
    );
    // What it takes to parse and free so many arguments: GET takes one and refuses more.
    let (parsing, _) = run(&with_many("get", &[], &["nosuch"]));
    let walk = (ARGUMENTS / ELEMENTS_MAX) as u64;
    assert!(parsing >= walk);
    for (name, many) in MANY {
        match many {
            Walks(first, pattern) => {
                let (progress, reply) = run(&with_many(name, first, pattern));
                assert!(
                    !reply.starts_with(b"-"),
                    "{name}: {:?}",
                    String::from_utf8_lossy(&reply)
                );
                assert!(
                    progress >= parsing + walk,
                    "{name}: {progress} signs of life"
                );
            }
            Refuses => {
                let (progress, reply) = run(&with_many(name, &[], &["1"]));
                // QUIT takes any, and looks at none, as in Redis.
                assert!(
                    reply.starts_with(b"-") || *name == "quit",
                    "{name}: {:?}",
                    String::from_utf8_lossy(&reply)
                );
                assert!(progress <= parsing + 1, "{name}: {progress} signs of life");
            }
        }
    }
}

#[test]
fn every_command_gives_signs_of_life_while_it_goes_through_what_is_stored() {
    const ELEMENTS: usize = 50_000;
    let many = |first: &str, pattern: &[&str]| {
        let elements = (0..ELEMENTS).map(|number| format!("{}{number}", pattern[0]));
        let mut words: Vec<String> = first.split(' ').map(String::from).collect();
        for element in elements {
            words.push(element);
            words.extend(pattern[1..].iter().map(|word| (*word).to_string()));
        }
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        request(&words)
    };
    let fill = [
        many("SADD s", &["m"]),
        many("RPUSH l", &["e"]),
        many("HSET h", &["f", "v"]),
        request(&[b"ZUNIONSTORE", b"z", b"1", b"s"]),
        many("MSET", &["key:", "v"]),
    ];
    for command in [
        "SMEMBERS s",
        "SPOP s 50000",
        "DEL s",
        "SET s x",
        "LRANGE l 0 -1",
        "LPOP l 50000",
        "RPOP l 50000",
        "DEL l",
        "GETSET l x",
        "HGETALL h",
        "DEL h",
        "ZRANGE z 0 -1",
        "ZREVRANGE z 0 -1 WITHSCORES",
        "ZPOPMIN z 50000",
        "ZREMRANGEBYSCORE z -inf inf",
        "ZUNION 2 z s",
        "ZINTERCARD 2 z s",
        "ZDIFFSTORE d 2 z h2",
        "ZRANGESTORE d z 0 -1",
        "ZSCAN z 0 COUNT 1000000",
        "ZRANDMEMBER z 50000",
        "COPY z d",
        "SUNIONSTORE d s s2",
        "LREM l 0 nosuch",
        "LINSERT l BEFORE e49999 x",
        "SORT z ALPHA",
        "SORT s BY nosuch* GET #",
        "SORT s ALPHA STORE d",
        "DEL z",
        "KEYS *",
        "KEYS nosuch",
        "KEYS *[a-z]*5*",
        "SCAN 0 COUNT 1000000",
        "SCAN 0 COUNT 1000000 MATCH *x",
        "FLUSHALL",
        "DEBUG DIGEST",
    ] {
        let mut bench = Bench::with_debug();
        for request in &fill {
            bench.raw(CLIENT, request);
        }
        let before = bench.host.progress;
        bench.send(command);
        // A value that was replaced or removed is freed at once.
        let progress = bench.host.progress - before;
        let expected = match command {
            // The type is checked before anything else.
            "GETSET l x" => 0,
            _ => ELEMENTS / ELEMENTS_MAX,
        };
        assert!(
            progress >= expected as u64,
            "{command}: {progress} signs of life"
        );
    }
}

#[test]
fn a_pattern_costs_no_more_than_its_text() {
    let mut bench = Bench::new(ServiceLimits::default());
    let key = vec![b'a'; 1 << 20];
    bench.raw(CLIENT, &request(&[b"SET", &key, b"v"]));
    let mut costs = vec![];
    for pattern in [b"*a*b".to_vec(), b"*a?a".repeat(250)] {
        let before = bench.host.progress;
        assert_eq!(
            bench.raw(CLIENT, &request(&[b"KEYS", &pattern])).first(),
            Some(&b'*')
        );
        // KEYS goes through the keys twice.
        let steps = (bench.host.progress - before) * ELEMENTS_MAX as u64;
        costs.push(steps as usize);
    }
    // One step for 64 bytes of text, and 16 times as many for the longest pattern: by the words in it.
    assert!(costs[0] <= 3 * key.len() / 64, "{costs:?}");
    assert!(costs[1] <= 3 * 17 * key.len() / 64, "{costs:?}");
    let longer = b"*a".repeat(513);
    for command in [
        &[&b"KEYS"[..]][..],
        &[b"SCAN", b"0", b"MATCH"],
        &[b"CONFIG", b"GET"],
    ] {
        let words = [command, &[longer.as_slice()]].concat();
        assert_eq!(
            String::from_utf8_lossy(&bench.raw(CLIENT, &request(&words))),
            "-ERR pattern is too long, it may have 1024 bytes\r\n"
        );
    }
}

#[test]
fn the_same_line_of_client_list_a_million_times_takes_no_memory() {
    let mut bench = Bench::new(ServiceLimits::default());
    let line = bench.elements("CLIENT INFO").concat();
    let words = with_many("client|list", &["id"], &["1"]);
    bench.host.replies.clear();
    bench.apply(Input::Bytes {
        connection: CLIENT,
        bytes: &request(&words),
    });
    let reply = bench.host.sent_to(CLIENT);
    let header = reply.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let expected = format!("${}\r\n", reply.len() - header - 2);
    assert_eq!(&reply[..header], expected.as_bytes());
    assert!(reply.len() > ARGUMENTS * (line.len() - 20));
}
