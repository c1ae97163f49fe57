//! The IOMMU: devices reach their owner's memory and no other, and after a takeover the next owner's.

use std::thread;
use std::time::Duration;

use serde_json::json;
use sharedmem::cause::Cause;
use sharedmem::event::{BackupMemory, DmaFault, DmaHandedOver, Iommu, WordRestored};

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use debugger::{Debugger, Space};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};

/// What a test does.
type Case = fn(&TestContext<'_>) -> Verdict;

/// QEMU's IOMMUs: what a test is called, the device, and what is done. QEMU's AMD unit translates only
/// with `pt=off`, and its log (QEMU 10.0) has no event that can be read, so nothing is named there.
const KINDS: [(&str, &str, Case); 5] = [
    ("intel", "intel-iommu,intremap=off", named),
    ("intel-intremap", "intel-iommu,intremap=on", named),
    (
        "intel-caching",
        "intel-iommu,caching-mode=on,intremap=off",
        named,
    ),
    (
        "intel-3-levels",
        "intel-iommu,aw-bits=39,intremap=off",
        named,
    ),
    ("amd", "amd-iommu,pt=off", stopped),
];

pub(super) fn tests() -> Vec<Test> {
    let of_kind = |(name, device, case): (&str, &str, Case)| {
        let mut test = Test::new(
            format!("iommu-{name}"),
            format!(
                "{device}: card and disk behind it survive a takeover; a device that writes to the other slice, to the \
                 monitor, or after the takeover to the dead primary's slice, is stopped and, but for `amd`, named"
            ),
            "debug=1",
            case,
        );
        test.machine.iommu = device.into();
        test.machine.devices = vec![format!(
            "edu,id=stray,addr={STRAY_SLOT:#x},dma_mask=0xffffffffffffffff"
        )];
        test.limit = Duration::from_secs(120);
        test
    };
    let mut off = Test::new(
        "iommu-off",
        "iommu=off: the unit is not touched, and a takeover is as on a machine without one",
        "debug=1 iommu=off",
        |context| {
            let machine = context.boot()?;
            die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
            require_equal("units", machine.console().events::<Iommu>().len(), 0)?;
            machine.closing_word()
        },
    );
    off.machine.iommu = "intel-iommu".into();
    KINDS.into_iter().map(of_kind).chain([off]).collect()
}

/// Where QEMU's device for teaching is: it copies memory to where it is told.
const STRAY_SLOT: u32 = 0x10;
const STRAY: &str = "0000:00:10.0";

/// Registers of the device: source, target, length, command; and its own buffer.
const SOURCE: u64 = 0x80;
const COMMAND: u64 = 0x98;
const BUFFER: u64 = 0x4_0000;
const BYTES: u64 = 64;

/// It copies a tenth of a second after it was told.
const COPY_TIME: Duration = Duration::from_millis(400);

/// Which way it copies.
#[derive(Clone, Copy)]
enum Copy {
    FromMemory = 1,
    ToMemory = 3,
}

/// A device that anybody may have programmed.
struct Stray<'a> {
    machine: &'a QemuMachine,
    registers: u64,
    /// Whether what is stopped is also named.
    is_named: bool,
}

impl<'a> Stray<'a> {
    fn find(machine: &'a QemuMachine, is_named: bool) -> Result<Self, Problem> {
        let buses = machine.control()?.execute("query-pci", json!({}))?;
        let devices = buses[0]["devices"].as_array().cloned().unwrap_or_default();
        let found = devices.iter().find(|it| it["slot"] == STRAY_SLOT);
        let registers = found.and_then(|it| it["regions"][0]["address"].as_u64());
        let registers = registers.filter(|it| *it != 0 && *it != u64::MAX);
        let registers =
            registers.ok_or_else(|| Problem::Failed("the device has no registers".into()))?;
        Ok(Self {
            machine,
            registers,
            is_named,
        })
    }

    /// Lets it copy, and returns what it copied to, or from.
    fn copy(&self, way: Copy, address: u64) -> Result<Vec<u8>, Problem> {
        let mut debugger = Debugger::attach(self.machine)?;
        let (source, target) = match way {
            Copy::FromMemory => (address, BUFFER),
            Copy::ToMemory => (BUFFER, address),
        };
        // It is made to master the bus, and its registers to answer, as it was before the takeover.
        let place = 0x8000_0004_u32 | STRAY_SLOT << 11;
        debugger.monitor(&format!("o /w 0xcf8 {place:#x}"))?;
        debugger.monitor("o /h 0xcfc 6")?;
        let words = [source, target, BYTES, way as u64];
        for (at, word) in (SOURCE..=COMMAND).step_by(8).zip(words) {
            debugger.set_word(Space::Physical, self.registers + at, word)?;
        }
        drop(debugger);
        thread::sleep(COPY_TIME);
        let mut debugger = Debugger::attach(self.machine)?;
        let left = debugger.word(Space::Physical, self.registers + COMMAND)?;
        require(left & 1 == 0, || "the device has not copied".into())?;
        debugger.read(Space::Physical, address, BYTES as usize)
    }

    /// Returns its accesses that were stopped and named. Those of the machine's card at the takeover, which are under
    /// way then, are not counted.
    fn faults(&self) -> Vec<DmaFault> {
        let mut all = self.machine.console().events::<DmaFault>();
        all.retain(|fault| fault.function.as_str() == STRAY);
        all
    }

    /// Waits until so many were named. They are looked for every 10 ms.
    fn wait_faults(&self, count: usize) -> Result<Vec<DmaFault>, Problem> {
        let mut named = Vec::new();
        for _ in 0..100 {
            named = self.faults();
            if named.len() >= count {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        require_equal("accesses that were stopped", named.len(), count)?;
        Ok(named)
    }

    /// Checks that it cannot write there, and that a fault is named `faults` times by then.
    fn must_be_stopped(&self, what: &str, address: u64, faults: usize) -> Result<(), Problem> {
        let before =
            Debugger::attach(self.machine)?.read(Space::Physical, address, BYTES as usize)?;
        let after = self.copy(Copy::ToMemory, address)?;
        require(before == after, || format!("{what} was written to"))?;
        if !self.is_named {
            return Ok(());
        }
        let named = self.wait_faults(faults)?;
        let last = &named[faults - 1];
        require_equal("the function", last.function.as_str(), STRAY)?;
        require_equal("what it did", last.access.as_str(), "write")
    }
}

/// Returns the start of the memory that the plan gives to `who`.
fn planned(machine: &QemuMachine, who: &str) -> Result<u64, Problem> {
    let lines = machine.console().lines();
    let row = lines.iter().find_map(|line| {
        let (_, row) = line.split_once("plan: ")?;
        let words: Vec<&str> = row.split_whitespace().collect();
        (words.first() == Some(&who))
            .then(|| words.get(2).copied())
            .flatten()
    });
    let start = row.and_then(|range| range.split_once('-'));
    let start =
        start.and_then(|(start, _)| u64::from_str_radix(start.trim_start_matches("0x"), 16).ok());
    start.ok_or_else(|| Problem::Failed(format!("the plan has no memory for {who}")))
}

fn named(context: &TestContext<'_>) -> Verdict {
    stray(context, true)
}

fn stopped(context: &TestContext<'_>) -> Verdict {
    stray(context, false)
}

fn stray(context: &TestContext<'_>, is_named: bool) -> Verdict {
    let machine = context.boot()?;
    require_equal("units", machine.console().events::<Iommu>().len(), 1)?;
    let stray = Stray::find(&machine, is_named)?;
    let mine = planned(&machine, "primary")? + (8 << 20);
    let others = machine.wait_event::<BackupMemory>()?.range.start + (8 << 20);
    let control = planned(&machine, "shared")?;
    let copied = stray.copy(Copy::FromMemory, planned(&machine, "primary")?)?;
    let is_seen = copied.iter().any(|byte| *byte != 0);
    require(is_seen, || {
        "to write what it holds would not be seen".into()
    })?;
    require_equal("faults", stray.faults().len(), 0)?;
    stray.must_be_stopped("the other slice", others, 1)?;
    stray.must_be_stopped("the control block", control, 1)?;
    stray.must_be_stopped("the monitor", 0x10_0000, 1)?;

    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    let handed_over = machine.wait_event::<DmaHandedOver>()?;
    require_equal("functions that are barred", handed_over.barred, 0)?;
    stray.copy(Copy::FromMemory, others)?;
    require_equal("faults", stray.faults().len(), usize::from(is_named))?;
    stray.must_be_stopped("the dead primary's slice", mine, 2)?;
    let restored = machine.console().events::<WordRestored>().len();
    require_equal("words of the control block that were restored", restored, 0)?;
    machine.closing_word()
}
