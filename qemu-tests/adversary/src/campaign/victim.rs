//! Where a kernel's memory is, and how a bit of it is flipped.

use std::fs;
use std::mem::offset_of;

use partition::Range;
use sharedmem::abi::IMAGE_BASE;
use sharedmem::event::BackupMemory;
use sharedmem::hand_off::{HandOff, RANGES_MAX};

use debugger::{Debugger, Space, Symbol, SymbolKind, Symbols};
use harness::machine::QemuMachine;
use harness::paths;
use harness::problem::Problem;
use harness::random::Random;

/// The primary's CPUs are those from here on; CPU 0 is the seat.
const FIRST_CPU: usize = 1;
/// A page, in bytes.
pub const PAGE_BYTES: u64 = 4096;

/// Draws one of the primary's CPUs.
pub fn draw_cpu(debugger: &mut Debugger, random: &mut Random) -> Result<usize, Problem> {
    let cpus = debugger.cpus()? - FIRST_CPU;
    Ok(FIRST_CPU + random.below(cpus as u64) as usize)
}

/// Draws a number with one bit that is 1, or every other time with two.
pub fn draw_bits(random: &mut Random, width: u64) -> u64 {
    let first = 1 << random.below(width);
    match random.below(2) {
        0 => first,
        _ => first | 1 << random.below(width),
    }
}

/// Flips a bit of the byte at `address`, and says so.
pub fn flip(
    debugger: &mut Debugger,
    random: &mut Random,
    space: Space,
    address: u64,
) -> Result<String, Problem> {
    let bit = random.below(8) as u32;
    debugger.flip(space, address, bit)?;
    Ok(format!("bit {bit} at {address:#x}"))
}

/// Returns the primary's memory.
pub fn memory_of_primary(debugger: &mut Debugger) -> Result<Vec<Range>, Problem> {
    const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
    let hand_off = (size_of::<HandOff>() as u64).next_multiple_of(PAGE_BYTES);
    let (_, entry) = debugger.page_entry(FIRST_CPU, IMAGE_BASE)?;
    let ranges = (entry & ADDRESS) - hand_off + offset_of!(HandOff, ranges) as u64;
    let mut memory = Vec::new();
    for number in 0..RANGES_MAX as u64 {
        let at = ranges + number * size_of::<sharedmem::hand_off::PhysicalRange>() as u64;
        let start = debugger.word(Space::Physical, at)?;
        let end = debugger.word(Space::Physical, at + 8)?;
        if start < end {
            memory.push(Range::new(start, end));
        }
    }
    Ok(memory)
}

/// Returns the waiting backup's memory.
pub fn memory_of_backup(machine: &QemuMachine) -> Vec<Range> {
    let ranges = machine.console().events::<BackupMemory>().into_iter();
    ranges
        .map(|it| it.range)
        .map(|it| Range::new(it.start, it.end))
        .collect()
}

/// Draws an address in `ranges` at which something is.
pub fn draw_used(
    debugger: &mut Debugger,
    random: &mut Random,
    ranges: &[Range],
) -> Result<u64, Problem> {
    let file = paths::scratch("campaign").join("memory");
    harness::files::write(&file, b"")?;
    let mut used = Vec::new();
    for range in ranges {
        debugger.save_memory(*range, &file)?;
        let memory = harness::files::read(&file)?;
        let pages = (range.start..)
            .step_by(PAGE_BYTES as usize)
            .zip(memory.chunks(PAGE_BYTES as usize));
        let pages = pages.filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0));
        used.extend(pages.map(|(page, bytes)| (page, bytes.to_vec())));
    }
    fs::remove_file(&file).map_err(|error| Problem::of_host("memory image", error))?;
    if used.is_empty() {
        return Err(Problem::Skipped("there is nothing in that memory".into()));
    }
    let (page, bytes) = &used[random.below(used.len() as u64) as usize];
    let places: Vec<u64> = (*page..)
        .zip(bytes)
        .filter(|(_, byte)| **byte != 0)
        .map(|(at, _)| at)
        .collect();
    Ok(places[random.below(places.len() as u64) as usize])
}

/// Draws a function of the primary: every other time that in which one of its CPUs is, else by its size.
pub fn draw_function(
    debugger: &mut Debugger,
    random: &mut Random,
    symbols: &Symbols,
) -> Result<Symbol, Problem> {
    if random.below(2) == 0 {
        let cpu = draw_cpu(debugger, random)?;
        let rip = debugger.register(cpu, "rip")?;
        if let Some(function) = symbols.at(rip) {
            return Ok(function);
        }
    }
    let (function, _) = symbols.byte(SymbolKind::Function, random.number())?;
    Ok(function)
}

/// Draws an address in `ranges`.
pub fn draw_in(random: &mut Random, ranges: &[Range]) -> Result<u64, Problem> {
    let sum: u64 = ranges.iter().map(Range::len).sum();
    if sum == 0 {
        return Err(Problem::BrokenSetUp("there is no such memory".into()));
    }
    let mut left = random.below(sum);
    for range in ranges {
        match left.checked_sub(range.len()) {
            Some(rest) => left = rest,
            None => return Ok(range.start + left),
        }
    }
    unreachable!("what is left is below the sum")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_drawn_from_every_range() {
        let ranges = [Range::new(10, 12), Range::new(100, 101)];
        let mut random = Random::new(3);
        let drawn: std::collections::BTreeSet<u64> = (0..100)
            .map(|_| draw_in(&mut random, &ranges).unwrap())
            .collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [10, 11, 100]);
        assert!(draw_in(&mut random, &[]).is_err());
    }

    #[test]
    fn one_or_two_bits_are_drawn() {
        let mut random = Random::new(5);
        let counts: Vec<u32> = (0..200)
            .map(|_| draw_bits(&mut random, 64).count_ones())
            .collect();
        assert!(counts.contains(&1) && counts.contains(&2));
        assert!(counts.iter().all(|count| (1..=2).contains(count)));
    }
}
