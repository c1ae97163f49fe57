//! The table of commands. Lookup, the arity check, the memory check and `COMMAND` all use it.
//!
//! The table and `introspection` name each other on purpose: the table lists `COMMAND`, and `COMMAND` reports the
//! table.

use super::{
    Context, auth, blocking, client, client_list, client_replies, compute, debug, diagnostics,
    failover, info, introspection, kill, monitor, pubsub, server, transactions, understudy,
};
use key_commands::{
    ADMIN, ALL, BLOCKING, COMMANDS as ON_KEYS, DENYOOM, FAST, Keys, NO_AUTH, NO_QUEUE, NONE,
    Outcome, TWO, WRITE, with,
};
use resp::Arguments;

/// Runs a command. The arguments include its name, and their number is checked already.
pub(super) type Handler = fn(&mut Context<'_, '_>, &mut Arguments<'_>) -> Outcome;

/// How a command is run.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// It uses the keyspace, and nothing else of the service.
    OnKeys(key_commands::Handler),
    /// It is about clients, the server or the kernel.
    OnService(Handler),
}

/// One command or subcommand.
pub(crate) type Command = key_commands::Command<Run>;

/// Makes a row of a command on the service.
const fn row(
    name: &'static str,
    arity: i8,
    flags: u16,
    keys: Keys,
    group: &'static str,
    run: Handler,
    summary: &'static str,
) -> Command {
    key_commands::row(
        name,
        arity,
        flags,
        keys,
        group,
        Run::OnService(run),
        summary,
    )
}

/// Makes a row of a command on keys.
const fn on_keys(row: &key_commands::Command<key_commands::Handler>) -> Command {
    key_commands::row(
        row.name,
        row.arity,
        row.flags,
        row.keys,
        row.group,
        Run::OnKeys(row.run),
        row.summary,
    )
}

/// Makes rows of subcommands on keys.
const fn all_on_keys<const N: usize>(
    rows: &[key_commands::Command<key_commands::Handler>],
) -> [Command; N] {
    let (mut all, mut at) = ([on_keys(&rows[0]); N], 0);
    while at < N {
        all[at] = on_keys(&rows[at]);
        at += 1;
    }
    all
}

/// Number of commands.
const COUNT: usize = {
    let (mut count, mut group) = (OWN.len(), 0);
    while group < ON_KEYS.len() {
        count += ON_KEYS[group].len();
        group += 1;
    }
    count
};

/// Every command, sorted by name.
pub(crate) static COMMANDS: [Command; COUNT] = {
    let (mut all, mut length) = ([OWN[0]; COUNT], 0);
    while length < OWN.len() {
        insert(&mut all, length, OWN[length]);
        length += 1;
    }
    let mut group = 0;
    while group < ON_KEYS.len() {
        let (rows, mut at) = (ON_KEYS[group], 0);
        while at < rows.len() {
            insert(&mut all, length, on_keys(&rows[at]));
            (length, at) = (length + 1, at + 1);
        }
        group += 1;
    }
    all
};

/// Inserts a row among the first `length` ones, which are sorted.
const fn insert(all: &mut [Command; COUNT], length: usize, row: Command) {
    let mut at = length;
    while at > 0 && all[at - 1].key > row.key {
        all[at] = all[at - 1];
        at -= 1;
    }
    all[at] = row;
}

/// The commands on the service.
#[rustfmt::skip]
const OWN: &[Command] = &[
    row("auth", -2, FAST | NO_AUTH, NONE, "connection", auth::auth, "Give the password"),
    row("blmove", 6, WRITE | DENYOOM | BLOCKING, TWO, "list", blocking::wait,
        "Move an element from one list to another, or wait for one"),
    row("blmpop", -5, WRITE | BLOCKING, NONE, "list", blocking::wait,
        "Remove and get elements of the first list that is not empty, or wait for one"),
    row("blpop", -3, WRITE | BLOCKING, (1, -2, 1), "list", blocking::wait,
        "Remove and get the first element of a list, or wait for one"),
    row("brpop", -3, WRITE | BLOCKING, (1, -2, 1), "list", blocking::wait,
        "Remove and get the last element of a list, or wait for one"),
    row("brpoplpush", 4, WRITE | DENYOOM | BLOCKING, TWO, "list", blocking::wait,
        "Move the last element of a list to the front of another, or wait for one"),
    row("bzmpop", -5, WRITE | BLOCKING, NONE, "sorted-set", blocking::wait,
        "Remove and get members of the first sorted set that is not empty, or wait for one"),
    row("bzpopmax", -3, WRITE | FAST | BLOCKING, (1, -2, 1), "sorted-set", blocking::wait,
        "Remove and get the member with the highest score, or wait for one"),
    row("bzpopmin", -3, WRITE | FAST | BLOCKING, (1, -2, 1), "sorted-set", blocking::wait,
        "Remove and get the member with the lowest score, or wait for one"),
    with(CLIENT, row("client", -2, 0, NONE, "connection", client::container, "Commands about client connections")),
    with(COMMAND, row("command", -1, 0, NONE, "server", introspection::command, "Get details of all commands")),
    row("compute", -2, ADMIN, NONE, "server", compute::compute,
        "Look at compute slices, start and stop them; needs admin=1 at boot"),
    with(CONFIG, row("config", -2, ADMIN, NONE, "server", client::container,
        "Commands about configuration parameters")),
    row("debug", -2, ADMIN, NONE, "server", debug::debug, "Inject faults and fill the server; needs debug=1 at boot"),
    row("discard", 1, FAST | NO_QUEUE, NONE, "transactions", transactions::discard, "Discard a transaction"),
    row("echo", 2, FAST, NONE, "connection", client::echo, "Get the given string back"),
    row("exec", 1, NO_QUEUE, NONE, "transactions", transactions::exec, "Run the commands of a transaction"),
    row("failover", -1, ADMIN, NONE, "server", failover::failover,
        "Hand the machine over to the backup; needs admin=1 at boot"),
    with(FUNCTION, row("function", -2, 0, NONE, "scripting", client::container, "Functions; there are none")),
    row("hello", -1, FAST | NO_AUTH, NONE, "connection", client::hello,
        "Choose the protocol version; only 2 is spoken"),
    row("info", -1, 0, NONE, "server", info::info, "Get facts about the server"),
    with(LATENCY, row("latency", -2, 0, NONE, "server", client::container,
        "Commands about latency; it is not measured")),
    with(&MEMORY, row("memory", -2, 0, NONE, "server", client::container, "Commands about memory")),
    row("monitor", 1, ADMIN, NONE, "server", monitor::monitor, "See every command that is run"),
    row("multi", 1, FAST | NO_QUEUE, NONE, "transactions", transactions::multi, "Begin a transaction"),
    with(&OBJECT, row("object", -2, 0, NONE, "generic", client::container, "Commands about values")),
    row("ping", -1, FAST, NONE, "connection", client::ping, "See whether the server answers"),
    row("psubscribe", -2, 0, NONE, "pubsub", pubsub::psubscribe,
        "Get what is published in channels that match a pattern"),
    row("publish", 3, FAST, NONE, "pubsub", pubsub::publish,
        "Send a message to who has subscribed to a channel"),
    with(PUBSUB, row("pubsub", -2, 0, NONE, "pubsub", client::container, "Commands about subscriptions")),
    row("punsubscribe", -1, 0, NONE, "pubsub", pubsub::punsubscribe,
        "End subscriptions to patterns"),
    row("quit", -1, FAST | NO_AUTH | NO_QUEUE, NONE, "connection", client::quit, "Close the connection"),
    row("readonly", 1, FAST, NONE, "connection", server::cluster_only,
        "For clusters; there is none"),
    row("readwrite", 1, FAST, NONE, "connection", server::cluster_only,
        "For clusters; there is none"),
    row("reset", 1, FAST | NO_AUTH | NO_QUEUE, NONE, "connection", client::reset,
        "Put the connection into its first state"),
    row("role", 1, ADMIN | FAST, NONE, "server", server::role, "Get the role of the instance"),
    row("select", 2, FAST, NONE, "connection", client::select, "Choose the database"),
    with(SLOWLOG, row("slowlog", -2, 0, NONE, "server", client::container,
        "Commands about slow commands; they are not noted")),
    row("subscribe", -2, 0, NONE, "pubsub", pubsub::subscribe,
        "Get what is published in channels"),
    row("time", 1, FAST, NONE, "server", server::time,
        "Get the time"),
    row("understudy", -2, ADMIN, NONE, "server", understudy::understudy,
        "Load, arm and disarm backups; needs admin=1 at boot"),
    row("unsubscribe", -1, 0, NONE, "pubsub", pubsub::unsubscribe,
        "End subscriptions to channels"),
    row("unwatch", 1, FAST, NONE, "transactions", transactions::unwatch, "Forget the watched keys"),
    row("watch", -2, FAST | NO_QUEUE, ALL, "transactions", transactions::watch,
        "Watch keys: a transaction fails if they change"),
];

#[rustfmt::skip]
const CLIENT: &[Command] = &[
    row("client|caching", 3, 0, NONE, "connection", client_replies::caching, "For tracking; there is none"),
    row("client|getname", 2, FAST, NONE, "connection", client::getname, "Get the connection's name"),
    row("client|getredir", 2, 0, NONE, "connection", client_replies::getredir, "For tracking; there is none"),
    row("client|help", 2, FAST, NONE, "connection", client::client_help, "Show the subcommands"),
    row("client|id", 2, FAST, NONE, "connection", client::id, "Get the connection's number"),
    row("client|info", 2, FAST, NONE, "connection", client_list::info, "Get facts about the connection"),
    row("client|kill", -3, ADMIN, NONE, "connection", kill::kill, "End connections"),
    row("client|list", -2, ADMIN, NONE, "connection", client_list::list, "Get facts about all connections"),
    row("client|no-evict", 3, ADMIN, NONE, "connection", client::no_evict, "Accepted; nothing is ever evicted"),
    row("client|pause", -3, ADMIN, NONE, "connection", client_replies::pause, "Refused"),
    row("client|reply", 3, 0, NONE, "connection", client_replies::reply, "Choose which replies the connection gets"),
    row("client|setinfo", 4, FAST, NONE, "connection", client::setinfo, "Accepted; nothing is kept"),
    row("client|setname", 3, FAST, NONE, "connection", client::setname, "Give the connection a name"),
    row("client|tracking", -3, 0, NONE, "connection", client_replies::tracking, "Refused, unless it is switched off"),
    row("client|trackinginfo", 2, 0, NONE, "connection", client_replies::trackinginfo, "For tracking; there is none"),
    row("client|unblock", -3, ADMIN, NONE, "connection", blocking::unblock, "End the wait of a client"),
];

#[rustfmt::skip]
const COMMAND: &[Command] = &[
    row("command|count", 2, FAST, NONE, "server", introspection::count, "Get the number of commands"),
    row("command|docs", -2, 0, NONE, "server", introspection::docs, "Get the documentation of commands"),
    row("command|getkeys", -4, 0, NONE, "server", introspection::getkeys, "Get the keys of a command"),
    row("command|help", 2, FAST, NONE, "server", introspection::command_help, "Show the subcommands"),
    row("command|info", -2, 0, NONE, "server", introspection::info, "Get details of commands"),
    row("command|list", -2, 0, NONE, "server", introspection::list, "Get the names of all commands"),
];

#[rustfmt::skip]
const CONFIG: &[Command] = &[
    row("config|get", -3, ADMIN, NONE, "server", server::config_get, "Get configuration parameters"),
    row("config|help", 2, FAST, NONE, "server", server::config_help, "Show the subcommands"),
    row("config|resetstat", 2, ADMIN, NONE, "server", server::config_resetstat, "Reset the statistics"),
    row("config|set", -4, ADMIN, NONE, "server", server::config_set, "Set a parameter to what it is"),
];

#[rustfmt::skip]
const FUNCTION: &[Command] = &[
    row("function|flush", -2, WRITE, NONE, "scripting", server::function_flush,
        "Delete all functions; there are none"),
];

#[rustfmt::skip]
const LATENCY: &[Command] = &[
    row("latency|doctor", 2, ADMIN, NONE, "server", diagnostics::latency_doctor, "Get a report about latency"),
    row("latency|graph", 3, ADMIN, NONE, "server", diagnostics::latency_graph, "Get a graph of an event's latency"),
    row("latency|help", 2, 0, NONE, "server", diagnostics::latency_help, "Show the subcommands"),
    row("latency|history", 3, ADMIN, NONE, "server", diagnostics::no_samples, "Get the latencies of an event"),
    row("latency|latest", 2, ADMIN, NONE, "server", diagnostics::no_samples, "Get the last latencies of all events"),
    row("latency|reset", -2, ADMIN, NONE, "server", diagnostics::latency_reset, "Forget the latencies of events"),
];

#[rustfmt::skip]
const SLOWLOG: &[Command] = &[
    row("slowlog|get", -2, ADMIN, NONE, "server", diagnostics::slowlog_get, "Get the slow commands"),
    row("slowlog|help", 2, 0, NONE, "server", diagnostics::slowlog_help, "Show the subcommands"),
    row("slowlog|len", 2, ADMIN, NONE, "server", diagnostics::slowlog_len, "Count the slow commands"),
    row("slowlog|reset", 2, ADMIN, NONE, "server", diagnostics::slowlog_reset, "Forget the slow commands"),
];

#[rustfmt::skip]
const PUBSUB: &[Command] = &[
    row("pubsub|channels", -2, 0, NONE, "pubsub", pubsub::channels, "Get the channels that have subscribers"),
    row("pubsub|help", 2, FAST, NONE, "pubsub", pubsub::pubsub_help, "Show the subcommands"),
    row("pubsub|numpat", 2, 0, NONE, "pubsub", pubsub::numpat, "Count the patterns that have subscribers"),
    row("pubsub|numsub", -2, 0, NONE, "pubsub", pubsub::numsub, "Count the subscribers of channels"),
];

const MEMORY: [Command; key_commands::MEMORY.len()] = all_on_keys(key_commands::MEMORY);
const OBJECT: [Command; key_commands::OBJECT.len()] = all_on_keys(key_commands::OBJECT);
