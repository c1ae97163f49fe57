//! A debugger on a machine: stops it, reads and writes memory and registers, lets all or some of its CPUs go on.
//!
//! [`Debugger::attach`] stops the machine; dropping the debugger lets it go on. The machine need not have been started
//! for it. [`Region`] knows where the shared words are, [`Symbols`] where the code is, [`VirtioNic`] where the card is.

#![forbid(unsafe_code)]

mod nic;
mod packet;
mod region;
mod registers;
mod symbols;

use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use partition::Range;
use serde_json::json;

pub use nic::{QueueAreas, VirtioNic};
pub use region::{Cursors, Region};
pub use registers::DescriptorTable;
pub use symbols::{Symbol, SymbolKind, Symbols};

use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::qmp::Qmp;

/// An answer takes no longer than this from a QEMU that is well.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Bytes that are read or written by one packet.
const CHUNK_BYTES: usize = 1024;
/// Interrupts a machine that runs.
const BREAK: u8 = 3;

/// Which memory an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The machine's physical memory, devices included.
    Physical,
    /// What this CPU's page table maps. The seat is CPU 0.
    Cpu(usize),
}

/// A machine that stands still. Dropping this lets it go on.
pub struct Debugger {
    stream: UnixStream,
    qmp: Qmp,
    is_running: bool,
}

impl Debugger {
    /// Stops `machine`, and returns a debugger for it.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn attach(machine: &QemuMachine) -> Result<Self, Problem> {
        let mut qmp = machine.control()?;
        let name = format!("{}-gdb", machine.control_name());
        let address = SocketAddr::from_abstract_name(&name).map_err(broken)?;
        let stream = match UnixStream::connect_addr(&address) {
            Ok(stream) => stream,
            Err(_) => {
                let line = format!("gdbserver unix:{name},abstract=on,server=on,wait=off");
                qmp.execute("human-monitor-command", json!({ "command-line": line }))?;
                UnixStream::connect_addr(&address).map_err(broken)?
            }
        };
        stream
            .set_read_timeout(Some(ANSWER_LIMIT))
            .map_err(broken)?;
        let mut debugger = Self {
            stream,
            qmp,
            is_running: false,
        };
        // The answer says that the machine stands still.
        debugger.ask("?")?;
        Ok(debugger)
    }

    /// Reads `count` bytes.
    ///
    /// # Errors
    /// Nothing is mapped there, or QEMU does not answer.
    pub fn read(&mut self, space: Space, address: u64, count: usize) -> Result<Vec<u8>, Problem> {
        self.select(space)?;
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let length = (count - bytes.len()).min(CHUNK_BYTES);
            let at = address + bytes.len() as u64;
            let answer = self.ask(&format!("m{at:x},{length:x}"))?;
            let part = packet::from_hex(&answer).filter(|part| part.len() == length);
            bytes.extend(part.ok_or_else(|| refused("read", at, &answer))?);
        }
        Ok(bytes)
    }

    /// Writes bytes. Text that is written is executed as it is then.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn write(&mut self, space: Space, address: u64, bytes: &[u8]) -> Result<(), Problem> {
        self.select(space)?;
        for (index, part) in bytes.chunks(CHUNK_BYTES).enumerate() {
            let at = address + (index * CHUNK_BYTES) as u64;
            let request = format!("M{at:x},{:x}:{}", part.len(), packet::to_hex(part));
            let answer = self.ask(&request)?;
            if answer != b"OK" {
                return Err(refused("write", at, &answer));
            }
        }
        Ok(())
    }

    /// Reads a 64-bit word.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn word(&mut self, space: Space, address: u64) -> Result<u64, Problem> {
        let bytes = self.read(space, address, 8)?;
        let word: [u8; 8] = bytes.try_into().map_err(|_| broken("half a word"))?;
        Ok(u64::from_le_bytes(word))
    }

    /// Writes a 64-bit word.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn set_word(&mut self, space: Space, address: u64, word: u64) -> Result<(), Problem> {
        self.write(space, address, &word.to_le_bytes())
    }

    /// Flips one bit of the byte at `address`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn flip(&mut self, space: Space, address: u64, bit: u32) -> Result<(), Problem> {
        let byte = self.read(space, address, 1)?[0];
        self.write(space, address, &[byte ^ 1 << bit])
    }

    /// Returns the physical address of the page table of `cpu`.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn page_table(&mut self, cpu: usize) -> Result<u64, Problem> {
        let tables = self.qmp.page_tables()?;
        let table = tables.get(cpu).copied();
        table.ok_or_else(|| broken(format!("there is no CPU {cpu}")))
    }

    /// Returns the physical address of the lowest page-table entry that maps `address` for `cpu`, and the entry.
    ///
    /// # Errors
    /// Nothing is mapped there.
    pub fn page_entry(&mut self, cpu: usize, address: u64) -> Result<(u64, u64), Problem> {
        let entries = self.page_entries(cpu, address)?;
        let lowest = entries.last().copied();
        lowest.ok_or_else(|| broken(format!("CPU {cpu} has no page table")))
    }

    /// Returns the physical addresses of the page-table entries that map `address` for `cpu`, from the top table's
    /// to the lowest, and the entries.
    ///
    /// # Errors
    /// Nothing is mapped there.
    pub fn page_entries(&mut self, cpu: usize, address: u64) -> Result<Vec<(u64, u64)>, Problem> {
        /// Flags of an entry (Intel SDM vol. 3A, 4.5): it is there; it maps a large page.
        const PRESENT: u64 = 1;
        const LARGE: u64 = 1 << 7;
        const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
        let (mut table, mut entries) = (self.page_table(cpu)?, Vec::new());
        for shift in [39, 30, 21, 12] {
            let at = table + (address >> shift & 0x1ff) * 8;
            let entry = self.word(Space::Physical, at)?;
            if entry & PRESENT == 0 {
                return Err(broken(format!("CPU {cpu} maps nothing at {address:#x}")));
            }
            entries.push((at, entry));
            if entry & LARGE != 0 && shift < 39 {
                break;
            }
            table = entry & ADDRESS;
        }
        Ok(entries)
    }

    /// Returns the physical address that `address` is mapped to for `cpu`.
    ///
    /// # Errors
    /// Nothing is mapped there.
    pub fn physical(&mut self, cpu: usize, address: u64) -> Result<u64, Problem> {
        const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
        let entries = self.page_entries(cpu, address)?;
        let (_, entry) = *entries
            .last()
            .ok_or_else(|| broken(format!("CPU {cpu} has no page table")))?;
        // The lowest of four levels maps 4 KiB, each higher one 512 times as much.
        let offset = (1 << (12 + 9 * (4 - entries.len()))) - 1;
        Ok(entry & ADDRESS & !offset | address & offset)
    }

    /// Makes every CPU forget what it knows of page tables.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn flush_tlb(&mut self) -> Result<(), Problem> {
        // A write to CR3 flushes (Intel SDM vol. 3A, 4.10.4.1).
        for cpu in 0..self.cpus()? {
            let table = self.register(cpu, "cr3")?;
            self.set_register(cpu, "cr3", table)?;
        }
        Ok(())
    }

    /// Lets `cpu` go on at another address.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn jump(&mut self, cpu: usize, address: u64) -> Result<(), Problem> {
        self.set_register(cpu, "rip", address)
    }

    /// Returns the number of CPUs.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn cpus(&mut self) -> Result<usize, Problem> {
        Ok(self.qmp.page_tables()?.len())
    }

    /// Lets `cpus`, and no other, go on for `duration`.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn run_only(&mut self, cpus: &[usize], duration: Duration) -> Result<(), Problem> {
        let actions: String = cpus.iter().map(|cpu| format!(";c:{:x}", cpu + 1)).collect();
        self.start(&format!("vCont{actions}"))?;
        thread::sleep(duration);
        self.stop()
    }

    /// Has a range of the machine's physical memory written to a file.
    ///
    /// # Errors
    /// QEMU does not answer, or the file cannot be written.
    pub fn save_memory(&mut self, range: Range, path: &Path) -> Result<(), Problem> {
        self.qmp.save_memory(range, path)
    }

    /// Executes a line of QEMU's monitor for people, and returns what it prints.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn monitor(&mut self, line: &str) -> Result<String, Problem> {
        let arguments = json!({ "command-line": line });
        let answer = self.qmp.execute("human-monitor-command", arguments)?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    fn select(&mut self, space: Space) -> Result<(), Problem> {
        if let Space::Cpu(cpu) = space {
            self.choose(cpu)?;
        }
        self.demand(&format!(
            "Qqemu.PhyMemMode:{}",
            u8::from(space == Space::Physical)
        ))
    }

    fn choose(&mut self, cpu: usize) -> Result<(), Problem> {
        self.demand(&format!("Hg{:x}", cpu + 1))
    }

    fn demand(&mut self, request: &str) -> Result<(), Problem> {
        match self.ask(request)?.as_slice() {
            b"OK" => Ok(()),
            answer => Err(broken(format!(
                "{request}: {}",
                String::from_utf8_lossy(answer)
            ))),
        }
    }

    fn ask(&mut self, request: &str) -> Result<Vec<u8>, Problem> {
        packet::write(&mut self.stream, request).map_err(broken)?;
        packet::read(&mut self.stream).map_err(broken)
    }

    fn start(&mut self, request: &str) -> Result<(), Problem> {
        packet::write(&mut self.stream, request).map_err(broken)?;
        self.is_running = true;
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Problem> {
        self.stream.write_all(&[BREAK]).map_err(broken)?;
        packet::read(&mut self.stream).map_err(broken)?;
        self.is_running = false;
        Ok(())
    }
}

impl Drop for Debugger {
    fn drop(&mut self) {
        // QEMU lets the machine go on when the debugger detaches. It may be gone, which its owner notices.
        if !self.is_running || self.stop().is_ok() {
            let _ = self.ask("D");
        }
    }
}

fn refused(what: &str, address: u64, answer: &[u8]) -> Problem {
    let answer = String::from_utf8_lossy(answer);
    broken(format!("cannot {what} at {address:#x}: {answer}"))
}

fn broken(error: impl std::fmt::Display) -> Problem {
    Problem::of_host("debugger", error)
}
