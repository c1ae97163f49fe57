//! Checks a boot without booting: the result is the plan, or the refusal that the boot would print.

use std::path::Path;

use partition::cmdline::OPTIONS;
use partition::tenant::Needs;
use partition::{BootFiles, Kinds, Machine, Options, Plan, Range, Refusal, plan};
use serde_json::{Value, json};
use sharedmem::Revisions;

use crate::elf_image;
use crate::problem::Problem;

/// QEMU keeps the end of memory below 4 GiB for ACPI tables, and puts the boot archive below that.
const ACPI_BYTES: u64 = 0x2_8000;
const PAGE_BYTES: u64 = 4096;
/// The monitor takes the first free page from here on for the other cores to start in.
const START_PAGE: u64 = 0x8000;
/// The page, and one in which a core notes an exception.
const START_PAGES_BYTES: u64 = 2 * PAGE_BYTES;

/// A boot to be checked.
#[derive(Clone, Debug)]
pub struct BootCheck {
    /// The boot line.
    pub cmdline: String,
    /// CPUs.
    pub cpus: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The boot image, if there is one: it takes memory.
    pub kernel: Option<Vec<u8>>,
    /// The boot archive, if there is one: it takes memory, and the images in it are checked.
    pub archive: Option<Vec<u8>>,
}

/// The result of a check.
#[derive(Clone, Debug)]
pub enum CheckReport {
    /// It boots; the images found, with their versions.
    Accepted(Box<Plan>, Vec<String>),
    /// It stops with this.
    Refused(Refusal),
}

impl BootCheck {
    /// Reads the boot image and the boot archive at these paths, which may be missing.
    pub fn of_files(
        cmdline: String,
        cpus: u32,
        memory_bytes: u64,
        kernel: &Path,
        archive: &Path,
    ) -> Self {
        let (kernel, archive) = (std::fs::read(kernel).ok(), std::fs::read(archive).ok());
        Self {
            cmdline,
            cpus,
            memory_bytes,
            kernel,
            archive,
        }
    }

    /// Checks the boot.
    ///
    /// # Errors
    /// The boot image cannot be read as one.
    pub fn run(&self) -> Result<CheckReport, Problem> {
        let machine = self.machine()?;
        let report =
            Options::parse(&self.cmdline).and_then(|options| self.check_options(&options, machine));
        Ok(report.unwrap_or_else(CheckReport::Refused))
    }

    /// Plans the machine and checks the images as the boot does. Without an archive the images are taken for native,
    /// and are not checked.
    fn check_options(
        &self,
        options: &Options,
        mut machine: Machine,
    ) -> Result<CheckReport, Refusal> {
        let archive = self.archive.as_deref().map(|bytes| ("", bytes));
        let files = BootFiles::new(archive)
            .map_err(|error| Refusal::new("archive", "", error.to_string(), ""))?;
        machine.kinds = Kinds::of(options, &files);
        machine.needs = Needs::of(options, &files);
        let plan = plan(options, &machine)?;
        let revisions = Revisions::OWN;
        let images = match archive {
            Some(_) => plan.check_images(&machine.memory_map, &files, revisions)?,
            None => Vec::new(),
        };
        Ok(CheckReport::Accepted(Box::new(plan), images))
    }

    /// Describes the machine that QEMU makes, with our files in its memory.
    fn machine(&self) -> Result<Machine, Problem> {
        let mut machine = Machine::typical(self.cpus, self.memory_bytes);
        if let Some(kernel) = &self.kernel {
            machine
                .occupied
                .push((elf_image::physical_range(kernel)?, "monitor"));
            machine.occupied.push((
                Range::new(START_PAGE, START_PAGE + START_PAGES_BYTES),
                "start page",
            ));
        }
        if let Some(archive) = &self.archive {
            let low_end = low_memory_end(self.memory_bytes).saturating_sub(ACPI_BYTES);
            let size = archive.len() as u64;
            let start = low_end.saturating_sub(size) & !(PAGE_BYTES - 1);
            machine
                .occupied
                .push((Range::new(start, start + size), "boot archive"));
        }
        Ok(machine)
    }
}

/// Returns where RAM below 4 GiB ends on QEMU's q35.
fn low_memory_end(memory_bytes: u64) -> u64 {
    if memory_bytes < 0xb000_0000 {
        memory_bytes
    } else {
        0x8000_0000
    }
}

impl CheckReport {
    /// Says whether the machine would boot.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(..))
    }

    /// Formats the report for people.
    pub fn text(&self) -> String {
        match self {
            Self::Accepted(plan, images) => {
                let images: String = images.iter().map(|image| format!("{image}\n")).collect();
                format!("{plan}{images}accepted")
            }
            Self::Refused(refusal) => format!("boot refused: {refusal}"),
        }
    }

    /// Formats the report for tools.
    pub fn json(&self) -> Value {
        match self {
            Self::Accepted(plan, images) => {
                json!({ "accepted": true, "plan": plan_json(plan), "images": images })
            }
            Self::Refused(refusal) => json!({
                "accepted": false,
                "refusal": {
                    "option": refusal.option,
                    "given": refusal.given,
                    "reason": refusal.reason,
                    "would_work": refusal.would_work,
                    "text": refusal.to_string(),
                },
            }),
        }
    }
}

fn plan_json(plan: &Plan) -> Value {
    let ranges = |ranges: &[Range]| -> Vec<Value> {
        ranges
            .iter()
            .map(|range| json!({ "start": range.start, "end": range.end }))
            .collect()
    };
    let slice = |slice: &partition::plan::Slice| {
        let cpus: Vec<u32> = slice.cpus.iter().map(|cpu| cpu.number).collect();
        json!({ "cpus": cpus, "memory": ranges(&slice.ranges) })
    };
    let compute = plan.compute.iter().map(|slice| {
        let cpus: Vec<u32> = slice.cpus.iter().map(|cpu| cpu.number).collect();
        json!({ "name": slice.clause.name, "cpus": cpus, "memory": ranges(&[slice.range])[0] })
    });
    let options = OPTIONS.iter().map(|spec| {
        (
            spec.name.to_owned(),
            json!(plan.options.as_given(spec.name)),
        )
    });
    json!({
        "seat": plan.seat.number,
        "primary": slice(&plan.primary),
        "backup": slice(&plan.backup),
        "compute": compute.collect::<Vec<_>>(),
        "shared": ranges(&[plan.shared])[0],
        "control_bytes": plan.control_bytes,
        "options": options.collect::<serde_json::Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::ArchiveWriter;
    use crate::elf_image::tests::instance;

    const LINE: &str = "primary_kernel=/boot/a failover_kernel=/boot/b";

    fn boot_check(append: &str) -> BootCheck {
        let archive = ArchiveWriter::default()
            .image("/boot/a", &instance(&[]))
            .image("/boot/b", &instance(&[]))
            .finish();
        BootCheck {
            cmdline: format!("{LINE} {append}"),
            cpus: 4,
            memory_bytes: 512 << 20,
            kernel: None,
            archive: Some(archive),
        }
    }

    #[test]
    fn a_good_boot_shows_its_plan() {
        let line = "failover_mem=128M compute=cg:,cpus=3,mem=16M@0x10000000";
        let report = boot_check(line).run().unwrap();
        assert!(report.is_accepted());
        let text = report.text();
        for part in [
            "seat     0",
            "boot archive",
            "/boot/b: version 0.1.0",
            "\naccepted",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let object = report.json();
        let memory = &object["plan"]["backup"]["memory"][0];
        assert_eq!(
            memory["end"].as_u64().unwrap() - memory["start"].as_u64().unwrap(),
            128 << 20
        );
        assert_eq!(object["plan"]["primary"]["cpus"], json!([1, 2]));
        assert_eq!(
            object["plan"]["compute"][0],
            json!({ "name": "cg", "cpus": [3], "memory": { "start": 0x1000_0000, "end": 0x1100_0000 } })
        );
        assert_eq!(object["plan"]["options"]["failover_mem"], json!("128M"));
    }

    #[test]
    fn a_refusal_names_the_option_and_what_would_work() {
        let report = boot_check("failover_mem=2T").run().unwrap();
        assert!(
            !report.is_accepted() && report.text().starts_with("boot refused: failover_mem=2T: ")
        );
        let object = report.json();
        assert_eq!(
            (&object["accepted"], &object["refusal"]["option"]),
            (&json!(false), &json!("failover_mem"))
        );
        assert!(
            object["refusal"]["would_work"]
                .as_str()
                .is_some_and(|text| text.starts_with("at most "))
        );
    }

    #[test]
    fn the_images_are_checked_too() {
        let refused = |boot_check: BootCheck| match boot_check.run().unwrap() {
            CheckReport::Refused(refusal) => refusal.to_string(),
            CheckReport::Accepted(..) => panic!("accepted"),
        };
        assert!(
            refused(boot_check("failover_kernel=/boot/c"))
                .starts_with("failover_kernel=/boot/c: there is no /boot/c in")
        );
        // Right behind the note's name, at 0x218: the revision of the shared memory.
        let mut other_revision = instance(&[]);
        other_revision[0x218] ^= 0x40;
        let mixed = ArchiveWriter::default()
            .image("/boot/a", &instance(&[]))
            .image("/boot/b", &other_revision)
            .finish();
        let text = refused(BootCheck {
            archive: Some(mixed),
            ..boot_check("")
        });
        assert!(
            text.starts_with("failover_kernel=/boot/b: built with ABI revision"),
            "{text}"
        );
        let damaged = ArchiveWriter::default()
            .file("/boot/a", &instance(&[1]))
            .file("/boot/a.crc32c", b"00000000")
            .image("/boot/b", &instance(&[]))
            .finish();
        assert!(
            refused(BootCheck {
                archive: Some(damaged),
                ..boot_check("")
            })
            .starts_with("primary_kernel=/boot/a: ")
        );
        assert!(
            refused(BootCheck {
                archive: Some(b"text".to_vec()),
                ..boot_check("")
            })
            .starts_with("archive: ")
        );
        assert!(
            BootCheck {
                archive: None,
                ..boot_check("failover_kernel=/boot/c")
            }
            .run()
            .unwrap()
            .is_accepted()
        );
    }

    #[test]
    fn the_archive_lies_where_qemu_puts_it() {
        // Seen with QEMU 10.0: an archive of 0x489c00 bytes on a machine with 512 MiB.
        let machine = BootCheck {
            archive: Some(vec![0; 0x48_9c00]),
            ..boot_check("")
        }
        .machine()
        .unwrap();
        assert_eq!(machine.occupied[0].0, Range::new(0x1fb4_e000, 0x1ffd_7c00));
        assert_eq!(low_memory_end(4 << 30), 2 << 30);
    }
}
