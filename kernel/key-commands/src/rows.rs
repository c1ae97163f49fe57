//! The tables of commands on keys.

use crate::command::{ALL, Command, DENYOOM, FAST, NONE, ONE, PAIRS, READONLY, WRITE, row};
use crate::context::Handler;
use crate::{
    databases, expiry, hash_fields, hashes, keys, lists, scan, sets, string_values, strings,
};

/// Every command on keys, by groups. Each group is sorted by name.
pub const COMMANDS: [&[Command<Handler>]; 6] = [STRINGS, HASHES, LISTS, SETS, KEYS, DATABASES];

#[rustfmt::skip]
const STRINGS: &[Command<Handler>] = &[
    row("append", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::append, "Append a value to a key"),
    row("decr", 2, WRITE | DENYOOM | FAST, ONE, "string", strings::decr,
        "Subtract one from the integer value of a key"),
    row("decrby", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::decrby,
        "Subtract a number from the integer value of a key"),
    row("get", 2, READONLY | FAST, ONE, "string", strings::get, "Get the value of a key"),
    row("getdel", 2, WRITE | FAST, ONE, "string", string_values::getdel, "Get the value of a key and delete it"),
    row("getex", -2, WRITE | FAST, ONE, "string", string_values::getex,
        "Get the value of a key, and set when it expires"),
    row("getset", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::getset,
        "Set the value of a key and get the old one"),
    row("incr", 2, WRITE | DENYOOM | FAST, ONE, "string", strings::incr, "Add one to the integer value of a key"),
    row("incrby", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::incrby,
        "Add a number to the integer value of a key"),
    row("mget", -2, READONLY | FAST, ALL, "string", strings::mget, "Get the values of keys"),
    row("mset", -3, WRITE | DENYOOM, PAIRS, "string", strings::mset, "Set keys to values"),
    row("msetnx", -3, WRITE | DENYOOM, PAIRS, "string", string_values::msetnx,
        "Set keys to values if none of them exists"),
    row("psetex", 4, WRITE | DENYOOM, ONE, "string", string_values::psetex,
        "Set the value of a key, and its time to live in milliseconds"),
    row("set", -3, WRITE | DENYOOM, ONE, "string", strings::set, "Set the value of a key"),
    row("setex", 4, WRITE | DENYOOM, ONE, "string", string_values::setex,
        "Set the value of a key, and its time to live in seconds"),
    row("setnx", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::setnx,
        "Set the value of a key if it does not exist"),
    row("strlen", 2, READONLY | FAST, ONE, "string", strings::strlen, "Get the length of a key's value"),
];

#[rustfmt::skip]
const HASHES: &[Command<Handler>] = &[
    row("hdel", -3, WRITE | FAST, ONE, "hash", hashes::hdel, "Delete fields of a hash"),
    row("hexists", 3, READONLY | FAST, ONE, "hash", hash_fields::hexists, "See whether a hash has a field"),
    row("hget", 3, READONLY | FAST, ONE, "hash", hashes::hget, "Get the value of a hash's field"),
    row("hgetall", 2, READONLY, ONE, "hash", hashes::hgetall, "Get all fields and values of a hash"),
    row("hincrby", 4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hincrby,
        "Add a number to the integer value of a hash's field"),
    row("hkeys", 2, READONLY, ONE, "hash", hash_fields::hkeys, "Get all fields of a hash"),
    row("hlen", 2, READONLY | FAST, ONE, "hash", hashes::hlen, "Get the number of fields of a hash"),
    row("hmget", -3, READONLY | FAST, ONE, "hash", hash_fields::hmget, "Get the values of fields of a hash"),
    row("hmset", -4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hmset, "Set fields of a hash"),
    row("hset", -4, WRITE | DENYOOM | FAST, ONE, "hash", hashes::hset, "Set fields of a hash"),
    row("hsetnx", 4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hsetnx,
        "Set a field of a hash if it does not exist"),
    row("hstrlen", 3, READONLY | FAST, ONE, "hash", hash_fields::hstrlen,
        "Get the length of the value of a hash's field"),
    row("hvals", 2, READONLY, ONE, "hash", hash_fields::hvals, "Get all values of a hash"),
];

#[rustfmt::skip]
const LISTS: &[Command<Handler>] = &[
    row("llen", 2, READONLY | FAST, ONE, "list", lists::llen, "Get the length of a list"),
    row("lpop", -2, WRITE | FAST, ONE, "list", lists::lpop, "Remove and get the first elements of a list"),
    row("lpush", -3, WRITE | DENYOOM | FAST, ONE, "list", lists::lpush, "Put elements in front of a list"),
    row("lrange", 4, READONLY, ONE, "list", lists::lrange, "Get a range of elements of a list"),
    row("rpop", -2, WRITE | FAST, ONE, "list", lists::rpop, "Remove and get the last elements of a list"),
    row("rpush", -3, WRITE | DENYOOM | FAST, ONE, "list", lists::rpush, "Put elements at the end of a list"),
];

#[rustfmt::skip]
const SETS: &[Command<Handler>] = &[
    row("sadd", -3, WRITE | DENYOOM | FAST, ONE, "set", sets::sadd, "Add members to a set"),
    row("scard", 2, READONLY | FAST, ONE, "set", sets::scard, "Get the number of members of a set"),
    row("sismember", 3, READONLY | FAST, ONE, "set", sets::sismember, "See whether a set has a member"),
    row("smembers", 2, READONLY, ONE, "set", sets::smembers, "Get all members of a set"),
    row("spop", -2, WRITE | FAST, ONE, "set", sets::spop, "Remove and get random members of a set"),
    row("srem", -3, WRITE | FAST, ONE, "set", sets::srem, "Remove members of a set"),
];

#[rustfmt::skip]
const KEYS: &[Command<Handler>] = &[
    row("del", -2, WRITE, ALL, "generic", keys::del, "Delete keys"),
    row("exists", -2, READONLY | FAST, ALL, "generic", keys::exists, "Count how many of the keys exist"),
    row("expire", -3, WRITE | DENYOOM | FAST, ONE, "generic", expiry::expire, "Set a key's time to live in seconds"),
    row("expireat", -3, WRITE | DENYOOM | FAST, ONE, "generic", expiry::expireat,
        "Set when a key expires, in seconds since 1970"),
    row("expiretime", 2, READONLY | FAST, ONE, "generic", expiry::expiretime,
        "Get when a key expires, in seconds since 1970"),
    row("keys", 2, READONLY, NONE, "generic", scan::keys, "Get all keys that match a pattern"),
    row("persist", 2, WRITE | FAST, ONE, "generic", expiry::persist, "Remove a key's time to live"),
    row("pexpire", -3, WRITE | DENYOOM | FAST, ONE, "generic", expiry::pexpire,
        "Set a key's time to live in milliseconds"),
    row("pexpireat", -3, WRITE | DENYOOM | FAST, ONE, "generic", expiry::pexpireat,
        "Set when a key expires, in milliseconds since 1970"),
    row("pexpiretime", 2, READONLY | FAST, ONE, "generic", expiry::pexpiretime,
        "Get when a key expires, in milliseconds since 1970"),
    row("pttl", 2, READONLY | FAST, ONE, "generic", expiry::pttl, "Get a key's time to live in milliseconds"),
    row("scan", -2, READONLY, NONE, "generic", scan::scan, "Go through the keys step by step"),
    row("touch", -2, READONLY | FAST, ALL, "generic", keys::exists, "Count how many of the keys exist"),
    row("ttl", 2, READONLY | FAST, ONE, "generic", expiry::ttl, "Get a key's time to live in seconds"),
    row("type", 2, READONLY | FAST, ONE, "generic", keys::type_of, "Get the type of a key's value"),
    row("unlink", -2, WRITE | FAST, ALL, "generic", keys::del, "Delete keys"),
];

#[rustfmt::skip]
const DATABASES: &[Command<Handler>] = &[
    row("dbsize", 1, READONLY | FAST, NONE, "server", databases::dbsize, "Get the number of keys"),
    row("flushall", -1, WRITE, NONE, "server", databases::flushall, "Remove all keys"),
    row("flushdb", -1, WRITE, NONE, "server", databases::flushdb, "Remove all keys of the database"),
    row("move", 3, WRITE | DENYOOM | FAST, ONE, "generic", databases::move_key, "Move a key to another database"),
    row("swapdb", 3, WRITE | FAST, NONE, "server", databases::swapdb, "Exchange two databases"),
];
