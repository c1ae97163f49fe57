//! What a new primary does when its services are up, and nobody waits for any more: word to the neighbours, the memory and the cores of the dead.

use sharedmem::event;

use crate::announce;
use crate::cpus;
use crate::memory;
use crate::module::Module;
use crate::root::Root;

/// Settles. What does not work is told, and the rest goes on.
pub fn settle(module: &dyn Module, root: &Root) {
    match announce::everywhere() {
        Ok(count) => root.tell(event::Announced {
            addresses: count as u32,
        }),
        Err(problem) => root.tell(&problem),
    }
    take_memory(module, root);
    take_cores(root);
}

fn take_memory(module: &dyn Module, root: &Root) {
    match module.add_memory() {
        Ok(bytes) => {
            let blocks = memory::online(root);
            root.tell(event::MemoryAdded {
                mib: bytes >> 20,
                blocks_onlined: blocks as u64,
            });
        }
        Err(problem) => root.tell(&problem),
    }
}

fn take_cores(root: &Root) {
    for cpu in cpus::removable(root) {
        // The seat is in the list of some kernels, and never comes.
        if let Err(problem) = cpus::set_online(root, cpu, true) {
            root.tell(&problem);
        }
    }
    let online = cpus::removable(root)
        .into_iter()
        .filter(|cpu| *cpu != 0 && cpus::is_online(root, *cpu))
        .count();
    root.tell(event::CpusOnline {
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
