//! Bits of a primary's memory: text, stacks, statics, heap, page tables, descriptor tables.

use sharedmem::abi::{DIRECT_BASE, IMAGE_BASE, stack_top};

use debugger::{Debugger, Space, Symbol, SymbolKind, Symbols};
use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::random::Random;

use super::victim::{draw_cpu, draw_function, draw_used, flip, memory_of_primary};
use super::{Class, Target};

/// A CPU of the primary.
const PRIMARY: usize = 1;
/// So much of a stack is in use, at most.
const STACK_BYTES: u64 = 2048;
/// Bytes of a gate, and of a task segment.
const GATE_BYTES: u64 = 16;
/// Vectors with handlers: the CPU's exceptions, and interrupts.
const VECTORS: u64 = 0x80;

pub(super) fn classes() -> Vec<Class> {
    let class = |name, doc, strike| Class::new(Target::Primary, name, doc, strike);
    vec![
        class(
            "text",
            "a bit of a function; every other time of one that runs",
            flip_text,
        ),
        class(
            "statics",
            "a bit of a static variable or constant",
            flip_static,
        ),
        class("stack", "a bit of a stack, near its top", flip_stack),
        class("heap", "a bit of memory in use", flip_heap),
        class(
            "page-tables",
            "a bit of a page-table entry that is present",
            flip_page_entry,
        ),
        class(
            "descriptor-tables",
            "a bit of the interrupt table, the global table or the task segment",
            flip_table,
        ),
    ]
}

fn flip_text(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let symbols = Symbols::of_instance()?;
    let mut debugger = Debugger::attach(machine)?;
    let function = draw_function(&mut debugger, random, &symbols)?;
    flip_in(&mut debugger, random, &function)
}

fn flip_static(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let (symbol, _) = Symbols::of_instance()?.byte(SymbolKind::Static, random.number())?;
    flip_in(&mut Debugger::attach(machine)?, random, &symbol)
}

fn flip_in(
    debugger: &mut Debugger,
    random: &mut Random,
    symbol: &Symbol,
) -> Result<String, Problem> {
    let offset = random.below(symbol.size_bytes);
    let hit = flip(
        debugger,
        random,
        Space::Cpu(PRIMARY),
        symbol.address + offset,
    )?;
    Ok(format!("{}+{offset:#x}: {hit}", symbol.path()))
}

fn flip_stack(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let cpu = draw_cpu(&mut debugger, random)?;
    let (low, high) = (debugger.register(cpu, "rsp")?, stack_top(cpu - PRIMARY));
    let used = high.checked_sub(low).filter(|used| *used > 0);
    let used = used.ok_or_else(|| Problem::Skipped(format!("CPU {cpu} is on another stack")))?;
    let address = low + random.below(used.min(STACK_BYTES));
    let hit = flip(&mut debugger, random, Space::Cpu(cpu), address)?;
    Ok(format!("stack of CPU {cpu}+{:#x}: {hit}", address - low))
}

fn flip_heap(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let memory = memory_of_primary(&mut debugger)?;
    let address = draw_used(&mut debugger, random, &memory)?;
    flip(&mut debugger, random, Space::Physical, address)
}

fn flip_page_entry(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let memory = memory_of_primary(&mut debugger)?;
    let (symbol, _) = Symbols::of_instance()?.byte(SymbolKind::Function, random.number())?;
    let address = match random.below(3) {
        0 => symbol.address,
        1 => stack_top(random.below(2) as usize) - 8,
        _ => DIRECT_BASE + draw_used(&mut debugger, random, &memory)?,
    };
    debug_assert!(address >= DIRECT_BASE && symbol.address >= IMAGE_BASE);
    let entries = debugger.page_entries(PRIMARY, address)?;
    let level = random.below(entries.len() as u64) as usize;
    let (at, entry) = entries[level];
    let bit = random.below(64);
    debugger.set_word(Space::Physical, at, entry ^ 1 << bit)?;
    debugger.flush_tlb()?;
    Ok(format!(
        "bit {bit} of the entry at {at:#x}, level {} for {address:#x}",
        4 - level
    ))
}

fn flip_table(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let cpu = draw_cpu(&mut debugger, random)?;
    let name = ["IDT", "GDT", "TR"][random.below(3) as usize];
    let table = debugger.descriptor_table(cpu, name)?;
    let bytes = (table.limit + 1).min(VECTORS * GATE_BYTES);
    let address = table.address + random.below(bytes);
    let hit = flip(&mut debugger, random, Space::Cpu(cpu), address)?;
    Ok(format!(
        "{name} of CPU {cpu}+{:#x}: {hit}",
        address - table.address
    ))
}
