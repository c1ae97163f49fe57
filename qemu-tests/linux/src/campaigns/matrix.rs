//! The matrix: every pairing of kernels on every kind of machine, each dying in every way.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use sharedmem::event::Apic;

use crate::takeover::{Death, play};
use crate::tenants::Pair;
use harness::emulator;
use harness::images::Images;
use harness::machine::Chipset;
use harness::paths;
use harness::problem::{Problem, require, require_equal};
use harness::score::Score;
use linux_kit::hardware::Hardware;
use linux_kit::packages::Series;

/// A machine that is not done after this time is given up.
const LIMIT: Duration = Duration::from_secs(240);

/// Many emulated cores on a few cores of the host: a healthy one may stand still for a while.
const TIMEOUT: Duration = Duration::from_millis(500);

const SERIES: [Series; 2] = [Series::V6_12, Series::V6_1];
const CHIPSETS: [Chipset; 2] = [Chipset::Q35, Chipset::Pc];
const CPUS: [u32; 3] = [2, 4, 8];
const DEATHS: [Death; 2] = [Death::Panic, Death::Hang];

/// One pairing of kernels on one kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    primary: Series,
    backup: Series,
    chipset: Chipset,
    has_x2apic: bool,
    cpus: u32,
    death: Death,
}

/// Returns all pairings.
pub fn all() -> Vec<Pairing> {
    let mut pairings = Vec::new();
    for primary in SERIES {
        for backup in SERIES {
            for (chipset, has_x2apic) in CHIPSETS.into_iter().flat_map(|c| [(c, false), (c, true)])
            {
                for cpus in CPUS {
                    pairings.extend(DEATHS.map(|death| Pairing {
                        primary,
                        backup,
                        chipset,
                        has_x2apic,
                        cpus,
                        death,
                    }));
                }
            }
        }
    }
    pairings
}

/// Returns a few pairings, in which each role of each kernel, each chipset, APIC mode, number of CPUs and death occurs.
pub fn diagonal() -> Vec<Pairing> {
    let [new, old] = SERIES;
    let [q35, pc] = CHIPSETS;
    let [panic, hang] = DEATHS;
    let pairing = |primary, backup, chipset, has_x2apic, cpus, death| Pairing {
        primary,
        backup,
        chipset,
        has_x2apic,
        cpus,
        death,
    };
    vec![
        pairing(new, old, q35, false, 4, panic),
        pairing(old, new, pc, false, 2, hang),
        pairing(new, new, q35, true, 4, hang),
        pairing(old, old, q35, true, 2, panic),
        pairing(new, old, pc, false, 8, panic),
    ]
}

/// Runs `pairings` one after the other, and prints a line for each.
pub fn run(pairings: &[Pairing], images: &Images) -> Score {
    let mut score = Score::default();
    for (index, pairing) in pairings.iter().enumerate() {
        let started = Instant::now();
        let outcome = pairing.run(images);
        score.count(&outcome);
        println!(
            "linux-matrix: {:>2}/{} {pairing} ... {}",
            index + 1,
            pairings.len(),
            match outcome {
                Ok(text) => format!("ok ({text}, {:.0} s)", started.elapsed().as_secs_f64()),
                Err(problem) => problem.to_string(),
            }
        );
    }
    score
}

impl Pairing {
    fn name(&self) -> String {
        format!(
            "linux-matrix-{}-{}-{}-{}-{}-{}",
            self.primary.name(),
            self.backup.name(),
            chipset_name(self.chipset),
            self.apic_name(),
            self.cpus,
            self.death
        )
    }

    fn apic_name(&self) -> &'static str {
        if self.has_x2apic { "x2apic" } else { "xapic" }
    }

    fn pair(&self) -> Pair {
        Pair {
            hardware: Hardware {
                chipset: chipset_name(self.chipset),
                cpus: self.cpus,
                has_x2apic: self.has_x2apic,
                ..Hardware::default()
            },
            timeout: TIMEOUT,
            // All share their files, so they run one after the other.
            ..Pair::new("linux-matrix", self.primary, self.backup)
        }
    }

    fn run(&self, images: &Images) -> Result<String, Problem> {
        if self.has_x2apic && self.chipset == Chipset::Pc {
            return Err(Problem::Skipped(
                "a pc has no interrupt remapping, without which Linux takes no x2APIC".into(),
            ));
        }
        let log = paths::fresh_log(&self.name())?;
        emulator::once_more(&self.name(), &log, || self.play(images, &log))
            .map_err(|problem| problem.while_doing(&format!("console: {}", log.display())))
    }

    fn play(&self, images: &Images, log: &Path) -> Result<String, Problem> {
        let (machine, outcome) = play(&self.pair(), images, log, LIMIT, self.death)?;
        require(outcome.audit.is_clean(), || outcome.audit.to_string())?;
        let apic: Apic = machine.console().wait_for_event(LIMIT, |_| true)?;
        require_equal("the primary's x2APIC", apic.x2apic, self.has_x2apic)?;
        Ok(format!("silence {:.0} ms", outcome.client_gap_ms()))
    }
}

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>4} -> {:<4}  {:<3}  {:<6}  {} CPUs  {:<5}",
            self.primary.name(),
            self.backup.name(),
            chipset_name(self.chipset),
            self.apic_name(),
            self.cpus,
            self.death.to_string()
        )
    }
}

/// Returns QEMU's name of it.
fn chipset_name(chipset: Chipset) -> &'static str {
    match chipset {
        Chipset::Q35 => "q35",
        Chipset::Pc => "pc",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_matrix_has_every_field_once() {
        let pairings = all();
        assert_eq!(pairings.len(), 2 * 2 * 2 * 2 * 3 * 2);
        let names: HashSet<String> = pairings.iter().map(Pairing::name).collect();
        assert_eq!(names.len(), pairings.len());
        let lines: HashSet<String> = pairings.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), pairings.len());
    }

    #[test]
    fn the_diagonal_has_everything_once_at_least() {
        let all = all();
        let quick = diagonal();
        assert!(quick.iter().all(|pairing| all.contains(pairing)));
        let has = |is: &dyn Fn(&Pairing) -> bool| quick.iter().any(is);
        for series in SERIES {
            assert!(
                has(&|pairing| pairing.primary == series)
                    && has(&|pairing| pairing.backup == series)
            );
        }
        assert!(
            CHIPSETS
                .iter()
                .all(|chipset| has(&|pairing| pairing.chipset == *chipset))
        );
        assert!(
            CPUS.iter()
                .all(|cpus| has(&|pairing| pairing.cpus == *cpus))
        );
        assert!(
            DEATHS
                .iter()
                .all(|death| has(&|pairing| pairing.death == *death))
        );
        assert!(
            [false, true]
                .iter()
                .all(|mode| has(&|pairing| pairing.has_x2apic == *mode))
        );
    }

    #[test]
    fn what_cannot_be_is_skipped_before_anything_is_fetched() {
        let pairing = all()
            .into_iter()
            .find(|pairing| pairing.has_x2apic && pairing.chipset == Chipset::Pc)
            .unwrap();
        let images = Images {
            kernel: "k".into(),
            archive: "a".into(),
            instance: Vec::new(),
        };
        let problem = pairing.run(&images).unwrap_err();
        assert!(matches!(&problem, Problem::Skipped(text) if text.contains("interrupt remapping")));
        assert_eq!(
            run(&[pairing], &images),
            Score {
                skipped: 1,
                ..Score::default()
            }
        );
    }

    #[test]
    fn a_field_is_told_in_a_line_of_its_own() {
        assert_eq!(
            diagonal()[1].to_string(),
            " 6.1 -> 6.12  pc   xapic   2 CPUs  hang "
        );
    }
}
