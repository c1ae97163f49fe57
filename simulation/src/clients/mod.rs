//! Clients. Each knows what every reply must be, byte for byte, and connects only once.

mod client;
mod reply;
mod workload;

use std::cell::RefCell;

use crate::machine::events::Event;
use crate::machine::frame::Frame;
use crate::machine::{MS, US};
use crate::scenario::Scenario;
use crate::world::World;
use client::Client;

/// All clients of a machine.
pub struct Clients(RefCell<Vec<Client>>);

impl Clients {
    /// Makes the clients of a scenario.
    pub fn of(scenario: &Scenario) -> Self {
        let client = |number| Client::new(number, scenario.commands);
        Self(RefCell::new((0..scenario.clients).map(client).collect()))
    }

    /// Returns whether all have every reply and no command left to begin.
    pub fn are_done(&self) -> bool {
        self.0.borrow().iter().all(Client::is_done)
    }

    /// Describes the clients that still wait.
    pub fn describe_waiting(&self) -> String {
        let clients = self.0.borrow();
        let waiting = clients.iter().filter(|client| !client.is_done());
        let waiting: Vec<String> = waiting.map(ToString::to_string).collect();
        waiting.join("; ")
    }

    /// Lets the first client send a request that stops every kernel that applies it.
    pub fn poison(&self) {
        self.0.borrow_mut()[0].poison();
    }

    /// Lets the first client ask for a switchover. It may be refused.
    pub fn switch_over(&self) {
        self.0.borrow_mut()[0].switch_over();
    }
}

/// Lets a client send what it has to send, and look again later.
pub fn look(world: &World, number: usize) {
    let frames = world.clients.0.borrow_mut()[number].look(world);
    for frame in frames {
        world.wires.transmit(frame, Event::Arrival);
    }
    let delay_ns = 50 * US + world.random.below(MS);
    world.scheduler.after(delay_ns, Event::Client(number));
}

/// Gives a frame to its client, which acknowledges what it brings.
pub fn receive(world: &World, frame: &Frame) {
    let ack = match world.clients.0.borrow_mut().get_mut(frame.client) {
        Some(client) => client.receive(world, frame),
        None => {
            let law = format!("a frame goes to client {}, who is nobody", frame.client);
            return world.oracle.broken(law);
        }
    };
    if let Some(ack) = ack {
        world.wires.transmit(ack, Event::Arrival);
    }
}
