//! What is known of each command before it runs: its name, how many arguments it takes, which of them are keys.

/// The command may change the keyspace.
pub const WRITE: u16 = 1;
/// The command reads the keyspace.
pub const READONLY: u16 = 2;
/// The command may make the keyspace larger, so it is refused when memory is used up. (Redis does not refuse
/// `EXPIRE`; but a deadline takes memory too.)
pub const DENYOOM: u16 = 4;
/// The command is for the operator.
pub const ADMIN: u16 = 8;
/// The command's time does not depend on how much is stored.
pub const FAST: u16 = 16;
/// The command is for clients that have not given the password, too.
pub const NO_AUTH: u16 = 32;
/// The command is carried out at once, also after `MULTI`.
pub const NO_QUEUE: u16 = 64;
/// The command may have to wait.
pub const BLOCKING: u16 = 128;
/// The flags as `COMMAND` names them.
pub const FLAG_NAMES: [(u16, &str); 7] = [
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (ADMIN, "admin"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
    (BLOCKING, "blocking"),
];

/// Which arguments are keys: the first, the last (-1: up to the end), and how far they are apart.
pub type Keys = (i8, i8, i8);
/// No argument is a key.
pub const NONE: Keys = (0, 0, 0);
/// The first argument is a key.
pub const ONE: Keys = (1, 1, 1);
/// The first two arguments are keys.
pub const TWO: Keys = (1, 2, 1);
/// All arguments are keys.
pub const ALL: Keys = (1, -1, 1);
/// Every other argument is a key.
pub const PAIRS: Keys = (1, -1, 2);

/// One command or subcommand. `R` is how it is run.
#[derive(Clone, Copy)]
pub struct Command<R: 'static> {
    /// Name in lower case; that of a subcommand is `command|subcommand`.
    pub name: &'static str,
    /// The [`lookup_key`] of the name; for a subcommand, of the part behind the `|`.
    pub key: u128,
    /// Number of arguments, with the name. A negative number is the least one.
    pub arity: i8,
    /// What kind of command it is, as [`FLAG_NAMES`].
    pub flags: u16,
    /// Which arguments are keys.
    pub keys: Keys,
    /// Redis' group of it.
    pub group: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// How it is run.
    pub run: R,
    /// Its subcommands, sorted by name.
    pub subcommands: &'static [Command<R>],
}

impl<R> Command<R> {
    /// Returns whether the command is carried out at once, also after `MULTI`.
    pub fn is_run_in_a_transaction(&self) -> bool {
        self.flags & NO_QUEUE != 0
    }

    /// Returns whether the command takes this many arguments, its name included.
    pub fn takes(&self, arguments: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 {
            arguments >= arity
        } else {
            arguments == arity
        }
    }
}

/// Makes a row of a table.
pub const fn row<R: Copy>(
    name: &'static str,
    arity: i8,
    flags: u16,
    keys: Keys,
    group: &'static str,
    run: R,
    summary: &'static str,
) -> Command<R> {
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

/// Adds subcommands to a row.
pub const fn with<R: Copy>(subcommands: &'static [Command<R>], command: Command<R>) -> Command<R> {
    Command {
        subcommands,
        ..command
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
pub const fn lookup_key(mut name: &[u8]) -> u128 {
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

/// Finds a name, in upper or lower case, in a sorted table. No command's name is longer than a [`lookup_key`] can hold.
pub fn lookup<R>(commands: &'static [Command<R>], name: &[u8]) -> Option<&'static Command<R>> {
    if name.len() > size_of::<u128>() {
        return None;
    }
    let key = lookup_key(name);
    let index = commands.binary_search_by_key(&key, |command| command.key);
    commands.get(index.ok()?)
}
