//! What a new primary does once its services are up, because it is not urgent: it announces its addresses to the
//! neighbours, and adds the memory and the cores of the dead primary.

use sharedmem::event;

use crate::announce;
use crate::cpus;
use crate::memory;
use crate::module::Module;
use crate::root::Root;

/// Announces the addresses and adds memory and cores. Logs what fails, and does the rest.
pub fn settle(module: &dyn Module, root: &Root) {
    match announce::everywhere() {
        Ok(count) => root.log(event::Announced {
            addresses: count as u32,
        }),
        Err(problem) => root.log(&problem),
    }
    take_memory(module, root);
    take_cores(root);
}

fn take_memory(module: &dyn Module, root: &Root) {
    match module.add_memory() {
        Ok(bytes) => {
            let blocks = memory::online(root);
            root.log(event::MemoryAdded {
                mib: bytes >> 20,
                blocks_onlined: blocks as u64,
            });
        }
        Err(problem) => root.log(&problem),
    }
}

fn take_cores(root: &Root) {
    for cpu in cpus::removable(root) {
        // Some kernels list the seat, which never comes online.
        if let Err(problem) = cpus::set_online(root, cpu, true) {
            root.log(&problem);
        }
    }
    let online = cpus::removable(root)
        .into_iter()
        .filter(|cpu| *cpu != 0 && cpus::is_online(root, *cpu))
        .count();
    root.log(event::CpusOnline {
        count: online as u32 + 1,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::tests::root_of;
    use crate::testing::FakeModule;

    #[test]
    fn memory_and_cores_of_the_dead_are_put_to_use() {
        let (_directory, root) = root_of(&[
            ("sys/devices/system/cpu/cpu0/x", ""),
            ("sys/devices/system/cpu/cpu1/online", "0"),
            ("sys/devices/system/cpu/cpu2/online", "0"),
            ("sys/devices/system/memory/memory8/state", "offline"),
            ("dev/kmsg", ""),
        ]);
        let module = FakeModule::primary();
        take_memory(&module, &root);
        assert!(
            root.text("dev/kmsg")
                .unwrap()
                .contains("mib=256 blocks_onlined=1")
        );
        take_cores(&root);
        assert!(cpus::is_online(&root, 1) && cpus::is_online(&root, 2));
        assert!(
            root.text("dev/kmsg")
                .unwrap()
                .contains("event=cpus-online count=3")
        );
    }
}
