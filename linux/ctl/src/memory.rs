//! The memory of this kernel, in sysfs.

use crate::root::Root;

const MEMORY: &str = "sys/devices/system/memory";

/// Brings every block of memory online that is not. Returns the number of blocks.
pub fn online(root: &Root) -> usize {
    root.names(MEMORY)
        .iter()
        .filter(|name| name.starts_with("memory"))
        .map(|name| format!("{MEMORY}/{name}/state"))
        .filter(|state| root.text(state).is_some_and(|state| state == "offline"))
        .filter(|state| root.write(state, "online").is_ok())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::tests::root_of;

    #[test]
    fn only_memory_that_is_offline_is_put_to_use() {
        let (_directory, root) = root_of(&[
            ("sys/devices/system/memory/memory2/state", "offline"),
            ("sys/devices/system/memory/memory3/state", "online"),
            ("sys/devices/system/memory/probe", ""),
        ]);
        assert_eq!(online(&root), 1);
        assert_eq!(
            root.text(format!("{MEMORY}/memory2/state")).unwrap(),
            "online"
        );
        assert_eq!(online(&root), 0);
    }
}
