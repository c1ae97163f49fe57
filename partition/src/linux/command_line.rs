//! The command line of a Linux that lives beside another kernel: what the operator gave, and what it needs.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sharedmem::Role;

use super::{BzImage, LinuxError};

/// Longest command line of any kernel (COMMAND_LINE_SIZE), without the closing zero.
const LINE_MAX: usize = 2047;

/// Timer interrupts a second in distributions' kernels, from which `lpj=` is derived. A wrong one only makes short
/// delays longer or shorter until the kernel has calibrated by itself.
const TICKS_PER_SECOND: u64 = 250;

/// What the added words depend on.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// APIC id of the seat, which must never be sent an INIT.
    pub seat_apic_id: u32,
    /// Frequency of the time-stamp counter, in kHz.
    pub tsc_khz: u64,
}

/// A command line, and what was added to what the operator gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// All of it.
    pub text: String,
    /// Words that were added.
    pub added: Vec<String>,
}

/// Words that would break the other kernel, and why.
const HARMFUL: [(&str, &str); 5] = [
    ("mem", "the memory is divided by the plan"),
    ("memmap", "the memory is divided by the plan"),
    (
        "crashkernel",
        "a crash kernel would take the machine away from the backup",
    ),
    (
        "disable_cpu_apicid",
        "the seat is the CPU that must be left alone",
    ),
    ("acpi_rsdp", "the ACPI tables are given by the monitor"),
];

impl CommandLine {
    /// Completes the `given` command line. A word of the operator's is kept and wins over one of ours of the same name.
    ///
    /// # Errors
    /// A word that would break the other kernel; a line too long for `image`.
    pub fn complete(
        role: Role,
        given: &str,
        facts: Facts,
        image: &BzImage<'_>,
    ) -> Result<Self, LinuxError> {
        for (name, why) in HARMFUL {
            if let Some(word) = word(given, name) {
                return Err(LinuxError::Word(word.to_string(), why));
            }
        }
        let added: Vec<String> = needed(role, facts)
            .into_iter()
            .filter(|needed| word(given, name_of(needed)).is_none())
            .collect();
        let text = added.iter().fold(given.trim().to_string(), |text, word| {
            let blank = if text.is_empty() { "" } else { " " };
            // What follows a double dash is the init program's: ours go before.
            match text.split_once(" -- ") {
                Some((kernel, init)) => format!("{kernel} {word} -- {init}"),
                None => text + blank + word,
            }
        });
        let limit = LINE_MAX.min(image.cmdline_max);
        if text.len() > limit {
            return Err(LinuxError::LineTooLong(text.len(), limit));
        }
        Ok(Self { text, added })
    }
}

/// Returns what every role needs:
/// - `no_ipi_broadcast`: or its IPIs by shorthand reach the seat;
/// - `disable_cpu_apicid`: or kernels before 6.9 send the seat an INIT;
/// - `no5lvl`: the way back into a parked kernel has four levels;
/// - `reboot=acpi`: the reset register is the monitor's.
///
/// A backup, too: `noapic pci=off nohpet`: the interrupt controller, the bus and the timer are another's; `maxcpus=1`:
/// the other cores are, too; `no_timer_check tsc=reliable tsc_early_khz lpj`: nothing is left to calibrate with;
/// `nokaslr`: small slots have no choice of places; `panic=0`: it must not reset anything;
/// `reset_devices`: drivers find their devices as a dead kernel left them, and have to reset them.
fn needed(role: Role, facts: Facts) -> Vec<String> {
    let mut words: Vec<String> = [
        "no_ipi_broadcast=1".to_string(),
        format!("disable_cpu_apicid={}", facts.seat_apic_id),
        "no5lvl".to_string(),
        "reboot=acpi".to_string(),
    ]
    .into();
    if role == Role::Backup {
        let khz = facts.tsc_khz;
        words.extend(
            [
                "noapic",
                "pci=off",
                "nohpet",
                "maxcpus=1",
                "no_timer_check",
                "tsc=reliable",
            ]
            .map(String::from),
        );
        words.push(format!("tsc_early_khz={khz}"));
        words.push(format!("lpj={}", khz * 1000 / TICKS_PER_SECOND));
        words.extend(["nokaslr", "panic=0", "reset_devices"].map(String::from));
    }
    words
}

fn name_of(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

/// Returns the first word with this name, as given; dashes and underscores are alike. What stands in quotes is no word
/// of its own, and what follows a double dash is not the kernel's.
fn word<'a>(given: &'a str, name: &str) -> Option<&'a str> {
    let mut in_quotes = false;
    let is_end = |c: char| {
        in_quotes ^= c == '"';
        c.is_ascii_whitespace() && !in_quotes
    };
    given
        .split(is_end)
        .take_while(|word| *word != "--")
        .find(|word| name_of(word).replace('-', "_") == name)
}

#[cfg(test)]
mod tests {
    use super::super::bzimage::tests::synthetic;
    use super::*;

    const FACTS: Facts = Facts {
        seat_apic_id: 3,
        tsc_khz: 2_000_000,
    };

    fn complete(role: Role, given: &str) -> Result<CommandLine, LinuxError> {
        let bytes = synthetic();
        CommandLine::complete(role, given, FACTS, &BzImage::parse(&bytes).unwrap())
    }

    #[test]
    fn what_is_needed_is_added_behind_what_was_given() {
        let line = complete(Role::Primary, " console=ttyS0  quiet ").unwrap();
        assert_eq!(
            line.text,
            "console=ttyS0  quiet no_ipi_broadcast=1 disable_cpu_apicid=3 no5lvl reboot=acpi"
        );
        assert_eq!(line.added.len(), 4);
        let line = complete(Role::Backup, "").unwrap();
        assert!(
            line.text
                .starts_with("no_ipi_broadcast=1 disable_cpu_apicid=3")
        );
        assert!(
            line.text
                .ends_with("tsc_early_khz=2000000 lpj=8000000 nokaslr panic=0 reset_devices")
        );
    }

    #[test]
    fn the_operators_word_wins() {
        let line = complete(Role::Backup, "panic=5 lpj=1 tsc-early-khz=7").unwrap();
        for ours in ["panic=0", "lpj=8000000", "tsc_early_khz=2"] {
            assert!(!line.text.contains(ours), "{}", line.text);
        }
        assert!(line.text.starts_with("panic=5 lpj=1 tsc-early-khz=7 "));
    }

    #[test]
    fn the_init_programs_words_stay_its_own() {
        let line = complete(Role::Primary, "quiet -- panic=5 mem=1G").unwrap();
        assert_eq!(
            line.text,
            "quiet no_ipi_broadcast=1 disable_cpu_apicid=3 no5lvl reboot=acpi -- panic=5 mem=1G"
        );
        let quoted = complete(Role::Primary, "foo=\"a mem=1G b\"").unwrap();
        assert!(quoted.text.starts_with("foo=\"a mem=1G b\" no_ipi"));
    }

    #[test]
    fn words_that_would_break_the_other_kernel_are_refused() {
        for harmful in [
            "mem=512M",
            "memmap=1M$2M",
            "crashkernel=128M",
            "disable-cpu-apicid=0",
        ] {
            let error = complete(Role::Primary, &format!("quiet {harmful}")).unwrap_err();
            assert!(error.to_string().starts_with(harmful), "{error}");
        }
    }

    #[test]
    fn a_line_too_long_is_refused_with_the_limit() {
        let long = "x".repeat(2040);
        assert!(matches!(
            complete(Role::Primary, &long),
            Err(LinuxError::LineTooLong(_, 2047))
        ));
    }
}
