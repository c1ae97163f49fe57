//! The tables of commands on keys.

use crate::command::{ALL, Command, DENYOOM, FAST, NONE, ONE, PAIRS, READONLY, TWO, WRITE, row};
use crate::context::Handler;
use crate::{
    bitfield, databases, expiry, hash_fields, hashes, key_names, keys, list_elements, lists,
    ranges, scan, set_algebra, set_members, sets, sort, sorted_algebra, sorted_ranges, sorted_sets,
    string_values, strings,
};

/// Every command on keys, by groups. Each group is sorted by name.
pub const COMMANDS: [&[Command<Handler>]; 7] =
    [STRINGS, HASHES, LISTS, SETS, SORTED_SETS, KEYS, DATABASES];

#[rustfmt::skip]
const STRINGS: &[Command<Handler>] = &[
    row("append", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::append, "Append a value to a key"),
    row("bitcount", -2, READONLY, ONE, "bitmap", ranges::bitcount, "Count the bits that are set in the value of a key"),
    row("bitop", -4, WRITE | DENYOOM, (2, -1, 1), "bitmap", ranges::bitop, "Combine the values of keys bit by bit"),
    row("bitfield", -2, WRITE | DENYOOM, ONE, "bitmap", bitfield::bitfield,
        "Read, set and increase integers at bits of the value of a key"),
    row("bitfield_ro", -2, READONLY | FAST, ONE, "bitmap", bitfield::bitfield_ro,
        "Read integers at bits of the value of a key"),
    row("bitpos", -3, READONLY, ONE, "bitmap", ranges::bitpos, "Find the first bit of a kind in the value of a key"),
    row("decr", 2, WRITE | DENYOOM | FAST, ONE, "string", strings::decr,
        "Subtract one from the integer value of a key"),
    row("decrby", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::decrby,
        "Subtract a number from the integer value of a key"),
    row("get", 2, READONLY | FAST, ONE, "string", strings::get, "Get the value of a key"),
    row("getbit", 3, READONLY | FAST, ONE, "bitmap", ranges::getbit, "Get a bit of the value of a key"),
    row("getdel", 2, WRITE | FAST, ONE, "string", string_values::getdel, "Get the value of a key and delete it"),
    row("getex", -2, WRITE | FAST, ONE, "string", string_values::getex,
        "Get the value of a key, and set when it expires"),
    row("getrange", 4, READONLY, ONE, "string", ranges::getrange, "Get a part of the value of a key"),
    row("getset", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::getset,
        "Set the value of a key and get the old one"),
    row("incr", 2, WRITE | DENYOOM | FAST, ONE, "string", strings::incr, "Add one to the integer value of a key"),
    row("incrby", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::incrby,
        "Add a number to the integer value of a key"),
    row("incrbyfloat", 3, WRITE | DENYOOM | FAST, ONE, "string", string_values::incrbyfloat,
        "Add a number with decimals to the value of a key"),
    row("mget", -2, READONLY | FAST, ALL, "string", strings::mget, "Get the values of keys"),
    row("mset", -3, WRITE | DENYOOM, PAIRS, "string", strings::mset, "Set keys to values"),
    row("msetnx", -3, WRITE | DENYOOM, PAIRS, "string", string_values::msetnx,
        "Set keys to values if none of them exists"),
    row("psetex", 4, WRITE | DENYOOM, ONE, "string", string_values::psetex,
        "Set the value of a key, and its time to live in milliseconds"),
    row("set", -3, WRITE | DENYOOM, ONE, "string", strings::set, "Set the value of a key"),
    row("setbit", 4, WRITE | DENYOOM, ONE, "bitmap", ranges::setbit, "Set a bit of the value of a key"),
    row("setex", 4, WRITE | DENYOOM, ONE, "string", string_values::setex,
        "Set the value of a key, and its time to live in seconds"),
    row("setnx", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::setnx,
        "Set the value of a key if it does not exist"),
    row("setrange", 4, WRITE | DENYOOM, ONE, "string", ranges::setrange, "Overwrite a part of the value of a key"),
    row("strlen", 2, READONLY | FAST, ONE, "string", strings::strlen, "Get the length of a key's value"),
    row("substr", 4, READONLY, ONE, "string", ranges::getrange, "Get a part of the value of a key"),
];

#[rustfmt::skip]
const HASHES: &[Command<Handler>] = &[
    row("hdel", -3, WRITE | FAST, ONE, "hash", hashes::hdel, "Delete fields of a hash"),
    row("hexists", 3, READONLY | FAST, ONE, "hash", hash_fields::hexists, "See whether a hash has a field"),
    row("hget", 3, READONLY | FAST, ONE, "hash", hashes::hget, "Get the value of a hash's field"),
    row("hgetall", 2, READONLY, ONE, "hash", hashes::hgetall, "Get all fields and values of a hash"),
    row("hincrby", 4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hincrby,
        "Add a number to the integer value of a hash's field"),
    row("hincrbyfloat", 4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hincrbyfloat,
        "Add a number with decimals to the value of a hash's field"),
    row("hkeys", 2, READONLY, ONE, "hash", hash_fields::hkeys, "Get all fields of a hash"),
    row("hlen", 2, READONLY | FAST, ONE, "hash", hashes::hlen, "Get the number of fields of a hash"),
    row("hmget", -3, READONLY | FAST, ONE, "hash", hash_fields::hmget, "Get the values of fields of a hash"),
    row("hmset", -4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hmset, "Set fields of a hash"),
    row("hrandfield", -2, READONLY, ONE, "hash", hash_fields::hrandfield, "Get random fields of a hash"),
    row("hscan", -3, READONLY, ONE, "hash", scan::hscan, "Go through the fields of a hash step by step"),
    row("hset", -4, WRITE | DENYOOM | FAST, ONE, "hash", hashes::hset, "Set fields of a hash"),
    row("hsetnx", 4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hsetnx,
        "Set a field of a hash if it does not exist"),
    row("hstrlen", 3, READONLY | FAST, ONE, "hash", hash_fields::hstrlen,
        "Get the length of the value of a hash's field"),
    row("hvals", 2, READONLY, ONE, "hash", hash_fields::hvals, "Get all values of a hash"),
];

#[rustfmt::skip]
const LISTS: &[Command<Handler>] = &[
    row("lindex", 3, READONLY, ONE, "list", list_elements::lindex, "Get an element of a list"),
    row("linsert", 5, WRITE | DENYOOM, ONE, "list", list_elements::linsert,
        "Insert an element before or behind another one"),
    row("llen", 2, READONLY | FAST, ONE, "list", lists::llen, "Get the length of a list"),
    row("lmove", 5, WRITE | DENYOOM, TWO, "list", list_elements::lmove, "Move an element from one list to another"),
    row("lmpop", -4, WRITE, NONE, "list", list_elements::lmpop,
        "Remove and get elements of the first list that is not empty"),
    row("lpop", -2, WRITE | FAST, ONE, "list", lists::lpop, "Remove and get the first elements of a list"),
    row("lpos", -3, READONLY, ONE, "list", list_elements::lpos, "Get the index of elements of a list"),
    row("lpush", -3, WRITE | DENYOOM | FAST, ONE, "list", lists::lpush, "Put elements in front of a list"),
    row("lpushx", -3, WRITE | DENYOOM | FAST, ONE, "list", list_elements::lpushx,
        "Put elements in front of a list if it exists"),
    row("lrange", 4, READONLY, ONE, "list", lists::lrange, "Get a range of elements of a list"),
    row("lrem", 4, WRITE, ONE, "list", list_elements::lrem, "Remove elements from a list"),
    row("lset", 4, WRITE | DENYOOM, ONE, "list", list_elements::lset, "Set an element of a list"),
    row("ltrim", 4, WRITE, ONE, "list", list_elements::ltrim, "Cut a list to a range"),
    row("rpop", -2, WRITE | FAST, ONE, "list", lists::rpop, "Remove and get the last elements of a list"),
    row("rpoplpush", 3, WRITE | DENYOOM, TWO, "list", list_elements::rpoplpush,
        "Move the last element of a list to the front of another"),
    row("rpush", -3, WRITE | DENYOOM | FAST, ONE, "list", lists::rpush, "Put elements at the end of a list"),
    row("rpushx", -3, WRITE | DENYOOM | FAST, ONE, "list", list_elements::rpushx,
        "Put elements at the end of a list if it exists"),
];

#[rustfmt::skip]
const SETS: &[Command<Handler>] = &[
    row("sadd", -3, WRITE | DENYOOM | FAST, ONE, "set", sets::sadd, "Add members to a set"),
    row("scard", 2, READONLY | FAST, ONE, "set", sets::scard, "Get the number of members of a set"),
    row("sdiff", -2, READONLY, ALL, "set", set_algebra::sdiff, "Subtract sets"),
    row("sdiffstore", -3, WRITE | DENYOOM, ALL, "set", set_algebra::sdiffstore, "Store a difference of sets"),
    row("sinter", -2, READONLY, ALL, "set", set_algebra::sinter, "Intersect sets"),
    row("sintercard", -3, READONLY, NONE, "set", set_algebra::sintercard,
        "Count the members of an intersection of sets"),
    row("sinterstore", -3, WRITE | DENYOOM, ALL, "set", set_algebra::sinterstore, "Store an intersection of sets"),
    row("sismember", 3, READONLY | FAST, ONE, "set", sets::sismember, "See whether a set has a member"),
    row("smembers", 2, READONLY, ONE, "set", sets::smembers, "Get all members of a set"),
    row("smismember", -3, READONLY | FAST, ONE, "set", set_members::smismember, "See which members a set has"),
    row("smove", 4, WRITE | DENYOOM | FAST, TWO, "set", set_members::smove, "Move a member from one set to another"),
    row("spop", -2, WRITE | FAST, ONE, "set", sets::spop, "Remove and get random members of a set"),
    row("srandmember", -2, READONLY, ONE, "set", set_members::srandmember, "Get random members of a set"),
    row("srem", -3, WRITE | FAST, ONE, "set", sets::srem, "Remove members of a set"),
    row("sscan", -3, READONLY, ONE, "set", scan::sscan, "Go through the members of a set step by step"),
    row("sunion", -2, READONLY, ALL, "set", set_algebra::sunion, "Unite sets"),
    row("sunionstore", -3, WRITE | DENYOOM, ALL, "set", set_algebra::sunionstore, "Store a union of sets"),
];

#[rustfmt::skip]
const SORTED_SETS: &[Command<Handler>] = &[
    row("zadd", -4, WRITE | DENYOOM | FAST, ONE, ZSET, sorted_sets::zadd, "Add members to a sorted set"),
    row("zcard", 2, READONLY | FAST, ONE, ZSET, sorted_sets::zcard, "Get the number of members of a sorted set"),
    row("zcount", 4, READONLY | FAST, ONE, ZSET, sorted_ranges::zcount, "Count the members with scores in a range"),
    row("zdiff", -3, READONLY, NONE, ZSET, sorted_algebra::zdiff, "Subtract sorted sets"),
    row("zdiffstore", -4, WRITE | DENYOOM, ONE, ZSET, sorted_algebra::zdiffstore,
        "Store a difference of sorted sets"),
    row("zincrby", 4, WRITE | DENYOOM | FAST, ONE, ZSET, sorted_sets::zincrby, "Add a number to a member's score"),
    row("zinter", -3, READONLY, NONE, ZSET, sorted_algebra::zinter, "Intersect sorted sets"),
    row("zintercard", -3, READONLY, NONE, ZSET, sorted_algebra::zintercard,
        "Count the members of an intersection of sorted sets"),
    row("zinterstore", -4, WRITE | DENYOOM, ONE, ZSET, sorted_algebra::zinterstore,
        "Store an intersection of sorted sets"),
    row("zlexcount", 4, READONLY | FAST, ONE, ZSET, sorted_ranges::zlexcount,
        "Count the members in a range of members"),
    row("zmpop", -4, WRITE, NONE, ZSET, sorted_sets::zmpop,
        "Remove and get members of the first sorted set that is not empty"),
    row("zmscore", -3, READONLY | FAST, ONE, ZSET, sorted_sets::zmscore, "Get the scores of members"),
    row("zpopmax", -2, WRITE | FAST, ONE, ZSET, sorted_sets::zpopmax,
        "Remove and get the members with the highest scores"),
    row("zpopmin", -2, WRITE | FAST, ONE, ZSET, sorted_sets::zpopmin,
        "Remove and get the members with the lowest scores"),
    row("zrandmember", -2, READONLY, ONE, ZSET, sorted_sets::zrandmember, "Get random members of a sorted set"),
    row("zrange", -4, READONLY, ONE, ZSET, sorted_ranges::zrange, "Get members in a range"),
    row("zrangebylex", -4, READONLY, ONE, ZSET, sorted_ranges::zrangebylex, "Get members in a range of members"),
    row("zrangebyscore", -4, READONLY, ONE, ZSET, sorted_ranges::zrangebyscore,
        "Get members with scores in a range"),
    row("zrangestore", -5, WRITE | DENYOOM, TWO, ZSET, sorted_ranges::zrangestore, "Store members in a range"),
    row("zrank", 3, READONLY | FAST, ONE, ZSET, sorted_sets::zrank, "Get the rank of a member"),
    row("zrem", -3, WRITE | FAST, ONE, ZSET, sorted_sets::zrem, "Remove members from a sorted set"),
    row("zremrangebylex", 4, WRITE, ONE, ZSET, sorted_ranges::zremrangebylex,
        "Remove members in a range of members"),
    row("zremrangebyrank", 4, WRITE, ONE, ZSET, sorted_ranges::zremrangebyrank,
        "Remove members in a range of ranks"),
    row("zremrangebyscore", 4, WRITE, ONE, ZSET, sorted_ranges::zremrangebyscore,
        "Remove members with scores in a range"),
    row("zrevrange", -4, READONLY, ONE, ZSET, sorted_ranges::zrevrange, "Get members in a range, in reverse order"),
    row("zrevrangebylex", -4, READONLY, ONE, ZSET, sorted_ranges::zrevrangebylex,
        "Get members in a range of members, in reverse order"),
    row("zrevrangebyscore", -4, READONLY, ONE, ZSET, sorted_ranges::zrevrangebyscore,
        "Get members with scores in a range, in reverse order"),
    row("zrevrank", 3, READONLY | FAST, ONE, ZSET, sorted_sets::zrevrank,
        "Get the rank of a member, in reverse order"),
    row("zscan", -3, READONLY, ONE, ZSET, scan::zscan, "Go through the members of a sorted set step by step"),
    row("zscore", 3, READONLY | FAST, ONE, ZSET, sorted_sets::zscore, "Get the score of a member"),
    row("zunion", -3, READONLY, NONE, ZSET, sorted_algebra::zunion, "Unite sorted sets"),
    row("zunionstore", -4, WRITE | DENYOOM, ONE, ZSET, sorted_algebra::zunionstore,
        "Store a union of sorted sets"),
];

/// Redis' name of the group.
const ZSET: &str = "sorted-set";

#[rustfmt::skip]
const KEYS: &[Command<Handler>] = &[
    row("copy", -3, WRITE | DENYOOM, TWO, "generic", key_names::copy, "Copy the value of a key"),
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
    row("randomkey", 1, READONLY, NONE, "generic", key_names::randomkey, "Get a random key"),
    row("rename", 3, WRITE | DENYOOM, TWO, "generic", key_names::rename, "Give a key another name"),
    row("renamenx", 3, WRITE | DENYOOM | FAST, TWO, "generic", key_names::renamenx,
        "Give a key another name that is free"),
    row("scan", -2, READONLY, NONE, "generic", scan::scan, "Go through the keys step by step"),
    row("sort", -2, WRITE | DENYOOM, ONE, "generic", sort::sort, "Sort the elements of a list, a set or a sorted set"),
    row("sort_ro", -2, READONLY, ONE, "generic", sort::sort_ro,
        "Sort the elements of a list, a set or a sorted set, without storing them"),
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

/// The subcommands of `MEMORY` that are on keys.
#[rustfmt::skip]
pub const MEMORY: &[Command<Handler>] = &[
    row("memory|usage", -3, READONLY, (2, 2, 1), "server", key_names::memory_usage, "Get the memory that a key takes"),
];

/// The subcommands of `OBJECT` that are on keys.
#[rustfmt::skip]
pub const OBJECT: &[Command<Handler>] = &[
    row("object|encoding", 3, READONLY, (2, 2, 1), "generic", key_names::encoding,
        "Get how Redis would encode a value"),
    row("object|freq", 3, READONLY, (2, 2, 1), "generic", key_names::freq, "Get how often a key is used; not counted"),
    row("object|help", 2, FAST, NONE, "generic", key_names::object_help, "Show the subcommands"),
    row("object|idletime", 3, READONLY, (2, 2, 1), "generic", key_names::idletime, "Get how long a key was not used"),
    row("object|refcount", 3, READONLY, (2, 2, 1), "generic", key_names::refcount, "Get the number of references"),
];
