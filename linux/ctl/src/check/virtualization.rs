//! Checks whether CPUs that a hypervisor uses could be stopped.

use super::Finding;
use crate::hand_off;
use crate::root::Root;
use crate::virtualization::{Outlook, Virtualization};

const SUBJECT: &str = "hypervisor";

/// Checks it.
pub fn finding(root: &Root) -> Finding {
    let found = Virtualization::of(root);
    let text = found.text();
    match found.outlook() {
        Outlook::Good => Finding::ok(SUBJECT, text),
        // A machine that understudy has not started yet has no use for the module.
        Outlook::Open if found.extension.is_ok() && !hand_off::is_there(root) => {
            Finding::ok(SUBJECT, text)
        }
        Outlook::Open if found.extension.is_err() => {
            Finding::warning(SUBJECT, text, "run this on an x86-64 Linux")
        }
        Outlook::Open | Outlook::Bad => Finding::no(
            SUBJECT,
            text,
            "load understudy.ko of this release before a hypervisor; the kernel's log says if it could not register \
             its NMI handler",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::root::tests::{put, root_of};
    use crate::virtualization::tests::set_up;

    #[test]
    fn a_machine_is_judged_by_what_it_is_now() {
        let level = |is_started: bool, flags: &str, leaves: Option<&str>| {
            let (_directory, root) = root_of(&[]);
            set_up(&root, flags, &[], leaves);
            if is_started {
                put(&root, "sys/firmware/acpi/tables/UNDS", b"");
            }
            finding(&root).level
        };
        assert_eq!(
            level(false, "vmx", None),
            Level::Ok,
            "it is to be installed"
        );
        assert_eq!(level(true, "vmx", None), Level::No);
        assert_eq!(level(true, "vmx", Some("N")), Level::No);
        assert_eq!(level(true, "vmx", Some("Y")), Level::Ok);
        assert_eq!(level(true, "", None), Level::Ok);
        let (_directory, root) = root_of(&[]);
        assert_eq!(finding(&root).level, Level::Warning);
    }
}
