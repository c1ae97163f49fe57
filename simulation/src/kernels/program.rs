//! What an instance's cores execute: entry, main loop and interrupt handlers, in the order of the real kernel's.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use replica::{Inherited, JournaledService, Replica};
use service::{CONSOLE, Input};
use sharedmem::abi::EntryReason;
use sharedmem::epitaph::EpitaphCause;
use supervisor::Order;

use crate::kernels::host::Kernel;
use crate::kernels::incarnation::Incarnation;
use crate::kernels::transport::Transport;
use crate::machine::core::{Core, interrupt};
use crate::machine::events::Event;
use crate::machine::{MS, US};
use crate::oracle::{KEY, VALUE};
use crate::world::World;

/// Time for which a core that lingers looks for its order, in ns.
const LINGER_NS: u64 = 400 * US;

/// Runs a core that arrives at its mailbox, as the monitor's start page does.
pub fn arrive(world: &Rc<World>, core: u32) {
    let mailboxes = Rc::clone(&world.monitor.mailboxes.borrow());
    let arrived = mailboxes.arrive(core);
    let until_ns = world.now_ns() + if arrived.lingers { LINGER_NS } else { 0 };
    loop {
        if let Some(order) = mailboxes.take_order(core, &arrived) {
            return enter(world, &order);
        }
        if world.now_ns() >= until_ns {
            return;
        }
        world.spend(world.random.below(2 * US) + 1);
    }
}

/// Enters an instance.
fn enter(world: &Rc<World>, order: &Order) {
    let [entry, incarnation, _] = order.arguments;
    let incarnation = world.incarnations.get(incarnation as u32);
    let Some(core) = world.scheduler.current() else {
        return;
    };
    core.incarnation.set(Some(incarnation.number));
    let program = || match EntryReason::from_number(entry) {
        Some(EntryReason::StartPrimary) => serve(
            world,
            core,
            &incarnation,
            Replica::new(Kernel::new(world, &incarnation)),
        ),
        Some(EntryReason::Promote) => {
            let oracle = &world.oracle;
            oracle.check(oracle.primary.promotes(incarnation.number));
            let standby = incarnation.standby.borrow_mut().take();
            serve(
                world,
                core,
                &incarnation,
                standby.expect("a backup was made ready before it is promoted"),
            );
        }
        _ => join(world, core, &incarnation),
    };
    // A record that kills panics in the kernel's code.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(program)) {
        match is_poison(&*payload) {
            true => Kernel::new(world, &incarnation).end(EpitaphCause::Panic, POISON),
            false => panic::resume_unwind(payload),
        }
    }
}

/// The message with which a replica panics at a record that kills.
const POISON: &str = "DEBUG POISON";

/// Returns whether a panic was caused by a record that kills.
pub fn is_poison(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<&str>() == Some(&POISON)
}

/// Runs the first core: it becomes the primary and serves for ever, in the order of the real kernel's `serve`, `adopt`
/// and `round`.
fn serve(
    world: &Rc<World>,
    core: &Core,
    incarnation: &Rc<Incarnation>,
    mut replica: Replica<Kernel>,
) {
    let kernel = Kernel::new(world, incarnation);
    let epoch = world.memory.region.control.epoch.current();
    incarnation.epoch.set(epoch);
    incarnation.lead.set(core.number);
    let oracle = &world.oracle;
    oracle.check(
        oracle
            .primary
            .becomes(incarnation.number, world.wires.card.driver.get()),
    );
    world.faults.primary_begins();
    // Before the first keepalive: after it, the monitor may load the dead instance again.
    let epitaph = world.memory.region.control.epitaphs[incarnation.instance.other()].read();
    let epitaph = epitaph.filter(|epitaph| epitaph.epoch.checked_add(1) == Some(epoch));
    let predecessor = epitaph.and_then(|epitaph| epitaph.cause);
    incarnation.send_keepalive(world);
    core.is_deaf.set(false);
    tick(world, core.number, incarnation.number);
    world.spend(world.random.below(200 * US));
    world.wires.card.adopt(incarnation.number);
    let recovered = replica.recover(epoch);
    oracle.damage.named(recovered.finding_count);
    let inherited = Inherited {
        is_damaged: recovered.finding_count > 0,
        predecessor,
    };
    let mut journal = JournaledService::new(kernel.clone(), epoch, replica, inherited);
    world.faults.primary_serves();
    if journal.replica.service().state().string_of(KEY).is_none() {
        store_value(&mut journal);
    }
    let value = journal.replica.service().state().string_of(KEY);
    let law = oracle
        .values
        .begins(incarnation.number, world.now_ns(), value);
    if !oracle.damage.is_done.get() {
        oracle.check(law);
    }
    let timeline = world.memory.region.control.timelines.of_epoch(epoch);
    let mut transport = Transport::new(incarnation.number);
    loop {
        incarnation.progress[0].set(incarnation.progress[0].get() + 1);
        let is_leaving = journal.is_leaving(world.now_ns());
        let more = !is_leaving && transport.ingress(world, &mut journal);
        if let Err(error) = journal.check_service() {
            kernel.end(EpitaphCause::Service, &format!("{error}"));
        }
        if let Err(fault) = transport.check(world.now_ns())
            && journal.backup.is_protected()
        {
            kernel.end(EpitaphCause::Device, &format!("{fault}"));
        }
        incarnation.flip_value(world, &mut journal.replica);
        let gives_up = world.scenario.gives_up_diverged;
        if let Some(fault) = journal.check_state(gives_up) {
            oracle.values.found(incarnation.number);
            if gives_up && journal.backup.is_protected() {
                kernel.end(EpitaphCause::State, &format!("{fault}"));
            }
        }
        oracle.check(
            oracle
                .values
                .look(world.now_ns(), world.scenario.still_ns()),
        );
        let more = journal.write_checkpoint() || more;
        transport.egress(world, &mut journal);
        transport.release(world, &journal, &kernel);
        oracle.check(oracle.deadlines.serves(world.now_ns(), timeline));
        if is_leaving && journal.is_backup_level() {
            kernel.end(EpitaphCause::Switchover, "");
        }
        journal.backup.report(&kernel);
        match more {
            true => world.spend(world.random.below(2 * US)),
            false => world.sleep(u64::MAX),
        }
    }
}

/// Stores the value that changes by itself in some runs, for the first primary that has none. One that has it must keep
/// it as it is: storing it again would mend what the kernel has to find.
fn store_value(journal: &mut JournaledService<Kernel>) {
    let (connection, peer) = (CONSOLE, [0; 6]);
    journal.submit(Input::Open { connection, peer });
    let bytes = &[b"SET ", KEY, b" \"", VALUE, b"\"\r\n"].concat();
    journal.submit(Input::Bytes { connection, bytes });
}

/// Runs a further core, which counts its progress once a tick.
fn join(world: &World, core: &Core, incarnation: &Rc<Incarnation>) {
    let index = incarnation.cores.iter().position(|own| *own == core.number);
    let Some(progress) = index.and_then(|index| incarnation.progress.get(index)) else {
        return;
    };
    core.is_deaf.set(false);
    loop {
        progress.set(progress.get() + 1);
        world.sleep(world.now_ns() + world.scenario.keepalive_ns);
    }
}

/// Fires the periodic timer of a primary's first core, and sets it again while that core runs this incarnation.
pub fn tick(world: &World, number: u32, incarnation: u32) {
    let core = world.scheduler.core(number);
    if core.incarnation.get() != Some(incarnation) {
        return;
    }
    world.scheduler.interrupt(number, interrupt::TICK);
    let jitter_ns = match world.random.once_in(10) {
        true => world.random.below(MS),
        false => 0,
    };
    world.scheduler.after(
        world.scenario.keepalive_ns + jitter_ns,
        Event::Tick(number, incarnation),
    );
}

/// Handles interrupts on a core of an instance.
pub fn interrupted(world: &World, core: &Core, kinds: u32) {
    let Some(incarnation) = core.incarnation.get() else {
        return;
    };
    let incarnation = world.incarnations.get(incarnation);
    if kinds & interrupt::TICK != 0 && incarnation.lead.get() == core.number {
        incarnation.send_keepalive(world);
    }
}
