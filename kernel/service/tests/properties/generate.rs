//! Requests and records that proptest generates.

use crate::common::request;
use proptest::prelude::*;
use service::{ConnectionId, Input, InputRecord, ServiceLimits, Stamp};

/// Generates a command on one of a few keys, so that commands meet on the same key.
pub fn command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let key = prop::sample::select(vec!["a", "b", "c", "a long key that is not stored inline"]);
    let word = prop_oneof![
        prop::sample::select(vec![
            "",
            "1",
            "-7",
            "9223372036854775807",
            "x",
            "NX",
            "XX",
            "GET",
            "EX",
            "*",
            "0"
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let name = prop::sample::select(vec![
        "SET",
        "GET",
        "GETSET",
        "SETNX",
        "APPEND",
        "STRLEN",
        "DEL",
        "EXISTS",
        "INCR",
        "INCRBY",
        "MSET",
        "MGET",
        "EXPIRE",
        "PEXPIRE",
        "TTL",
        "PERSIST",
        "TYPE",
        "KEYS",
        "SCAN",
        "DBSIZE",
        "LPUSH",
        "RPUSH",
        "LPOP",
        "RPOP",
        "LLEN",
        "LRANGE",
        "HSET",
        "HGET",
        "HDEL",
        "HGETALL",
        "SADD",
        "SREM",
        "SMEMBERS",
        "SCARD",
        "SISMEMBER",
        "SORT",
        "SETRANGE",
        "GETRANGE",
        "SETBIT",
        "BITCOUNT",
        "BITPOS",
        "GETDEL",
        "GETEX",
        "INCRBYFLOAT",
        "MSETNX",
        "HMGET",
        "HSETNX",
        "HINCRBY",
        "HINCRBYFLOAT",
        "HKEYS",
        "HSCAN",
        "HRANDFIELD",
        "LINDEX",
        "LSET",
        "LINSERT",
        "LREM",
        "LTRIM",
        "LPOS",
        "LPUSHX",
        "SMISMEMBER",
        "SRANDMEMBER",
        "SSCAN",
        "SINTERCARD",
        "OBJECT",
        "ZADD",
        "ZINCRBY",
        "ZREM",
        "ZRANGE",
        "ZRANGEBYSCORE",
        "ZRANGEBYLEX",
        "ZREVRANGE",
        "ZRANK",
        "ZSCORE",
        "ZCOUNT",
        "ZPOPMIN",
        "ZPOPMAX",
        "ZRANDMEMBER",
        "ZREMRANGEBYRANK",
        "ZREMRANGEBYSCORE",
        "ZREMRANGEBYLEX",
        "ZSCAN",
        "EXPIREAT",
        "PING",
        "ECHO",
        "SELECT",
        "CLIENT",
        "INFO",
        "nosuch",
    ]);
    (name, key, prop::collection::vec(word, 0..4)).prop_map(|(name, key, words)| {
        let mut command = vec![name.as_bytes().to_vec(), key.as_bytes().to_vec()];
        command.extend(words);
        command
    })
}

/// Generates a command that may depend on chance and time as well.
pub fn any_command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let fixed = |words: &[&str]| Just(words.iter().map(|word| word.as_bytes().to_vec()).collect());
    prop_oneof![
        12 => command(),
        1 => fixed(&["SADD", "a", "1", "2", "3", "4", "5", "6"]),
        2 => fixed(&["ZADD", "a", "1", "1", "2", "x", "-7", "y", "inf", "a long member that is not stored inline"]),
        1 => fixed(&["ZADD", "c", "GT", "CH", "3", "1", "0.5", "y"]),
        1 => fixed(&["ZINCRBY", "a", "1.5", "x"]),
        1 => fixed(&["ZUNIONSTORE", "c", "2", "a", "b", "WEIGHTS", "2", "-1"]),
        1 => fixed(&["ZINTERSTORE", "b", "2", "a", "c", "AGGREGATE", "MAX"]),
        1 => fixed(&["ZDIFFSTORE", "b", "2", "a", "c"]),
        1 => fixed(&["ZRANGESTORE", "c", "a", "0", "2"]),
        1 => fixed(&["ZMPOP", "2", "a", "b", "MAX", "COUNT", "2"]),
        1 => fixed(&["SORT", "a", "ALPHA", "STORE", "c"]),
        1 => fixed(&["SORT", "a", "BY", "nosort", "GET", "#", "GET", "*", "STORE", "b"]),
        1 => fixed(&["SPOP", "a"]),
        1 => fixed(&["SPOP", "a", "2"]),
        1 => fixed(&["SET", "b", "x", "PX", "30"]),
        1 => fixed(&["PEXPIRE", "a", "50"]),
        1 => fixed(&["DEBUG", "POPULATE", "20"]),
        1 => fixed(&["FLUSHALL"]),
        1 => fixed(&["FLUSHDB"]),
        1 => fixed(&["HELLO", "3"]),
        1 => fixed(&["HELLO", "2"]),
        1 => fixed(&["COPY", "a", "b", "REPLACE"]),
        1 => fixed(&["COPY", "b", "a", "DB", "1"]),
        1 => fixed(&["RENAME", "a", "c"]),
        1 => fixed(&["RENAMENX", "c", "a"]),
        1 => fixed(&["LMOVE", "a", "b", "LEFT", "RIGHT"]),
        1 => fixed(&["RPOPLPUSH", "b", "b"]),
        1 => fixed(&["LMPOP", "2", "a", "b", "LEFT", "COUNT", "2"]),
        1 => fixed(&["LINSERT", "a", "BEFORE", "1", "x"]),
        1 => fixed(&["SUNIONSTORE", "c", "a", "b"]),
        1 => fixed(&["SDIFFSTORE", "b", "a", "c"]),
        1 => fixed(&["SINTERSTORE", "a", "a", "c"]),
        1 => fixed(&["SMOVE", "a", "b", "1"]),
        1 => fixed(&["BITOP", "XOR", "a", "b", "c"]),
        1 => fixed(&["BITOP", "NOT", "b", "a"]),
        1 => fixed(&["RANDOMKEY"]),
        2 => fixed(&["SELECT", "1"]),
        2 => fixed(&["SELECT", "0"]),
        1 => fixed(&["MOVE", "a", "1"]),
        1 => fixed(&["SWAPDB", "0", "1"]),
        1 => fixed(&["MULTI"]),
        1 => fixed(&["EXEC"]),
        1 => fixed(&["DISCARD"]),
        1 => fixed(&["WATCH", "a", "b"]),
        1 => fixed(&["UNWATCH"]),
        1 => fixed(&["BLPOP", "a", "b", "0"]),
        1 => fixed(&["BRPOP", "b", "0.04"]),
        1 => fixed(&["BLMOVE", "a", "b", "LEFT", "RIGHT", "0.1"]),
        1 => fixed(&["BLMPOP", "0.05", "2", "a", "c", "RIGHT", "COUNT", "2"]),
        1 => fixed(&["BZPOPMIN", "a", "c", "0.1"]),
        2 => fixed(&["RPUSH", "a", "1", "2"]),
        1 => fixed(&["SUBSCRIBE", "a", "b"]),
        1 => fixed(&["MONITOR"]),
        1 => fixed(&["CLIENT", "REPLY", "SKIP"]),
        1 => fixed(&["CLIENT", "REPLY", "ON"]),
        1 => fixed(&["CLIENT", "KILL", "TYPE", "pubsub"]),
        1 => fixed(&["BITFIELD", "a", "SET", "u8", "9", "200", "INCRBY", "i5", "3", "7"]),
        1 => fixed(&["PSUBSCRIBE", "a*"]),
        1 => fixed(&["UNSUBSCRIBE"]),
        1 => fixed(&["PUNSUBSCRIBE"]),
        2 => fixed(&["PUBLISH", "a", "message"]),
    ]
}

pub fn encoded(command: &[Vec<u8>]) -> Vec<u8> {
    let arguments: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
    request(&arguments)
}

/// Empty and malformed requests.
const ODDITIES: [&str; 8] = [
    "\r\n",
    "*0\r\n",
    "*-1\r\n",
    "QUIT\r\n",
    "*1\r\n:\r\n",
    "\"\r\n",
    "*x\r\n",
    "*1\r\n$-1\r\n",
];

/// Generates a stream of requests, as arrays and inline, sometimes with something malformed in between.
pub fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        20 => command().prop_map(|command| encoded(&command)),
        4 => "(SET|GET|PING|ECHO)( [a-c]| \"x y\"| '\\\\n'){0,3}\r?\n".prop_map(String::into_bytes),
        1 => prop::sample::select(&ODDITIES).prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(part, 1..12).prop_map(|parts| parts.concat())
}

#[derive(Clone, Debug)]
pub enum ClientEvent {
    Open(ConnectionId),
    Bytes(ConnectionId, Vec<u8>),
    Close(ConnectionId),
    Tick,
}

pub fn event() -> impl Strategy<Value = (ClientEvent, u64, u64)> {
    let bytes = prop_oneof![
        8 => prop::collection::vec(any_command(), 1..5).prop_map(|commands| {
            commands.iter().flat_map(|command| encoded(command)).collect()
        }),
        1 => prop::collection::vec(any::<u8>(), 0..30),
    ];
    let event = prop_oneof![
        3 => (0..4_u64).prop_map(ClientEvent::Open),
        12 => (0..4_u64, bytes).prop_map(|(connection, bytes)| ClientEvent::Bytes(connection, bytes)),
        1 => (0..4_u64).prop_map(ClientEvent::Close),
        2 => Just(ClientEvent::Tick),
    ];
    (event, 0..40_u64, any::<u64>())
}

pub fn record<'a>(event: &'a ClientEvent, stamp: Stamp) -> InputRecord<'a> {
    let input = match event {
        ClientEvent::Open(connection) => Input::Open {
            connection: *connection,
            peer: [10, 0, 0, 2, 1, 2],
        },
        ClientEvent::Bytes(connection, bytes) => Input::Bytes {
            connection: *connection,
            bytes,
        },
        ClientEvent::Close(connection) => Input::Close {
            connection: *connection,
        },
        ClientEvent::Tick => Input::Tick,
    };
    InputRecord { stamp, input }
}

pub fn limits() -> ServiceLimits {
    ServiceLimits {
        debug: true,
        max_clients: 3,
        max_memory_bytes: 40_000,
        ..ServiceLimits::default()
    }
}
