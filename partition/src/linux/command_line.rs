//! The command line of a Linux that lives beside another kernel: what the operator gave, and what it needs.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sharedmem::Role;

use super::words::{Word, split};
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

/// A word that would break the other kernel.
struct Harmful {
    name: &'static str,
    /// The value that does; any, if none is named.
    value: Option<&'static str>,
    /// The kernel looks for it in the whole line as text: within quotes and behind a double dash, too.
    is_anywhere: bool,
    why: &'static str,
}

const HARMFUL: [Harmful; 6] = [
    Harmful::of("mem", "the memory is divided by the plan"),
    Harmful::of("memmap", "the memory is divided by the plan"),
    Harmful {
        is_anywhere: true,
        ..Harmful::of(
            "crashkernel",
            "a crash kernel would take the machine away from the backup",
        )
    },
    Harmful::of(
        "disable_cpu_apicid",
        "the seat is the CPU that must be left alone",
    ),
    Harmful {
        is_anywhere: true,
        ..Harmful::of("acpi_rsdp", "the ACPI tables are given by the monitor")
    },
    Harmful {
        value: Some("off"),
        ..Harmful::of("acpi", "the ACPI tables say which CPUs are its own")
    },
];

impl Harmful {
    const fn of(name: &'static str, why: &'static str) -> Self {
        Self {
            name,
            value: None,
            is_anywhere: false,
            why,
        }
    }

    /// Returns what is found of it, as text.
    fn find(&self, line: &str, words: &[Word<'_>]) -> Option<String> {
        let is_it = |word: &&Word<'_>| {
            word.name() == self.name
                && (self.value.is_none() || word.value().as_deref() == self.value)
        };
        let assignment = format!("{}=", self.name);
        match words.iter().find(is_it) {
            Some(word) => Some(word.text()),
            None => Some(assignment).filter(|it| self.is_anywhere && line.contains(it)),
        }
    }
}

/// Words of ours that the operator may replace: they tune, and protect nobody.
const REPLACEABLE: [&str; 3] = ["panic", "lpj", "tsc_early_khz"];

impl CommandLine {
    /// Completes the `given` command line: ours come behind the operator's words for the kernel, so that they are the
    /// last to be heard where two contradict each other, and in front of the init program's. Only words that tune are
    /// left to the operator.
    ///
    /// # Errors
    /// A word that would break the other kernel, or would swallow ours; a line too long for `image`.
    pub fn complete(
        role: Role,
        given: &str,
        facts: Facts,
        image: &BzImage<'_>,
    ) -> Result<Self, LinuxError> {
        let (words, end) = split(given);
        for harmful in &HARMFUL {
            if let Some(found) = harmful.find(given, &words) {
                return Err(LinuxError::Word(found, harmful.why));
            }
        }
        if let Some(word) = words.last().filter(|word| word.is_open) {
            return Err(LinuxError::Word(
                word.text(),
                "a double quote is not closed",
            ));
        }
        let is_said = |ours: &String| {
            let name = name_of(ours);
            let last = words.iter().rev().find(|word| word.name() == name);
            last.is_some_and(|last| REPLACEABLE.contains(&name) || last.text() == *ours)
        };
        let mut added = needed(role, facts);
        added.retain(|ours| !is_said(ours));
        let (kernel, init) = given.split_at(end);
        let parts = [kernel.trim(), &added.join(" "), init.trim()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let text = parts.join(" ");
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

    /// Lets the kernel hear all of them, and ours last.
    #[test]
    fn where_words_contradict_each_other_both_are_there_and_ours_is_the_last() {
        let given = "pci=nommconf tsc=nowatchdog \"maxcpus=16\" reboot=\"efi\" no_ipi_broadcast=0";
        let text = complete(Role::Backup, given).unwrap().text;
        assert!(text.starts_with(given), "{text}");
        for ours in [
            "pci=off",
            "tsc=reliable",
            "maxcpus=1",
            "reboot=acpi",
            "no_ipi_broadcast=1",
        ] {
            assert!(
                text[given.len()..].contains(&format!(" {ours}")),
                "{ours}: {text}"
            );
        }
        let same = complete(Role::Backup, "pci=conf1 pci=off noapic").unwrap();
        assert!(
            !same
                .added
                .iter()
                .any(|it| it == "pci=off" || it == "noapic")
        );
        let undone = complete(Role::Backup, "pci=off pci=conf1").unwrap();
        assert!(undone.added.iter().any(|it| it == "pci=off"));
    }

    #[test]
    fn the_init_programs_words_stay_its_own() {
        let line = complete(Role::Primary, "quiet -- panic=5 mem=1G").unwrap();
        assert_eq!(
            line.text,
            "quiet no_ipi_broadcast=1 disable_cpu_apicid=3 no5lvl reboot=acpi -- panic=5 mem=1G"
        );
        for (given, expected) in [
            ("quiet splash --", " reboot=acpi --"),
            ("quiet --\tsingle", " reboot=acpi --\tsingle"),
            ("--", "no5lvl reboot=acpi --"),
        ] {
            let text = complete(Role::Primary, given).unwrap().text;
            assert!(text.ends_with(expected), "{text}");
        }
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
            "acpi=off",
            "panic=\"5",
        ] {
            for line in [
                format!("quiet {harmful}"),
                format!("\"{harmful}\" quiet -- x"),
            ] {
                let error = complete(Role::Primary, &line).unwrap_err();
                assert!(error.to_string().starts_with(harmful), "{error}");
            }
        }
        // These the kernel looks for as text, wherever it is.
        for line in ["-- crashkernel=1G", "a=\"b acpi_rsdp=1\""] {
            assert!(complete(Role::Primary, line).is_err(), "{line}");
        }
        assert!(complete(Role::Primary, "acpi=force -- mem=1G").is_ok());
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
