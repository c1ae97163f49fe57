//! What each fault does to the machine.

use std::sync::atomic::Ordering;

use sharedmem::epitaph::EpitaphCause;
use sharedmem::keeping::RESTORED;
use sharedmem::protection::ProtectionState;
use sharedmem::sync::AtomicU64;

use crate::machine::core::{Core, Run};
use crate::machine::events::Event;
use crate::machine::memory::unobserved;
use crate::machine::{MS, US};
use crate::scenario::plan::{OWN_WORDS, OwnedWord, Strike};
use crate::world::World;

/// Number of words at the end of the journal in which half of the flips strike.
const TAIL_WORDS: u64 = 48;

/// Strikes the incarnation that `core` runs.
pub fn strike(world: &World, core: &Core, strike: Strike) {
    let Some(incarnation) = core.incarnation.get() else {
        return;
    };
    log::warn!(
        "{} ns: incarnation {incarnation} is struck: {strike:?}",
        core.time_ns.get()
    );
    match strike {
        Strike::Panic => {
            let incarnation = world.incarnations.get(incarnation);
            incarnation.die(world, EpitaphCause::Panic, "struck");
        }
        Strike::Silence => silence(world, incarnation),
        Strike::HungLoop => {
            world.primary_died();
            loop {
                world.spend(20 * US);
            }
        }
        Strike::HungCore => {
            match cores_of(world, incarnation).find(|other| other.number != core.number) {
                Some(other) => {
                    world.primary_died();
                    other.is_deaf.set(true);
                    other.run.set(Run::Still);
                }
                None => silence(world, incarnation),
            }
        }
        Strike::Pause { ns } => pause(world, incarnation, ns),
        Strike::PauseAndDrop { ns } => {
            pause(world, incarnation, ns);
            // This fails if the monitor has claimed the backup meanwhile, and that is right.
            let _ = world.memory.region.control.protection.drop_backup();
        }
        Strike::Damage { flips } => {
            damage(world, flips);
            silence(world, incarnation);
        }
        Strike::DeafCore => {
            let deaf = cores_of(world, incarnation)
                .last()
                .map_or(core.number, |core| core.number);
            world.scheduler.core(deaf).is_stuck.set(true);
            let ns = 200 * MS + world.random.below(400 * MS);
            world.scheduler.after(ns, Event::Unstick(deaf));
            silence(world, incarnation);
        }
        Strike::SeatPause { ns } => pause_seat(world, ns),
        Strike::Scribble { word, value } => scribble(world, word, value),
        // Before it serves, it has no copies yet: that is damage which a recovery finds, and another fault.
        Strike::OwnWord { .. } if !world.faults.serves.get() => {}
        Strike::OwnWord { word, bits } => overwrite(world, OWN_WORDS[word], bits),
        Strike::RecordFlip { bit } => world.faults.flips_record.set(Some(bit)),
        Strike::ImpossibleFact => world.faults.is_fact_impossible.set(true),
        Strike::MachinePause { ns } => {
            pause_seat(world, ns);
            pause(world, incarnation, ns);
        }
        Strike::ArmingPause { ns, drops } => world.faults.pause_arming(ns, drops),
        Strike::DropAndSilence { ns } => {
            pause_seat(world, ns);
            world.faults.dies_at_drop.set(Some(incarnation));
        }
        Strike::FlipValue { of_backup, bit } => {
            let struck = match of_backup {
                true => world.incarnations.waiting(),
                false => Some(world.incarnations.get(incarnation)),
            };
            if let Some(struck) = struck {
                struck.flip.set(Some(bit));
            }
        }
        Strike::GateStands => world.incarnations.get(incarnation).gate_stands.set(true),
        Strike::Poison => world.clients.poison(),
        Strike::Switchover => world.clients.switch_over(),
        Strike::BackupCrash | Strike::BackupHang | Strike::BackupIdles => {}
    }
}

fn cores_of(world: &World, incarnation: u32) -> impl Iterator<Item = &Core> {
    let is_its = move |core: &&Core| {
        core.incarnation.get() == Some(incarnation) && core.run.get() != Run::Off
    };
    world.scheduler.cores.iter().filter(is_its)
}

/// Pauses all cores of an incarnation, including the one that executes now.
fn pause(world: &World, incarnation: u32, ns: u64) {
    // Taken once: it is the clock of the core that executes, which moves in the loop.
    let now_ns = world.now_ns();
    for core in cores_of(world, incarnation) {
        core.time_ns.set(core.time_ns.get().max(now_ns) + ns);
    }
    world.spend(0);
}

fn pause_seat(world: &World, ns: u64) {
    let seat = world.scheduler.core(0);
    let now_ns = seat.time_ns.get().max(world.now_ns());
    seat.time_ns.set(now_ns + ns);
}

/// Stops all cores of an incarnation with interrupts off, including the one that executes now.
fn silence(world: &World, incarnation: u32) -> ! {
    world.primary_died();
    for core in cores_of(world, incarnation) {
        core.is_deaf.set(true);
        core.run.set(Run::Still);
    }
    world.scheduler.halt()
}

/// Overwrites a word, as a stray store does.
fn scribble(world: &World, word: usize, value: u64) {
    let control = world.memory.region.control;
    match RESTORED.get(word) {
        Some(word) => unobserved((word.of)(control)).store(value, Ordering::Relaxed),
        None => {
            world.monitor.is_scribbled.set(true);
            control.protection.scribble(value | 8);
        }
    }
}

/// Overwrites a word that one kernel alone writes, as a stray store does.
fn overwrite(world: &World, word: OwnedWord, bits: u64) {
    let memory = &world.memory;
    let shared = own_word(world, word);
    let found = unobserved(shared).fetch_xor(bits, Ordering::Relaxed);
    let is_primarys = word != OwnedWord::Consumed;
    world
        .oracle
        .damage
        .overwrites(memory, shared, found ^ bits, is_primarys);
}

fn own_word(world: &World, word: OwnedWord) -> &AtomicU64 {
    let journal = &world.memory.region.control.journal;
    let [current, suspect] = journal.applying.words();
    match word {
        OwnedWord::Reserved => &journal.reserved,
        OwnedWord::Applied => &journal.applied,
        OwnedWord::Retained => &journal.retained,
        OwnedWord::Applying => current,
        OwnedWord::Suspect => suspect,
        OwnedWord::Consumed => &journal.consumed,
    }
}

/// Flips a bit of a record that the primary has applied and the backup has not read, if there is one. Returns whether
/// it did.
pub fn flip_unread(world: &World, bit: u64) -> bool {
    let journal = &world.memory.region.control.journal;
    let load = |word: &AtomicU64| unobserved(word).load(Ordering::Relaxed);
    let (consumed, applied) = (load(&journal.consumed), load(&journal.applied));
    let ring = world.memory.region.journal;
    let bits = applied.saturating_sub(consumed) * 8;
    if !world.memory.protection_is(ProtectionState::Armed) || bits == 0 {
        return false;
    }
    let bit = bit % bits;
    let index = (consumed / 8 + bit / 64) as usize % ring.len();
    let damage = &world.oracle.damage;
    damage.flips(index, world.memory.ring_word(index));
    damage.is_latent.set(true);
    log::warn!("bit {bit} behind position {consumed} flips, before {applied}");
    unobserved(&ring[index]).fetch_xor(1 << (bit % 64), Ordering::Relaxed);
    true
}

/// Flips bits in the journal's ring and in its cursors.
fn damage(world: &World, flips: u32) {
    let (random, damage) = (&world.random, &world.oracle.damage);
    damage.is_done.set(true);
    let journal = &world.memory.region.control.journal;
    let ring = world.memory.region.journal;
    let end = unobserved(&journal.reserved).load(Ordering::Relaxed) / 8;
    for _ in 0..flips {
        let bit = 1 << random.below(64);
        let word = match random.below(12) {
            0 => &*journal.reserved,
            1 => &*journal.applied,
            2 => &*journal.retained,
            _ => {
                // Half of the flips strike what a recovery is likely to read.
                let reach = match random.once_in(2) {
                    true => TAIL_WORDS,
                    false => ring.len() as u64,
                };
                let back = 1 + random.below(end.min(reach));
                let index = end.saturating_sub(back) as usize % ring.len();
                damage.flips(index, world.memory.ring_word(index));
                &ring[index]
            }
        };
        unobserved(word).fetch_xor(bit, Ordering::Relaxed);
    }
}
