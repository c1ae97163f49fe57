//! Booting from a disc, by the firmware of old machines or by that of new ones.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::spec::commas_doubled;
use crate::files;
use crate::problem::Problem;

/// What a machine starts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Firmware {
    /// Legacy BIOS: SeaBIOS, which QEMU has built in.
    Bios,
    /// UEFI: OVMF.
    Uefi,
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        })
    }
}

/// OVMF as Debian's package `ovmf` has it: the code, which all machines share, and the variables, which each machine
/// copies.
pub const OVMF: [&str; 2] = [
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_VARS_4M.fd",
];

/// A disc in a machine.
#[derive(Clone, Debug)]
pub struct Disc {
    /// The image.
    pub iso: PathBuf,
    /// What it is booted by.
    pub firmware: Firmware,
}

impl Disc {
    /// Returns QEMU's arguments, and copies the firmware's variables to a file beside the image.
    pub(super) fn arguments(&self) -> Result<Vec<String>, Problem> {
        let mut list = vec![
            "-drive".into(),
            format!(
                "if=none,id=cd0,media=cdrom,readonly=on,file={}",
                commas_doubled(&self.iso)
            ),
            // Before the network, which the firmware would try for a while.
            "-device".into(),
            "ide-cd,drive=cd0,bootindex=0".into(),
        ];
        if self.firmware == Firmware::Uefi {
            let [code, variables] = OVMF.map(Path::new);
            if let Some(missing) = [code, variables].iter().find(|path| !path.is_file()) {
                return Err(Problem::Skipped(format!(
                    "there is no {}, the firmware for UEFI; installing the package ovmf would work",
                    missing.display()
                )));
            }
            let copy = self.iso.with_extension("vars.fd");
            files::write(&copy, &files::read(variables)?)?;
            for (unit, file, access) in [(0, code, ",readonly=on"), (1, copy.as_path(), "")] {
                list.push("-drive".into());
                list.push(format!(
                    "if=pflash,format=raw,unit={unit}{access},file={}",
                    commas_doubled(file)
                ));
            }
        }
        Ok(list)
    }
}
