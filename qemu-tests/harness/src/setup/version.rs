//! QEMU's version.

use std::fmt;

/// A version of QEMU, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Changes once a year.
    pub major: u32,
    /// Changes every few months.
    pub minor: u32,
}

/// From this version on, emulated CPUs have x2APIC.
pub const WITH_X2APIC: Version = Version { major: 9, minor: 0 };

impl Version {
    /// Reads the first line of `qemu-system-x86_64 --version`.
    pub fn of_qemu(output: &str) -> Option<Self> {
        Self::parse(output.lines().next()?.split_once("version ")?.1)
    }

    /// Reads the version of a Debian package, with its epoch: `1:10.0.2+ds-2`.
    pub fn of_package(version: &str) -> Option<Self> {
        Self::parse(
            version
                .split_once(':')
                .map_or(version, |(_epoch, rest)| rest),
        )
    }

    /// Says whether emulated CPUs have x2APIC.
    pub fn has_x2apic(self) -> bool {
        self >= WITH_X2APIC
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next()?.parse().ok();
        Some(Self {
            major: next()?,
            minor: next()?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_written() {
        let version = |major, minor| Some(Version { major, minor });
        let debian = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright (c) 2003-2025";
        assert_eq!(Version::of_qemu(debian), version(10, 0));
        assert_eq!(
            Version::of_qemu("QEMU emulator version 7.2.11"),
            version(7, 2)
        );
        assert_eq!(
            Version::of_package("1:7.2+dfsg-7+deb12u18+b3"),
            version(7, 2)
        );
        assert_eq!(Version::of_package("10.1~rc2"), version(10, 1));
        for text in ["", "QEMU", "version x.y", "version 9"] {
            assert_eq!(Version::of_qemu(text), None, "{text:?}");
        }
    }

    #[test]
    fn x2apic_came_with_nine() {
        let has = |text| Version::of_package(text).unwrap().has_x2apic();
        assert!(has("1:9.0.0") && has("1:10.0.2") && !has("1:8.2.2") && !has("1:7.2"));
    }
}
