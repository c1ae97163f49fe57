//! A Redis client that gives up quickly: the server it talks to may be dying.

use std::time::Duration;

use redis::{Client, Connection, ErrorKind, FromRedisValue, RedisError, RedisResult};

use crate::ledger::KeyStore;
use crate::problem::Problem;

/// How long a client waits for an answer before it tries another connection.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the connection. QEMU's user network takes a connection even if the guest behind it is dead, and asks the
    /// guest again only after seconds: to try anew is quicker.
    pub connect: Duration,
    /// For a reply.
    pub reply: Duration,
}

/// A client that wants to be served again as soon as possible.
pub const IMPATIENT: Patience = Patience {
    connect: Duration::from_millis(60),
    reply: Duration::from_millis(100),
};

/// One of many clients on a host with few processors. QEMU's user network has no queue for clients who connect at once;
/// the host would try again for those it drops after a second.
pub const ONE_OF_MANY: Patience = Patience {
    connect: Duration::from_millis(200),
    reply: Duration::from_secs(1),
};

/// How long a client of a healthy machine waits for anything: emulated machines on a busy host take their time.
pub const PATIENT: Patience = Patience {
    connect: Duration::from_secs(10),
    reply: Duration::from_secs(10),
};

/// Connects to the service.
///
/// # Errors
/// Nobody answers in time.
pub fn connect(port: u16, patience: Patience) -> RedisResult<Connection> {
    let connection =
        Client::open(("127.0.0.1", port))?.get_connection_with_timeout(patience.connect)?;
    connection.set_read_timeout(Some(patience.reply))?;
    connection.set_write_timeout(Some(patience.reply))?;
    Ok(connection)
}

/// Says whether the error is an answer of the server, and not its silence.
pub fn is_answer(error: &RedisError) -> bool {
    !(error.is_io_error() || error.kind() == ErrorKind::Parse)
}

/// Gives the service a command as one would type it; blanks separate the words.
///
/// # Errors
/// The connection fails, or the service refuses the command.
pub fn run<T: FromRedisValue>(connection: &mut Connection, command: &str) -> RedisResult<T> {
    let mut words = command.split_whitespace();
    let mut built = redis::cmd(words.next().unwrap_or_default());
    words.for_each(|word| {
        built.arg(word);
    });
    built.query(connection)
}

/// Does as [`run`], on a connection of its own, to a machine that is well.
///
/// # Errors
/// The service does not answer, or refuses.
pub fn ask<T: FromRedisValue>(port: u16, command: &str) -> Result<T, Problem> {
    let answer = connect(port, PATIENT).and_then(|mut connection| run(&mut connection, command));
    answer.map_err(|error| Problem::Failed(format!("{command}: {error}")))
}

/// Injects a fault. The machine may die of it, and mostly leaves no answer.
///
/// # Errors
/// The service answers that it will not.
pub fn inject(port: u16, command: &str) -> Result<(), Problem> {
    let refused = |error: RedisError| Problem::Failed(format!("{command}: {error}"));
    let mut connection = connect(port, PATIENT).map_err(refused)?;
    let answer = connection
        .set_read_timeout(Some(IMPATIENT.reply))
        .and_then(|()| run::<String>(&mut connection, command));
    match answer {
        Err(error) if is_answer(&error) => Err(refused(error)),
        _ => Ok(()),
    }
}

/// Keys asked for at once.
const BATCH: usize = 500;

impl KeyStore for Connection {
    type Error = RedisError;

    fn values(&mut self, keys: &[String]) -> RedisResult<Vec<Option<Vec<u8>>>> {
        let mut values = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            values.extend(
                redis::cmd("MGET")
                    .arg(batch)
                    .query::<Vec<Option<Vec<u8>>>>(self)?,
            );
        }
        Ok(values)
    }

    fn keys(&mut self, pattern: &str) -> RedisResult<Vec<String>> {
        redis::cmd("KEYS").arg(pattern).query(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn silence_is_no_answer() {
        use io::ErrorKind::{BrokenPipe, ConnectionRefused, TimedOut, UnexpectedEof, WouldBlock};
        for kind in [
            BrokenPipe,
            ConnectionRefused,
            TimedOut,
            UnexpectedEof,
            WouldBlock,
        ] {
            assert!(!is_answer(&io::Error::from(kind).into()), "{kind}");
        }
        assert!(!is_answer(&(ErrorKind::Parse, "cut off").into()));
        assert!(is_answer(
            &(ErrorKind::UnexpectedReturnType, "not a number").into()
        ));
        let refusal = redis::parse_redis_value(b"-WRONGTYPE of another kind\r\n").unwrap();
        let error = refusal.extract_error().unwrap_err();
        assert!(is_answer(&error), "{error}");
    }
}
