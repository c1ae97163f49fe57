//! What a boot would say of its images, before it: by the code that prepares them at the boot.

use alloc::string::String;
use alloc::vec::Vec;

use super::Role;
use crate::files::BootFiles;
use crate::memory::MemoryMap;
use crate::plan::Plan;
use crate::refusal::Refusal;

/// A boot as far as it is known before it.
#[derive(Clone, Copy, Debug)]
pub struct PlannedBoot<'a> {
    /// Who gets what.
    pub plan: &'a Plan,
    /// The firmware's memory map.
    pub memory_map: &'a MemoryMap,
    /// The boot archive and the other modules.
    pub files: &'a BootFiles<'a>,
    /// Revisions of the shared-memory ABI and of the journal that the monitor speaks.
    pub revisions: (u32, u32),
}

impl PlannedBoot<'_> {
    /// Checks both images, each as its kind of tenant is loaded. Returns a line for people on each. A boot goes on with one sound image, but not as it was
    /// asked to.
    ///
    /// # Errors
    /// The option that names what cannot be used, and why.
    pub fn check(&self) -> Result<Vec<String>, Refusal> {
        let kinds = self.plan.kinds;
        [(Role::Primary, kinds.primary), (Role::Backup, kinds.backup)]
            .into_iter()
            .map(|(role, kind)| (kind.check)(self, role))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::archive;
    use crate::cmdline::Options;
    use crate::linux::bzimage::tests::synthetic;
    use crate::plan::{Machine, plan};
    use crate::tenant::Kinds;
    use alloc::format;
    use alloc::string::ToString;

    const LINE: &str = "primary_kernel=/vmlinuz primary_initrd=/initrd failover_kernel=/vmlinuz";

    /// Returns what is said of a boot with a synthetic bzImage.
    fn checked(rest: &str) -> Result<Vec<String>, String> {
        let bytes = archive(&[("vmlinuz", &synthetic()), ("initrd", &[0; 8192])]);
        let files = BootFiles::new([("", bytes.as_slice())]).unwrap();
        let options = Options::parse(&format!("{LINE} {rest}")).unwrap();
        let machine = Machine {
            kinds: Kinds::of(&options, &files),
            ..Machine::typical(4, 1 << 30)
        };
        let plan = plan(&options, &machine).unwrap();
        let boot = PlannedBoot {
            plan: &plan,
            memory_map: &machine.memory_map,
            files: &files,
            revisions: (1, 1),
        };
        boot.check().map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_linux_pair_that_boots_is_described() {
        let lines = checked("primary_cmdline=quiet").unwrap();
        assert_eq!(
            lines,
            [
                "/vmlinuz: Linux 6.1.0-test, 64 KiB, initrd 8 KiB, 64 bytes of command line",
                "/vmlinuz: Linux 6.1.0-test, 64 KiB, initrd 0 KiB, 169 bytes of command line"
            ]
        );
    }

    #[test]
    fn a_linux_that_would_not_boot_is_refused_by_the_option_that_says_so() {
        for (rest, beginning) in [
            ("failover_mem=16M", "failover_kernel=/vmlinuz: it needs "),
            (
                "failover_initrd=/none",
                "failover_initrd=/none: there is no /none",
            ),
            (
                "primary_cmdline=mem=1G",
                "primary_cmdline=mem=1G: mem=1G on its",
            ),
            (
                "primary_kernel=/none",
                "primary_kernel=/none: there is no /none",
            ),
        ] {
            let text = checked(rest).unwrap_err();
            assert!(text.starts_with(beginning), "{text}");
        }
    }
}
