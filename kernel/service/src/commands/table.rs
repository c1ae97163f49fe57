//! The table of commands. Lookup, the arity check, the memory check and `COMMAND` all use it.
//!
//! The table and `introspection` name each other on purpose: the table lists `COMMAND`, and `COMMAND` reports the
//! table.

use super::{
    Context, auth, client, compute, databases, debug, expiry, failover, hash_fields, hashes, info,
    introspection, keys, lists, scan, server, sets, string_values, strings, transactions,
    understudy,
};
use crate::reply::Outcome;
use resp::Arguments;

/// Runs a command. The arguments include its name, and their number is checked already.
pub(super) type Handler = fn(&mut Context<'_, '_>, &mut Arguments<'_>) -> Outcome;

/// The command may change the keyspace.
pub(crate) const WRITE: u16 = 1;
/// The command reads the keyspace.
pub(crate) const READONLY: u16 = 2;
/// The command may make the keyspace larger, so it is refused when memory is used up. (Redis does not refuse
/// `EXPIRE`; but a deadline takes memory too.)
pub(crate) const DENYOOM: u16 = 4;
/// The command is for the operator.
pub(crate) const ADMIN: u16 = 8;
/// The command's time does not depend on how much is stored.
pub(crate) const FAST: u16 = 16;
/// The command is for clients that have not given the password, too.
pub(crate) const NO_AUTH: u16 = 32;
/// The command is carried out at once, also after `MULTI`.
pub(crate) const NO_QUEUE: u16 = 64;
/// The flags as `COMMAND` names them.
pub(crate) const FLAG_NAMES: [(u16, &str); 6] = [
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (ADMIN, "admin"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
];

/// Which arguments are keys: the first, the last (-1: up to the end), and how far they are apart.
pub(crate) type Keys = (i8, i8, i8);
const NONE: Keys = (0, 0, 0);
const ONE: Keys = (1, 1, 1);
const ALL: Keys = (1, -1, 1);
const PAIRS: Keys = (1, -1, 2);

/// One command or subcommand.
pub(crate) struct Command {
    /// Name in lower case; that of a subcommand is `command|subcommand`.
    pub(crate) name: &'static str,
    /// The [`lookup_key`] of the name; for a subcommand, of the part behind the `|`.
    pub(crate) key: u128,
    /// Number of arguments, with the name. A negative number is the least one.
    pub(crate) arity: i8,
    pub(crate) flags: u16,
    pub(crate) keys: Keys,
    pub(crate) group: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) run: Handler,
    /// Its subcommands, sorted by name.
    pub(crate) subcommands: &'static [Command],
}

impl Command {
    /// Returns whether the command is carried out at once, also after `MULTI`.
    pub(crate) fn is_run_in_a_transaction(&self) -> bool {
        self.flags & NO_QUEUE != 0
    }

    /// Returns whether the command takes this many arguments, its name included.
    pub(crate) fn takes(&self, arguments: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 {
            arguments >= arity
        } else {
            arguments == arity
        }
    }
}

/// Makes a row of the table.
const fn row(
    name: &'static str,
    arity: i8,
    flags: u16,
    keys: Keys,
    group: &'static str,
    run: Handler,
    summary: &'static str,
) -> Command {
    Command {
        name,
        key: lookup_key(last_part(name.as_bytes())),
        arity,
        flags,
        keys,
        group,
        summary,
        run,
        subcommands: &[],
    }
}

/// Returns the part of a subcommand's name behind the `|`.
const fn last_part(name: &[u8]) -> &[u8] {
    let mut last = name;
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'|' {
            last = tail;
        }
    }
    last
}

/// Returns the first 16 bytes of a name in lower case as one number, which is ordered as the names are.
pub(crate) const fn lookup_key(mut name: &[u8]) -> u128 {
    let mut key = 0;
    let mut shift = u128::BITS;
    while let [byte, tail @ ..] = name
        && shift > 0
    {
        shift -= 8;
        key |= (byte.to_ascii_lowercase() as u128) << shift;
        name = tail;
    }
    key
}

/// Adds subcommands to a row.
const fn with(subcommands: &'static [Command], command: Command) -> Command {
    Command {
        subcommands,
        ..command
    }
}

/// Every command, sorted by name.
#[rustfmt::skip]
pub(crate) const COMMANDS: &[Command] = &[
    row("append", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::append, "Append a value to a key"),
    row("auth", -2, FAST | NO_AUTH, NONE, "connection", auth::auth, "Give the password"),
    with(CLIENT, row("client", -2, 0, NONE, "connection", client::container, "Commands about client connections")),
    with(COMMAND, row("command", -1, 0, NONE, "server", introspection::command, "Get details of all commands")),
    row("compute", -2, ADMIN, NONE, "server", compute::compute,
        "Look at compute slices, start and stop them; needs admin=1 at boot"),
    with(CONFIG, row("config", -2, ADMIN, NONE, "server", client::container,
        "Commands about configuration parameters")),
    row("dbsize", 1, READONLY | FAST, NONE, "server", databases::dbsize, "Get the number of keys"),
    row("debug", -2, ADMIN, NONE, "server", debug::debug, "Inject faults and fill the server; needs debug=1 at boot"),
    row("decr", 2, WRITE | DENYOOM | FAST, ONE, "string", strings::decr,
        "Subtract one from the integer value of a key"),
    row("decrby", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::decrby,
        "Subtract a number from the integer value of a key"),
    row("del", -2, WRITE, ALL, "generic", keys::del, "Delete keys"),
    row("discard", 1, FAST | NO_QUEUE, NONE, "transactions", transactions::discard, "Discard a transaction"),
    row("echo", 2, FAST, NONE, "connection", client::echo, "Get the given string back"),
    row("exec", 1, NO_QUEUE, NONE, "transactions", transactions::exec, "Run the commands of a transaction"),
    row("exists", -2, READONLY | FAST, ALL, "generic", keys::exists, "Count how many of the keys exist"),
    row("expire", -3, WRITE | DENYOOM | FAST, ONE, "generic", expiry::expire, "Set a key's time to live in seconds"),
    row("expireat", -3, WRITE | DENYOOM | FAST, ONE, "generic", expiry::expireat,
        "Set when a key expires, in seconds since 1970"),
    row("expiretime", 2, READONLY | FAST, ONE, "generic", expiry::expiretime,
        "Get when a key expires, in seconds since 1970"),
    row("failover", -1, ADMIN, NONE, "server", failover::failover,
        "Hand the machine over to the backup; needs admin=1 at boot"),
    row("flushall", -1, WRITE, NONE, "server", databases::flushall, "Remove all keys"),
    row("flushdb", -1, WRITE, NONE, "server", databases::flushdb, "Remove all keys of the database"),
    with(FUNCTION, row("function", -2, 0, NONE, "scripting", client::container, "Functions; there are none")),
    row("get", 2, READONLY | FAST, ONE, "string", strings::get, "Get the value of a key"),
    row("getdel", 2, WRITE | FAST, ONE, "string", string_values::getdel,
        "Get the value of a key and delete it"),
    row("getex", -2, WRITE | FAST, ONE, "string", string_values::getex,
        "Get the value of a key, and set when it expires"),
    row("getset", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::getset,
        "Set the value of a key and get the old one"),
    row("hdel", -3, WRITE | FAST, ONE, "hash", hashes::hdel, "Delete fields of a hash"),
    row("hello", -1, FAST | NO_AUTH, NONE, "connection", client::hello,
        "Choose the protocol version; only 2 is spoken"),
    row("hexists", 3, READONLY | FAST, ONE, "hash", hash_fields::hexists,
        "See whether a hash has a field"),
    row("hget", 3, READONLY | FAST, ONE, "hash", hashes::hget, "Get the value of a hash's field"),
    row("hgetall", 2, READONLY, ONE, "hash", hashes::hgetall, "Get all fields and values of a hash"),
    row("hincrby", 4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hincrby,
        "Add a number to the integer value of a hash's field"),
    row("hkeys", 2, READONLY, ONE, "hash", hash_fields::hkeys,
        "Get all fields of a hash"),
    row("hlen", 2, READONLY | FAST, ONE, "hash", hashes::hlen, "Get the number of fields of a hash"),
    row("hmget", -3, READONLY | FAST, ONE, "hash", hash_fields::hmget,
        "Get the values of fields of a hash"),
    row("hmset", -4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hmset,
        "Set fields of a hash"),
    row("hset", -4, WRITE | DENYOOM | FAST, ONE, "hash", hashes::hset, "Set fields of a hash"),
    row("hsetnx", 4, WRITE | DENYOOM | FAST, ONE, "hash", hash_fields::hsetnx,
        "Set a field of a hash if it does not exist"),
    row("hstrlen", 3, READONLY | FAST, ONE, "hash", hash_fields::hstrlen,
        "Get the length of the value of a hash's field"),
    row("hvals", 2, READONLY, ONE, "hash", hash_fields::hvals,
        "Get all values of a hash"),
    row("incr", 2, WRITE | DENYOOM | FAST, ONE, "string", strings::incr, "Add one to the integer value of a key"),
    row("incrby", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::incrby,
        "Add a number to the integer value of a key"),
    row("info", -1, 0, NONE, "server", info::info, "Get facts about the server"),
    row("keys", 2, READONLY, NONE, "generic", scan::keys, "Get all keys that match a pattern"),
    row("llen", 2, READONLY | FAST, ONE, "list", lists::llen, "Get the length of a list"),
    row("lpop", -2, WRITE | FAST, ONE, "list", lists::lpop, "Remove and get the first elements of a list"),
    row("lpush", -3, WRITE | DENYOOM | FAST, ONE, "list", lists::lpush, "Put elements in front of a list"),
    row("lrange", 4, READONLY, ONE, "list", lists::lrange, "Get a range of elements of a list"),
    row("mget", -2, READONLY | FAST, ALL, "string", strings::mget, "Get the values of keys"),
    row("move", 3, WRITE | DENYOOM | FAST, ONE, "generic", databases::move_key, "Move a key to another database"),
    row("mset", -3, WRITE | DENYOOM, PAIRS, "string", strings::mset, "Set keys to values"),
    row("msetnx", -3, WRITE | DENYOOM, PAIRS, "string", string_values::msetnx,
        "Set keys to values if none of them exists"),
    row("multi", 1, FAST | NO_QUEUE, NONE, "transactions", transactions::multi, "Begin a transaction"),
    row("persist", 2, WRITE | FAST, ONE, "generic", expiry::persist, "Remove a key's time to live"),
    row("pexpire", -3, WRITE | DENYOOM | FAST, ONE, "generic", expiry::pexpire,
        "Set a key's time to live in milliseconds"),
    row("pexpireat", -3, WRITE | DENYOOM | FAST, ONE, "generic", expiry::pexpireat,
        "Set when a key expires, in milliseconds since 1970"),
    row("pexpiretime", 2, READONLY | FAST, ONE, "generic", expiry::pexpiretime,
        "Get when a key expires, in milliseconds since 1970"),
    row("ping", -1, FAST, NONE, "connection", client::ping, "See whether the server answers"),
    row("psetex", 4, WRITE | DENYOOM, ONE, "string", string_values::psetex,
        "Set the value of a key, and its time to live in milliseconds"),
    row("pttl", 2, READONLY | FAST, ONE, "generic", expiry::pttl, "Get a key's time to live in milliseconds"),
    row("quit", -1, FAST | NO_AUTH | NO_QUEUE, NONE, "connection", client::quit, "Close the connection"),
    row("readonly", 1, FAST, NONE, "connection", server::cluster_only,
        "For clusters; there is none"),
    row("readwrite", 1, FAST, NONE, "connection", server::cluster_only,
        "For clusters; there is none"),
    row("reset", 1, FAST | NO_AUTH | NO_QUEUE, NONE, "connection", client::reset,
        "Put the connection into its first state"),
    row("role", 1, ADMIN | FAST, NONE, "server", server::role, "Get the role of the instance"),
    row("rpop", -2, WRITE | FAST, ONE, "list", lists::rpop, "Remove and get the last elements of a list"),
    row("rpush", -3, WRITE | DENYOOM | FAST, ONE, "list", lists::rpush, "Put elements at the end of a list"),
    row("sadd", -3, WRITE | DENYOOM | FAST, ONE, "set", sets::sadd, "Add members to a set"),
    row("scan", -2, READONLY, NONE, "generic", scan::scan, "Go through the keys step by step"),
    row("scard", 2, READONLY | FAST, ONE, "set", sets::scard, "Get the number of members of a set"),
    row("select", 2, FAST, NONE, "connection", databases::select, "Choose the database"),
    row("set", -3, WRITE | DENYOOM, ONE, "string", strings::set, "Set the value of a key"),
    row("setex", 4, WRITE | DENYOOM, ONE, "string", string_values::setex,
        "Set the value of a key, and its time to live in seconds"),
    row("setnx", 3, WRITE | DENYOOM | FAST, ONE, "string", strings::setnx,
        "Set the value of a key if it does not exist"),
    row("sismember", 3, READONLY | FAST, ONE, "set", sets::sismember, "See whether a set has a member"),
    row("smembers", 2, READONLY, ONE, "set", sets::smembers, "Get all members of a set"),
    row("spop", -2, WRITE | FAST, ONE, "set", sets::spop, "Remove and get random members of a set"),
    row("srem", -3, WRITE | FAST, ONE, "set", sets::srem, "Remove members of a set"),
    row("strlen", 2, READONLY | FAST, ONE, "string", strings::strlen, "Get the length of a key's value"),
    row("swapdb", 3, WRITE | FAST, NONE, "server", databases::swapdb, "Exchange two databases"),
    row("time", 1, FAST, NONE, "server", server::time,
        "Get the time"),
    row("touch", -2, READONLY | FAST, ALL, "generic", keys::exists,
        "Count how many of the keys exist"),
    row("ttl", 2, READONLY | FAST, ONE, "generic", expiry::ttl, "Get a key's time to live in seconds"),
    row("type", 2, READONLY | FAST, ONE, "generic", keys::type_of, "Get the type of a key's value"),
    row("understudy", -2, ADMIN, NONE, "server", understudy::understudy,
        "Load, arm and disarm backups; needs admin=1 at boot"),
    row("unlink", -2, WRITE | FAST, ALL, "generic", keys::del,
        "Delete keys"),
    row("unwatch", 1, FAST, NONE, "transactions", transactions::unwatch, "Forget the watched keys"),
    row("watch", -2, FAST | NO_QUEUE, ALL, "transactions", transactions::watch,
        "Watch keys: a transaction fails if they change"),
];

#[rustfmt::skip]
const CLIENT: &[Command] = &[
    row("client|getname", 2, FAST, NONE, "connection", client::getname, "Get the connection's name"),
    row("client|help", 2, FAST, NONE, "connection", client::client_help, "Show the subcommands"),
    row("client|id", 2, FAST, NONE, "connection", client::id, "Get the connection's number"),
    row("client|info", 2, FAST, NONE, "connection", client::info, "Get facts about the connection"),
    row("client|list", -2, ADMIN, NONE, "connection", client::list, "Get facts about all connections"),
    row("client|no-evict", 3, ADMIN, NONE, "connection", client::no_evict, "Accepted; nothing is ever evicted"),
    row("client|setinfo", 4, FAST, NONE, "connection", client::setinfo, "Accepted; nothing is kept"),
    row("client|setname", 3, FAST, NONE, "connection", client::setname, "Give the connection a name"),
];

#[rustfmt::skip]
const COMMAND: &[Command] = &[
    row("command|count", 2, FAST, NONE, "server", introspection::count, "Get the number of commands"),
    row("command|docs", -2, 0, NONE, "server", introspection::docs, "Get the documentation of commands"),
    row("command|help", 2, FAST, NONE, "server", introspection::command_help, "Show the subcommands"),
    row("command|info", -2, 0, NONE, "server", introspection::info, "Get details of commands"),
    row("command|list", -2, 0, NONE, "server", introspection::list, "Get the names of all commands"),
];

#[rustfmt::skip]
const CONFIG: &[Command] = &[
    row("config|get", -3, ADMIN, NONE, "server", server::config_get, "Get configuration parameters"),
    row("config|help", 2, FAST, NONE, "server", server::config_help, "Show the subcommands"),
];

#[rustfmt::skip]
const FUNCTION: &[Command] = &[
    row("function|flush", -2, WRITE, NONE, "scripting", server::function_flush, "Delete all functions; there are none"),
];
