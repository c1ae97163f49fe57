//! A few clients that never reconnect, on a machine with keys in it.

use crate::client;
use crate::machine::Machine;
use crate::problem::{Problem, require};
use crate::steady::{Habit, Steady};

/// Rounds of every client between two changes of the machine.
const ROUNDS: u64 = 3;

/// The clients: one chats, one sends pipelines, one is idle.
pub struct Fleet {
    clients: Vec<Steady>,
    keys: u64,
}

impl Fleet {
    /// Puts `keys` keys into the machine and starts the clients, one after another: QEMU's user network has no queue.
    ///
    /// # Errors
    /// One of them does not get to its first reply.
    pub fn start(machine: &Machine, keys: u64) -> Result<Self, Problem> {
        let port = machine.port()?;
        client::inject(port, &format!("DEBUG POPULATE {keys}"))?;
        let mut clients = Vec::new();
        for habit in [Habit::Chat, Habit::Pipeline, Habit::Idle] {
            let client = Steady::start(port, habit, &format!("{habit:?}"));
            Steady::all_do_more(std::slice::from_ref(&client), 1, machine.time_left())?;
            clients.push(client);
        }
        Ok(Self { clients, keys })
    }

    /// Waits until each has done some rounds more.
    ///
    /// # Errors
    /// One does not.
    pub fn do_more(&self, machine: &Machine) -> Result<(), Problem> {
        Steady::all_do_more(&self.clients, ROUNDS, machine.time_left())
    }

    /// Lets them go on once more, and ends them. Every key is there.
    ///
    /// # Errors
    /// One has lost its connection, or a reply, or a key is missing.
    pub fn finish(self, machine: &Machine) -> Result<(), Problem> {
        self.do_more(machine)?;
        for client in self.clients {
            client.finish()?;
        }
        let keys: u64 = client::ask(machine.port()?, "DBSIZE")?;
        require(keys >= self.keys, || {
            format!("{keys} keys of {} are left", self.keys)
        })
    }
}
