//! The network card: its rings, its registers.

use debugger::{Debugger, Space, VirtioNic};
use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::random::Random;

use super::victim::flip;
use super::{Class, Target};

/// A descriptor and an entry of the ring that the device writes, in bytes (VIRTIO 1.2, 2.7.5 and 2.7.8).
const DESCRIPTOR_BYTES: u64 = 16;
const USED_BYTES: u64 = 8;
/// Bytes before the entries of a ring.
const HEAD_BYTES: u64 = 4;
/// Entries of a queue that are hit.
const ENTRIES: u64 = 64;

pub(super) fn classes() -> Vec<Class> {
    let class = |name, doc, strike| Class::new(Target::Primary, name, doc, strike);
    vec![
        class(
            "virtqueues",
            "a bit of a descriptor or a ring of the network card",
            rings,
        ),
        class(
            "used-lengths",
            "the card says that it has written another number of bytes than it has",
            lengths,
        ),
        class(
            "card-registers",
            "a byte of the card's common registers is overwritten, or its memory switched off",
            registers,
        ),
    ]
}

fn rings(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let nic = VirtioNic::find(&mut debugger)?;
    let queue = random.below(2) as u16;
    let areas = nic.areas(&mut debugger, queue)?;
    let (name, start, bytes) = [
        ("descriptors", areas.descriptors, ENTRIES * DESCRIPTOR_BYTES),
        ("driver's ring", areas.driver, HEAD_BYTES + ENTRIES * 2),
        (
            "device's ring",
            areas.device,
            HEAD_BYTES + ENTRIES * USED_BYTES,
        ),
    ][random.below(3) as usize];
    let offset = random.below(bytes);
    let hit = flip(&mut debugger, random, Space::Physical, start + offset)?;
    Ok(format!("queue {queue}, {name}+{offset:#x}: {hit}"))
}

fn lengths(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let nic = VirtioNic::find(&mut debugger)?;
    let ring = nic.areas(&mut debugger, 0)?.device;
    let length = [0, 1, 0xffff, u32::MAX][random.below(4) as usize];
    for entry in 0..ENTRIES {
        let at = ring + HEAD_BYTES + entry * USED_BYTES + 4;
        debugger.write(Space::Physical, at, &length.to_le_bytes())?;
    }
    Ok(format!(
        "{ENTRIES} entries of the receive queue: {length} bytes"
    ))
}

fn registers(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    /// Offsets that a driver writes (VIRTIO 1.2, 4.1.4.3).
    const WRITABLE: [(u64, &str); 5] = [
        (0x08, "driver features"),
        (0x10, "configuration vector"),
        (0x14, "status"),
        (0x1c, "queue enable"),
        (0x18, "queue size"),
    ];
    let mut debugger = Debugger::attach(machine)?;
    let nic = VirtioNic::find(&mut debugger)?;
    let number = random.below(1 + WRITABLE.len() as u64) as usize;
    let Some((offset, name)) = WRITABLE.get(number) else {
        nic.switch_off_memory(&mut debugger)?;
        return Ok("the card's memory is off".into());
    };
    let value = random.number() as u8;
    debugger.write(Space::Physical, nic.common + offset, &[value])?;
    Ok(format!("{name} = {value:#x}"))
}
