//! Registers of a CPU that stands still: those that GDB knows, model-specific registers, and where its tables are.

use serde_json::json;

use super::{Debugger, Space, broken, packet};
use harness::problem::Problem;

/// `wrmsr`, which writes EDX:EAX to the register that ECX names (Intel SDM vol. 2D).
const WRMSR: [u8; 2] = [0x0f, 0x30];

/// A table of descriptors: where it is in the CPU's address space, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorTable {
    /// Address of its first byte.
    pub address: u64,
    /// Number of its last byte.
    pub limit: u64,
}

impl Debugger {
    /// Reads a register by GDB's name for it: `rax`, `eflags`, `cr3`, `fs_base`.
    ///
    /// # Errors
    /// There is no such register, or QEMU does not answer.
    pub fn register(&mut self, cpu: usize, name: &str) -> Result<u64, Problem> {
        Ok(little_endian(&self.raw_register(cpu, name)?))
    }

    /// Writes a register.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn set_register(&mut self, cpu: usize, name: &str, value: u64) -> Result<(), Problem> {
        let width = self.raw_register(cpu, name)?.len();
        let number = self.register_number(name)?;
        let bytes = value.to_le_bytes();
        let bytes = bytes.get(..width).unwrap_or(&bytes);
        self.demand(&format!("P{number:x}={}", packet::to_hex(bytes)))
    }

    /// Writes a model-specific register: the CPU executes the instruction that does so, and then is as it was.
    ///
    /// # Errors
    /// The CPU sleeps, so it executes nothing, or QEMU does not answer.
    pub fn write_msr(&mut self, cpu: usize, msr: u32, value: u64) -> Result<(), Problem> {
        if self.sleeps(cpu)? {
            return Err(Problem::Skipped(format!("CPU {cpu} sleeps")));
        }
        let operands = [
            ("rcx", u64::from(msr)),
            ("rax", value & 0xffff_ffff),
            ("rdx", value >> 32),
        ];
        let before = operands
            .iter()
            .map(|(name, _)| self.register(cpu, name))
            .collect::<Result<Vec<u64>, Problem>>()?;
        let rip = self.register(cpu, "rip")?;
        let text = self.read(Space::Cpu(cpu), rip, WRMSR.len())?;
        self.write(Space::Cpu(cpu), rip, &WRMSR)?;
        for (name, value) in operands {
            self.set_register(cpu, name, value)?;
        }
        // QEMU delivers no interrupt while it executes a single instruction.
        self.ask(&format!("vCont;s:{:x}", cpu + 1))?;
        self.write(Space::Cpu(cpu), rip, &text)?;
        for ((name, _), value) in operands.iter().zip(before) {
            self.set_register(cpu, name, value)?;
        }
        self.set_register(cpu, "rip", rip)
    }

    /// Says whether the CPU waits for an interrupt.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn sleeps(&mut self, cpu: usize) -> Result<bool, Problem> {
        Ok(self.described(cpu)?.contains("HLT=1"))
    }

    /// Returns where the CPU's interrupt table (`IDT`), global table (`GDT`) or task segment (`TR`) is.
    ///
    /// # Errors
    /// QEMU does not say.
    pub fn descriptor_table(&mut self, cpu: usize, name: &str) -> Result<DescriptorTable, Problem> {
        let text = self.described(cpu)?;
        let missing = || broken(format!("QEMU does not say where {name} is"));
        parse_table(&text, name).ok_or_else(missing)
    }

    /// Returns the number of a register, by the description that QEMU gives in pieces.
    fn register_number(&mut self, name: &str) -> Result<usize, Problem> {
        const PIECE_BYTES: usize = 1000;
        let mut description = Vec::new();
        loop {
            let at = description.len();
            let request = format!("qXfer:features:read:i386-64bit.xml:{at:x},{PIECE_BYTES:x}");
            let answer = self.ask(&request)?;
            match answer.split_first() {
                Some((b'm', piece)) if !piece.is_empty() => description.extend(piece),
                Some((b'l', piece)) => break description.extend(piece),
                _ => return Err(broken("QEMU does not describe its registers")),
            }
        }
        let number = position(&String::from_utf8_lossy(&description), name);
        number.ok_or_else(|| broken(format!("QEMU has no register {name}")))
    }

    fn described(&mut self, cpu: usize) -> Result<String, Problem> {
        let arguments = json!({ "command-line": "info registers", "cpu-index": cpu });
        let answer = self.qmp.execute("human-monitor-command", arguments)?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    fn raw_register(&mut self, cpu: usize, name: &str) -> Result<Vec<u8>, Problem> {
        let number = self.register_number(name)?;
        self.choose(cpu)?;
        let answer = self.ask(&format!("p{number:x}"))?;
        packet::from_hex(&answer)
            .filter(|bytes| !bytes.is_empty() && bytes.len() <= 8)
            .ok_or_else(|| broken(format!("{name} of CPU {cpu} cannot be read")))
    }
}

/// Returns the position of a register in a description. What is in a comment is no register.
fn position(description: &str, name: &str) -> Option<usize> {
    let mut parts = description.split("<!--");
    let mut text = parts.next()?.to_owned();
    for part in parts {
        text.push_str(part.split_once("-->").map_or("", |(_, rest)| rest));
    }
    let wanted = format!("name=\"{name}\"");
    let mut registers = text.split("<reg ").skip(1);
    registers.position(|register| register.contains(&wanted))
}

fn little_endian(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Finds `IDT=     ADDRESS LIMIT` or `TR =SELECTOR ADDRESS LIMIT FLAGS`, all in hexadecimal.
fn parse_table(text: &str, name: &str) -> Option<DescriptorTable> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    let (_, numbers) = line.split_once('=')?;
    // Behind the numbers of a segment there are words about it.
    let numbers = numbers.split_whitespace().take(4);
    let numbers: Option<Vec<u64>> = numbers
        .map(|number| u64::from_str_radix(number, 16).ok())
        .collect();
    match numbers?[..] {
        [address, limit] | [_, address, limit, _] => Some(DescriptorTable { address, limit }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "RAX=0\r\nTR =0010 ffffffff80123000 00000067 00008b00 DPL=0 TSS64\r\n\
                        GDT=     ffffffff80124000 00000027\r\n\
                        IDT=     ffffffff80125000 00000fff\r\n";

    #[test]
    fn tables_are_found_in_what_is_printed_for_people() {
        let table = |name| parse_table(TEXT, name).map(|it| (it.address, it.limit));
        assert_eq!(table("IDT"), Some((0xffff_ffff_8012_5000, 0xfff)));
        assert_eq!(table("TR"), Some((0xffff_ffff_8012_3000, 0x67)));
        assert_eq!(table("LDT"), None);
        assert_eq!(parse_table("IDT= nothing", "IDT"), None);
    }

    #[test]
    fn a_register_in_a_comment_has_no_number() {
        let text = r#"<a> <!-- <reg name="x"/> --> <reg name="rax"/> <!-- <reg name="ss_base"/>--><reg name="cr3"/>"#;
        assert_eq!(position(text, "rax"), Some(0));
        assert_eq!(position(text, "cr3"), Some(1));
        assert_eq!(position(text, "ss_base"), None);
    }

    #[test]
    fn a_register_is_read_from_its_lowest_byte_on() {
        assert_eq!(little_endian(&[0x34, 0x12]), 0x1234);
    }
}
