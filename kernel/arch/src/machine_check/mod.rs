//! Machine checks: what the processor reports of its own errors, and whether a core can go on.
//!
//! Source: Intel SDM vol. 3B, 15 (machine-check architecture); AMD64 APM vol. 2, 9.

mod noted;

use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::model_specific::Msr;

pub use noted::{Noted, Notes};

/// IA32_MCG_CAP: the number of banks in bits 7..0, and what there is.
const MCG_CAP: u32 = 0x179;
const BANKS: u64 = 0xff;
const CAP_HAS_CONTROL: u64 = 1 << 8;
const CAP_TELLS_RECOVERY: u64 = 1 << 24;

/// IA32_MCG_STATUS. 0 lets the next machine check in; while one is in progress, another one resets the machine.
pub const MCG_STATUS: u32 = 0x17a;
/// The interrupted program can go on.
const RETURN_IS_VALID: u64 = 1 << 0;
/// The error belongs to the interrupted instruction.
const ERROR_IS_HERE: u64 = 1 << 1;

/// IA32_MCG_CTL, and the first of the four registers of each bank: control, status, address, more.
const MCG_CTL: u32 = 0x17b;
const FIRST_BANK: u32 = 0x400;

/// Bits of a bank's status.
const VALID: u64 = 1 << 63;
const UNCORRECTED: u64 = 1 << 61;
const ENABLED: u64 = 1 << 60;
const HAS_MORE: u64 = 1 << 59;
const HAS_ADDRESS: u64 = 1 << 58;
const CONTEXT_IS_CORRUPT: u64 = 1 << 57;
const SIGNALLED: u64 = 1 << 56;
const ACTION_REQUIRED: u64 = 1 << 55;

/// The registers of one core.
pub trait Registers {
    /// Reads a register that exists.
    fn read(&self, register: u32) -> u64;
    /// Writes a register that exists.
    fn write(&self, register: u32, value: u64);
}

/// The registers of the core that runs.
pub struct OwnCore;

impl Registers for OwnCore {
    fn read(&self, register: u32) -> u64 {
        // SAFETY: the callers here ask for the registers of the machine-check architecture, which exists.
        unsafe { Msr::new(register).read() }
    }

    fn write(&self, register: u32, value: u64) {
        // SAFETY: as above; they enable reports of errors, and clear reports that were read.
        unsafe { Msr::new(register).write(value) };
    }
}

/// Whether a core can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can: the error was corrected, or it is not this core's.
    GoOn,
    /// What it works with may be wrong.
    Fatal,
}

/// What one bank reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankReport {
    /// The bank.
    pub bank: u32,
    /// Its status.
    pub status: u64,
    /// The address of the error; 0 if there is none.
    pub address: u64,
    /// More, by the kind of error; 0 if there is none.
    pub more: u64,
}

/// Returns whether this processor has the machine-check architecture.
pub fn exists() -> bool {
    let features = CpuId::new().get_feature_info();
    features.is_some_and(|features| features.has_mce() && features.has_mca())
}

/// Returns CR4's bit that lets machine checks in, if the processor has them. A core without it answers one with a
/// shutdown, which resets the machine.
pub fn cr4_bit() -> u32 {
    match exists() {
        true => Cr4Flags::MACHINE_CHECK_EXCEPTION.bits() as u32,
        false => 0,
    }
}

/// Lets machine checks and reports of all errors in, on the core that runs. Its interrupt table is loaded.
pub fn begin() {
    if exists() {
        // SAFETY: the processor has the bit, and a handler for what it lets in.
        unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::MACHINE_CHECK_EXCEPTION)) };
        enable(&OwnCore);
    }
}

/// Lets all errors be reported.
fn enable(core: &impl Registers) {
    let capabilities = core.read(MCG_CAP);
    if capabilities & CAP_HAS_CONTROL != 0 {
        core.write(MCG_CTL, u64::MAX);
    }
    for bank in 0..(capabilities & BANKS) as u32 {
        core.write(FIRST_BANK + 4 * bank, u64::MAX);
    }
}

/// Judges a machine check, and hands every report to `report`. What was reported is cleared; if the core can go on,
/// the next check is let in.
pub fn judge(core: &impl Registers, mut report: impl FnMut(&BankReport)) -> Verdict {
    let global = core.read(MCG_STATUS);
    let capabilities = core.read(MCG_CAP);
    let mut verdict = match global & RETURN_IS_VALID != 0 {
        true => Verdict::GoOn,
        false => Verdict::Fatal,
    };
    each(core, capabilities, |bank| {
        if is_fatal(bank.status, global, capabilities) {
            verdict = Verdict::Fatal;
        }
        report(bank);
        true
    });
    if verdict == Verdict::GoOn {
        core.write(MCG_STATUS, 0);
    }
    verdict
}

/// Looks for errors that were corrected, or of which nobody was told, and hands them to `report`. They are cleared.
pub fn poll(core: &impl Registers, mut report: impl FnMut(&BankReport)) {
    let capabilities = core.read(MCG_CAP);
    each(core, capabilities, |bank| {
        let is_told_by_exception = is_fatal(bank.status, ERROR_IS_HERE, capabilities);
        if !is_told_by_exception {
            report(bank);
        }
        !is_told_by_exception
    });
}

/// Handles a machine check on the core that runs, whose number is `core`: notes what is reported.
///
/// # Errors
/// The core must not go on. Holds the report of a bank, or of the global status as bank 255.
pub fn handle(core: u32, notes: &Notes) -> Result<(), BankReport> {
    let mut worst = BankReport {
        bank: u8::MAX.into(),
        status: OwnCore.read(MCG_STATUS),
        address: 0,
        more: 0,
    };
    let mut reports = 0;
    let verdict = judge(&OwnCore, |report| {
        reports += 1;
        notes.note(&noted_as(core, Verdict::GoOn, *report));
        if worst.bank == u8::MAX.into() || report.status & UNCORRECTED != 0 {
            worst = *report;
        }
    });
    if verdict == Verdict::Fatal || reports == 0 {
        // That there was one is worth a note, too.
        notes.note(&noted_as(core, verdict, worst));
    }
    match verdict {
        Verdict::GoOn => Ok(()),
        Verdict::Fatal => Err(worst),
    }
}

/// Looks for errors that were corrected on the core that runs, whose number is `core`, and notes them.
pub fn look(core: u32, notes: &Notes) {
    if exists() {
        poll(&OwnCore, |report| {
            notes.note(&noted_as(core, Verdict::GoOn, *report));
        });
    }
}

fn noted_as(core: u32, verdict: Verdict, report: BankReport) -> Noted {
    Noted {
        core,
        verdict,
        report,
    }
}

/// Returns whether what a bank reports keeps a core with this global status from going on.
fn is_fatal(status: u64, global: u64, capabilities: u64) -> bool {
    let is = |bit: u64| status & bit != 0;
    if !is(UNCORRECTED) || !is(ENABLED) {
        return false;
    }
    if is(CONTEXT_IS_CORRUPT) || capabilities & CAP_TELLS_RECOVERY == 0 {
        return true;
    }
    // Another core's error reaches this one by a broadcast (Intel SDM vol. 3B, 15.9.3.2).
    is(SIGNALLED) && is(ACTION_REQUIRED) && global & ERROR_IS_HERE != 0
}

/// Hands each bank that reports something to `take`, which returns whether to clear it.
fn each(core: &impl Registers, capabilities: u64, mut take: impl FnMut(&BankReport) -> bool) {
    for bank in 0..(capabilities & BANKS) as u32 {
        let first = FIRST_BANK + 4 * bank;
        let status = core.read(first + 1);
        if status & VALID == 0 {
            continue;
        }
        let if_there = |bit: u64, register: u32| match status & bit != 0 {
            true => core.read(register),
            false => 0,
        };
        let report = BankReport {
            bank,
            status,
            address: if_there(HAS_ADDRESS, first + 2),
            more: if_there(HAS_MORE, first + 3),
        };
        if take(&report) {
            core.write(first + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::RefCell;
    use std::collections::BTreeMap;
    use std::vec;
    use std::vec::Vec;

    /// A core whose registers are what was written; reading any other is an error.
    struct FakeCore(RefCell<BTreeMap<u32, u64>>);

    impl FakeCore {
        /// Makes a core with three banks, of which these report something.
        fn new(capabilities: u64, global: u64, reports: &[(u32, u64)]) -> Self {
            let mut registers = BTreeMap::from([(MCG_CAP, 3 | capabilities), (MCG_STATUS, global)]);
            registers.extend((0..3).map(|bank| (FIRST_BANK + 4 * bank + 1, 0)));
            for (bank, status) in reports {
                registers.insert(FIRST_BANK + 4 * bank + 1, *status);
                if status & HAS_ADDRESS != 0 {
                    registers.insert(FIRST_BANK + 4 * bank + 2, 0xadd);
                }
                if status & HAS_MORE != 0 {
                    registers.insert(FIRST_BANK + 4 * bank + 3, 0x302e);
                }
            }
            Self(RefCell::new(registers))
        }
    }

    impl Registers for FakeCore {
        fn read(&self, register: u32) -> u64 {
            *self.0.borrow().get(&register).expect("it exists")
        }

        fn write(&self, register: u32, value: u64) {
            self.0.borrow_mut().insert(register, value);
        }
    }

    const IN_PROGRESS: u64 = 1 << 2;

    #[test]
    fn a_core_goes_on_where_the_manual_lets_it() {
        use Verdict::{Fatal, GoOn};
        let error = VALID | UNCORRECTED | ENABLED;
        let all = CAP_TELLS_RECOVERY;
        for (name, capabilities, global, status, expected) in [
            ("corrected", all, RETURN_IS_VALID, VALID | ENABLED, GoOn),
            ("nothing", all, RETURN_IS_VALID, 0, GoOn),
            ("no way back", all, 0, VALID | ENABLED, Fatal),
            (
                "not enabled",
                all,
                RETURN_IS_VALID,
                VALID | UNCORRECTED,
                GoOn,
            ),
            ("no action", all, RETURN_IS_VALID, error, GoOn),
            (
                "action optional",
                all,
                RETURN_IS_VALID,
                error | SIGNALLED,
                GoOn,
            ),
            (
                "corrupt",
                all,
                RETURN_IS_VALID,
                error | CONTEXT_IS_CORRUPT,
                Fatal,
            ),
            ("old processor", 0, RETURN_IS_VALID, error, Fatal),
            (
                "action required",
                all,
                RETURN_IS_VALID | ERROR_IS_HERE,
                error | SIGNALLED | ACTION_REQUIRED,
                Fatal,
            ),
            (
                "another core's",
                all,
                RETURN_IS_VALID,
                error | SIGNALLED | ACTION_REQUIRED,
                GoOn,
            ),
        ] {
            let core = FakeCore::new(capabilities, IN_PROGRESS | global, &[(1, status)]);
            assert_eq!(judge(&core, |_| {}), expected, "{name}");
            let lets_next_in = core.read(MCG_STATUS) == 0;
            assert_eq!(lets_next_in, expected == GoOn, "{name}");
            assert_eq!(core.read(FIRST_BANK + 5), 0, "{name}: cleared");
        }
    }

    #[test]
    fn every_bank_is_reported_once_with_what_it_has() {
        let statuses = [(0, VALID), (2, VALID | HAS_ADDRESS | HAS_MORE | 0x135)];
        let core = FakeCore::new(0, RETURN_IS_VALID, &statuses);
        for expected in [vec![(0, 0, 0), (2, 0xadd, 0x302e)], vec![]] {
            let mut seen = Vec::new();
            judge(&core, |it| seen.push((it.bank, it.address, it.more)));
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_poll_takes_what_no_exception_tells_and_leaves_the_rest() {
        let fatal = VALID | UNCORRECTED | ENABLED | CONTEXT_IS_CORRUPT;
        let core = FakeCore::new(CAP_TELLS_RECOVERY, 0, &[(0, fatal), (1, VALID | ENABLED)]);
        let mut seen = Vec::new();
        poll(&core, |it| seen.push(it.bank));
        assert_eq!(seen, [1]);
        assert_eq!(core.read(FIRST_BANK + 1), fatal);
        assert_eq!(core.read(FIRST_BANK + 5), 0);
    }

    #[test]
    fn every_bank_is_enabled() {
        let core = FakeCore::new(CAP_HAS_CONTROL, 0, &[]);
        enable(&core);
        for register in [MCG_CTL, FIRST_BANK, FIRST_BANK + 4, FIRST_BANK + 8] {
            assert_eq!(core.read(register), u64::MAX);
        }
    }
}
