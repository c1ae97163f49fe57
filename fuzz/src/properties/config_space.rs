//! Configuration space is walked over, and its functions are made quiet, in bounded work, whatever its registers say.
//! What a takeover is told then fits together.
//!
//! An input is a list of functions of 12 bytes each: bus, device and function; header type and class; the bus behind
//! it; flags; where its capabilities begin; a seed for all other registers.

use std::collections::{BTreeMap, BTreeSet};

use arch::pci::{BusRange, ConfigSpace, FUNCTIONS_MAX, ResetPolicy, Tree};

/// Functions of an input: more say nothing new.
const FUNCTIONS_TRIED: usize = 64;

/// Registers of the header: identity, command and status, class, header type, buses, capabilities.
const ID: u16 = 0x00;
const COMMAND: u16 = 0x04;
const CLASS: u16 = 0x08;
const HEADER: u16 = 0x0c;
const BUSES: u16 = 0x18;
const CAPABILITIES: u16 = 0x34;
const BUS_MASTER: u32 = 1 << 2;

/// Flags: has capabilities; ignores writes; is stubborn about bus mastering; becomes silent.
const LISTED: u8 = 1;
const DEAF: u8 = 2;
const STUBBORN: u8 = 4;
const DYING: u8 = 8;

/// Reads of a walk: each place of each bus, and of each function its capabilities, as many as there can be.
const WALK_MAX: u64 = 256 * 32 + FUNCTIONS_TRIED as u64 * 2 * (48 + 480 + 256 + 32);
/// How far the clock goes on with each look at it. All waits together end after some 1.1 s.
const LOOK_NS: u64 = 5_000_000;
const QUIET_MAX: u64 = WALK_MAX + (1_200_000_000 / LOOK_NS + 400) * FUNCTIONS_TRIED as u64 * 8;

struct Function {
    flags: u8,
    seed: u32,
    registers: BTreeMap<u16, u32>,
    accesses: u32,
}

struct Space {
    functions: BTreeMap<u32, Function>,
    accesses: u64,
}

impl Space {
    fn of(data: &[u8]) -> Self {
        let mut functions = BTreeMap::new();
        for bytes in data.chunks_exact(12).take(FUNCTIONS_TRIED) {
            let address = u32::from(bytes[0]) << 8 | u32::from(bytes[1]);
            let seed = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
            let flags = bytes[5];
            let registers = [
                (ID, 0x1041_1af4),
                (COMMAND, u32::from(flags & LISTED) << 20 | 7),
                (CLASS, u32::from(bytes[3]) << 24 | seed & 0xff_ffff),
                (HEADER, u32::from(bytes[2]) << 16),
                (BUSES, u32::from(bytes[4]) << 8 | seed & 0xff00_00ff),
                (CAPABILITIES, u32::from(bytes[6])),
            ];
            let function = Function {
                flags,
                seed,
                registers: registers.into(),
                accesses: u32::from(bytes[7]),
            };
            functions.insert(address, function);
        }
        Self {
            functions,
            accesses: 0,
        }
    }

    /// Finds a function that answers, and counts the access.
    fn answering(&mut self, address: u32) -> Option<&mut Function> {
        self.accesses += 1;
        let function = self.functions.get_mut(&address)?;
        if function.flags & DYING != 0 {
            function.accesses = function.accesses.checked_sub(1)?;
        }
        Some(function)
    }
}

impl ConfigSpace for Space {
    fn read(&mut self, address: u32, offset: u16) -> u32 {
        assert!(offset < 4096 && offset.is_multiple_of(4), "{offset:#x}");
        let Some(function) = self.answering(address) else {
            return u32::MAX;
        };
        let seed = function.seed;
        let scattered = (seed ^ u32::from(offset)).wrapping_mul(0x9e37_79b9);
        let register = function.registers.get(&offset);
        register.copied().unwrap_or(scattered ^ scattered >> 15)
    }

    fn write(&mut self, address: u32, offset: u16, value: u32) {
        assert!(offset < 4096 && offset.is_multiple_of(4), "{offset:#x}");
        let Some(function) = self.answering(address) else {
            return;
        };
        let forced = match (offset, function.flags & STUBBORN) {
            (COMMAND, STUBBORN) => BUS_MASTER,
            _ => 0,
        };
        if function.flags & DEAF == 0 && offset != ID {
            function.registers.insert(offset, value | forced);
        }
    }
}

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let Some((options, data)) = data.split_first() else {
        return;
    };
    let policy = match options & 1 {
        0 => ResetPolicy::Faulty,
        _ => ResetPolicy::All,
    };
    let mut space = Space::of(data);
    let mut tree = Tree::find(&mut space, vec![BusRange::SEGMENT_0]);
    assert!(space.accesses <= WALK_MAX, "{} reads", space.accesses);
    let found: BTreeSet<u32> = tree.in_order().iter().map(|it| it.address()).collect();
    assert!(found.iter().all(|it| space.functions.contains_key(it)));
    assert_eq!((found.len(), tree.left_out()), (tree.in_order().len(), 0));
    let mut now_ns = 0;
    // The machine goes on for two takeovers.
    for _ in 0..2 {
        space.accesses = 0;
        let quieted = tree.quiet(&mut space, policy, || {
            now_ns += LOOK_NS;
            now_ns
        });
        assert!(space.accesses <= QUIET_MAX, "{} accesses", space.accesses);
        let nodes = tree.in_order();
        let bridge = |address| {
            nodes
                .iter()
                .any(|it| it.address() == address && it.is_bridge())
        };
        for fault in &quieted.faults {
            assert!(fault.cut_at.is_none_or(bridge), "{fault:x?}");
            assert!(fault.cut_by.is_none() || fault.is_contained, "{fault:x?}");
        }
        let numbers: BTreeSet<u32> = quieted.withheld.iter().copied().collect();
        assert_eq!(numbers.len(), quieted.withheld.len());
        assert!(nodes.len() <= FUNCTIONS_MAX);
        assert!(
            numbers
                .iter()
                .all(|it| nodes.iter().any(|node| node.number == *it))
        );
        // Who masters the bus on a root bus is told.
        if quieted.is_complete() {
            for node in nodes.iter().filter(|it| !it.is_bridge() && !it.is_fixed()) {
                let register = space.functions[&node.address()].registers[&COMMAND];
                let is_told = quieted.faults.iter().any(|it| it.address == node.address());
                assert!(is_told || register & BUS_MASTER == 0, "{node:x?}");
            }
        }
    }
}
