//! Mistakes of programmers, as instructions of the running primary: the kinds of Ng and Chen, "The systematic
//! improvement of fault tolerance in the Rio file cache" (FTCS 1999), made as theirs, by a change of text.

use std::time::Duration;

use debugger::{Debugger, Space, Symbol, Symbols};
use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::random::Random;
use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
};

use super::victim::draw_function;
use super::{Class, Target};

/// A CPU of the primary.
const PRIMARY: usize = 1;
/// `nop`.
const NOP: u8 = 0x90;
/// So many functions are drawn until one has an instruction of the wanted kind.
const TRIES: u32 = 200;
/// A longer function is passed over.
const FUNCTION_BYTES_MAX: u64 = 32 << 10;

/// A change of one instruction: the bytes that it becomes, if it is one that the mistake is made with.
type Mistake = fn(&Found<'_>) -> Option<Vec<u8>>;

/// An instruction.
struct Found<'a> {
    instruction: Instruction,
    bytes: &'a [u8],
    /// Where in it the immediate value and the displacement are, and their sizes.
    immediate: (usize, usize),
    displacement: (usize, usize),
}

pub(super) fn classes() -> Vec<Class> {
    let class = |name, doc, strike| Class::new(Target::Primary, name, doc, strike);
    vec![
        class(
            "inverted-branch",
            "a conditional jump jumps in the other case",
            |machine, random| mistake(machine, random, inverted),
        ),
        class("deleted-store", "a store is left out", |machine, random| {
            mistake(machine, random, deleted)
        }),
        class(
            "off-by-one",
            "a constant that something is compared with is one more",
            |machine, random| mistake(machine, random, off_by_one),
        ),
        class(
            "wrong-pointer",
            "an access goes to another offset",
            |machine, random| mistake(machine, random, wrong_pointer),
        ),
        class(
            "missing-initialisation",
            "a register or a word is not set to its first value",
            |machine, random| mistake(machine, random, uninitialised),
        ),
        class(
            "allocation-failure",
            "no memory is given out any more, for 1 to 50 ms",
            allocation_failure,
        ),
    ]
}

fn mistake(machine: &QemuMachine, random: &mut Random, change: Mistake) -> Result<String, Problem> {
    let symbols = Symbols::of_instance()?;
    let mut debugger = Debugger::attach(machine)?;
    for _ in 0..TRIES {
        let function = draw_function(&mut debugger, random, &symbols)?;
        if function.size_bytes > FUNCTION_BYTES_MAX {
            continue;
        }
        let text = debugger.read(
            Space::Cpu(PRIMARY),
            function.address,
            function.size_bytes as usize,
        )?;
        let changes = changes(&function, &text, change);
        if changes.is_empty() {
            continue;
        }
        let (address, bytes) = &changes[random.below(changes.len() as u64) as usize];
        debugger.write(Space::Cpu(PRIMARY), *address, bytes)?;
        return Ok(format!(
            "{}+{:#x}",
            function.path(),
            address - function.address
        ));
    }
    Err(Problem::Skipped(format!(
        "{TRIES} functions have no such instruction"
    )))
}

/// Makes the allocator return a null pointer for a while.
fn allocation_failure(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    /// `xor eax, eax; ret`.
    const NULL: [u8; 3] = [0x31, 0xc0, 0xc3];
    let time = Duration::from_millis(1 + random.below(50));
    let function = Symbols::of_instance()?.named("__rustc::__rust_alloc")?;
    let mut debugger = Debugger::attach(machine)?;
    // A CPU that dies meanwhile maps it no more.
    let place = debugger.physical(PRIMARY, function.address)?;
    let text = debugger.read(Space::Physical, place, NULL.len())?;
    debugger.write(Space::Physical, place, &NULL)?;
    let all: Vec<usize> = (0..debugger.cpus()?).collect();
    debugger.run_only(&all, time)?;
    debugger.write(Space::Physical, place, &text)?;
    Ok(format!("{} for {} ms", function.path(), time.as_millis()))
}

/// Returns what `change` can do to a function: addresses, and bytes to write there.
fn changes(function: &Symbol, text: &[u8], change: Mistake) -> Vec<(u64, Vec<u8>)> {
    let mut decoder = Decoder::with_ip(64, text, function.address, DecoderOptions::NONE);
    let mut changes = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let offsets = decoder.get_constant_offsets(&instruction);
        let start = (instruction.ip() - function.address) as usize;
        let Some(bytes) = text.get(start..start + instruction.len()) else {
            break;
        };
        let found = Found {
            instruction,
            bytes,
            immediate: (offsets.immediate_offset(), offsets.immediate_size()),
            displacement: (offsets.displacement_offset(), offsets.displacement_size()),
        };
        changes.extend(change(&found).map(|bytes| (instruction.ip(), bytes)));
    }
    changes
}

/// Changes a condition into its contrary: the lowest bit of the opcode (Intel SDM vol. 2, appendix B.1.4.7).
fn inverted(found: &Found<'_>) -> Option<Vec<u8>> {
    let mut bytes = found.bytes.to_vec();
    let opcode = match bytes[..] {
        [0x70..=0x7f, _] => 0,
        [0x0f, 0x80..=0x8f, ..] => 1,
        _ => return None,
    };
    bytes[opcode] ^= 1;
    Some(bytes)
}

fn deleted(found: &Found<'_>) -> Option<Vec<u8>> {
    let mut factory = InstructionInfoFactory::new();
    let information = factory.info(&found.instruction);
    let stores = found.instruction.mnemonic() == Mnemonic::Mov
        && found.instruction.op0_kind() == OpKind::Memory
        && information.op0_access() == OpAccess::Write;
    stores.then(|| vec![NOP; found.bytes.len()])
}

fn off_by_one(found: &Found<'_>) -> Option<Vec<u8>> {
    let (offset, size) = found.immediate;
    let is_it = found.instruction.mnemonic() == Mnemonic::Cmp && size > 0;
    is_it.then(|| with(found.bytes, offset, 1))
}

fn wrong_pointer(found: &Found<'_>) -> Option<Vec<u8>> {
    let (offset, size) = found.displacement;
    let accesses = found.instruction.mnemonic() == Mnemonic::Mov
        && !found.instruction.is_ip_rel_memory_operand();
    (accesses && size > 0).then(|| with(found.bytes, offset, 8))
}

fn uninitialised(found: &Found<'_>) -> Option<Vec<u8>> {
    let it = &found.instruction;
    let zeroes = it.mnemonic() == Mnemonic::Xor
        && it.op0_kind() == OpKind::Register
        && it.op1_kind() == OpKind::Register
        && it.op0_register() == it.op1_register();
    let sets = it.mnemonic() == Mnemonic::Mov && found.immediate.1 > 0;
    (zeroes || sets).then(|| vec![NOP; found.bytes.len()])
}

/// Returns `bytes` with `more` added to the byte at `offset`.
fn with(bytes: &[u8], offset: usize, more: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset] = bytes[offset].wrapping_add(more);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use debugger::SymbolKind;

    /// `cmp ecx, 5; jne +2; mov [rdi+8], rax; xor eax, eax; mov edx, 7; ret`
    const TEXT: [u8; 17] = [
        0x83, 0xf9, 0x05, 0x75, 0x02, 0x48, 0x89, 0x47, 0x08, 0x31, 0xc0, 0xba, 0x07, 0, 0, 0, 0xc3,
    ];

    fn changed(change: Mistake) -> Vec<(u64, Vec<u8>)> {
        let function = Symbol {
            kind: SymbolKind::Function,
            name: "f".into(),
            address: 0x1000,
            size_bytes: TEXT.len() as u64,
        };
        changes(&function, &TEXT, change)
    }

    #[test]
    fn each_mistake_is_made_where_it_can_be() {
        assert_eq!(changed(inverted), [(0x1003, vec![0x74, 0x02])]);
        assert_eq!(changed(deleted), [(0x1005, vec![NOP; 4])]);
        assert_eq!(changed(off_by_one), [(0x1000, vec![0x83, 0xf9, 0x06])]);
        assert_eq!(
            changed(wrong_pointer),
            [(0x1005, vec![0x48, 0x89, 0x47, 0x10])]
        );
        assert_eq!(
            changed(uninitialised),
            [(0x1009, vec![NOP; 2]), (0x100b, vec![NOP; 5])]
        );
    }
}
