//! What becomes of the images in a plan: the memory each is loaded into, and what a boot would say of them.

use alloc::string::String;
use alloc::vec::Vec;

use sharedmem::{Instance, Revisions, Role};

use super::Plan;
use crate::files::BootFiles;
use crate::instance_memory::InstanceMemory;
use crate::memory::MemoryMap;
use crate::refusal::Refusal;
use crate::tenant::ImageCheck;

impl Plan {
    /// Returns the memory of `instance` when it is loaded as `role`; `None` if there is no slot for it.
    pub fn memory_of(&self, instance: Instance, role: Role) -> Option<InstanceMemory> {
        let slot = match instance {
            Instance::A => self.spare.or(self.primary.ranges.first().copied()),
            Instance::B => self.backup.ranges.first().copied(),
        }?;
        let main = match (role, instance) {
            (Role::Backup, _) => [slot].into(),
            (Role::Primary, Instance::A) => self.primary.ranges.clone(),
            // The first backup, started anew as the primary.
            (Role::Primary, Instance::B) => [slot].into_iter().chain(self.pool()).collect(),
        };
        Some(InstanceMemory {
            slot,
            main,
            low: self.low[instance],
            pmem: self.pmem,
        })
    }

    /// Checks both images and those of the slices, each by the code that prepares it at the boot. Returns a line for
    /// people on each. A boot goes on with one sound image, and without a slice, but not as it was asked to.
    /// `revisions` are those that the monitor speaks.
    ///
    /// # Errors
    /// The option that names what cannot be used, and why.
    pub fn check_images(
        &self,
        memory_map: &MemoryMap,
        files: &BootFiles<'_>,
        revisions: Revisions,
    ) -> Result<Vec<String>, Refusal> {
        let slices = self.compute.iter().map(|slice| slice.check_image(files));
        let slices: Vec<String> = slices
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        let kinds = self.kinds;
        let instances = [(Role::Primary, kinds.primary), (Role::Backup, kinds.backup)];
        let instances = instances.into_iter().map(|(role, kind)| {
            (kind.check)(&ImageCheck {
                options: &self.options,
                role,
                memory: self.memory_of(role.first_instance(), role),
                memory_map,
                seat: self.seat.apic_id,
                files,
                revisions,
            })
        });
        instances.chain(slices.into_iter().map(Ok)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmdline::Options;
    use crate::image::tests::compute_image;
    use crate::linux::bzimage::tests::synthetic;
    use crate::plan::{Machine, plan};
    use crate::tenant::{Kinds, Needs};
    use alloc::format;
    use alloc::string::ToString;
    use bootfiles::testing::archive;

    const LINE: &str = "primary_kernel=/vmlinuz primary_initrd=/initrd failover_kernel=/vmlinuz";

    /// Returns what is said of a boot with a synthetic bzImage.
    fn checked(rest: &str) -> Result<Vec<String>, String> {
        let bytes = archive(&[
            ("vmlinuz", &synthetic()),
            ("initrd", &[0; 8192]),
            ("cg", &compute_image(10 << 20)),
        ]);
        let files = BootFiles::new([("", bytes.as_slice())]).unwrap();
        let options = Options::parse(&format!("{LINE} {rest}")).unwrap();
        let machine = Machine {
            kinds: Kinds::of(&options, &files),
            needs: Needs::of(&options, &files),
            ..Machine::typical(4, 1 << 30)
        };
        let plan = plan(&options, &machine).map_err(|refusal| refusal.to_string())?;
        plan.check_images(&machine.memory_map, &files, Revisions::OWN)
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_linux_pair_that_boots_is_described() {
        let lines = checked("primary_cmdline=quiet").unwrap();
        assert_eq!(
            lines,
            [
                "/vmlinuz: Linux 6.1.0-test, 64 KiB, initrd 8 KiB, 64 bytes of command line",
                "/vmlinuz: Linux 6.1.0-test, 64 KiB, initrd 0 KiB, 183 bytes of command line"
            ]
        );
    }

    #[test]
    fn the_image_of_a_slice_is_described() {
        let lines = checked("compute=cg:/cg,cpus=1,mem=18M compute=md:,cpus=2,mem=8M").unwrap();
        let told = "/cg: compute image 1.2.3, 10244 KiB, for slice cg: 4096 KiB are left for data";
        assert_eq!(lines[2..], [told]);
    }

    #[test]
    fn a_linux_that_would_not_boot_is_refused_by_the_option_that_says_so() {
        for (rest, beginning) in [
            (
                "failover_mem=16M",
                "failover_mem=16M: the image and its initrd take at least ",
            ),
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
            (
                "compute=cg:/none,cpus=1,mem=16M",
                "compute=cg:/none,cpus=1,mem=16M: /none: there is no /none",
            ),
            (
                "compute=cg:/initrd,cpus=1,mem=16M",
                "compute=cg:/initrd,cpus=1,mem=16M: /initrd: ",
            ),
            (
                "compute=cg:/cg,cpus=1,mem=14M",
                "compute=cg:/cg,cpus=1,mem=14M: with its image it takes 16M; cg:/cg,cpus=1,mem=16M would work",
            ),
        ] {
            let text = checked(rest).unwrap_err();
            assert!(text.starts_with(beginning), "{text}");
        }
    }
}
