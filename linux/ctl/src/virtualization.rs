//! Whether the fence stops CPUs that a hypervisor uses. INIT is held on a CPU in VMX root operation (Intel SDM vol. 3C,
//! 24.8), where KVM keeps every CPU, and while AMD's global interrupt flag is 0 (AMD64 APM vol. 2, 15.17). The module
//! leaves virtualization when the fence's NMI comes.

use crate::cpus::field;
use crate::root::Root;

/// Modules of hypervisors, by which they show that they are loaded.
const HYPERVISORS: [&str; 4] = ["kvm_intel", "kvm_amd", "vboxdrv", "vmmon"];

/// The module's word that its handler is there.
pub const LEAVES: &str = "sys/module/understudy/parameters/leaves_virtualization";

/// What is there of virtualization, and of what leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Virtualization {
    /// The processor's extension, `VMX` or `SVM`; `None` if it has none. Unknown if the system does not show it.
    pub extension: Result<Option<&'static str>, Unknown>,
    /// The hypervisors that are loaded.
    pub hypervisors: Vec<&'static str>,
    /// Whether the module's handler is there; `None` if the module is not loaded.
    pub leaves: Option<bool>,
}

/// The system does not show its processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// Whether every CPU can be stopped now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// No CPU can be in a hypervisor's mode, or the module leaves it.
    Good,
    /// The module is not loaded, and nothing tells whether it will leave that mode.
    Open,
    /// A CPU may be in that mode, and nothing leaves it.
    Bad,
}

impl Virtualization {
    /// Looks at the system whose files are below `root`.
    pub fn of(root: &Root) -> Self {
        let cpuinfo = root.text("proc/cpuinfo").unwrap_or_default();
        let extension = field(&cpuinfo, "flags").ok_or(Unknown).map(|flags| {
            let has = |flag| flags.split(' ').any(|it| it == flag);
            [("vmx", "VMX"), ("svm", "SVM")]
                .into_iter()
                .find_map(|(flag, name)| has(flag).then_some(name))
        });
        let mut hypervisors = HYPERVISORS.to_vec();
        hypervisors.retain(|name| root.has(format!("sys/module/{name}")));
        let is_loaded = root.has("sys/module/understudy");
        Self {
            extension,
            hypervisors,
            leaves: is_loaded.then(|| root.text(LEAVES).is_some_and(|text| text == "Y")),
        }
    }

    /// Returns whether every CPU can be stopped.
    pub fn outlook(&self) -> Outlook {
        let may_be_used = self.extension != Ok(None) || !self.hypervisors.is_empty();
        match self.leaves {
            _ if !may_be_used => Outlook::Good,
            Some(true) => Outlook::Good,
            Some(false) => Outlook::Bad,
            None => Outlook::Open,
        }
    }

    /// Describes it in a line.
    pub fn text(&self) -> String {
        let extension = match self.extension {
            Ok(Some(name)) => format!("the processor has {name}"),
            Ok(None) => "the processor has no virtualization".into(),
            Err(Unknown) => {
                "/proc/cpuinfo does not show whether the processor has VMX or SVM".into()
            }
        };
        let used = match &self.hypervisors[..] {
            [] if self.extension == Ok(None) => String::new(),
            [] => ", which no hypervisor uses now".into(),
            names => format!(", used by {}", names.join(" and ")),
        };
        let leaves = match self.leaves {
            _ if self.outlook() == Outlook::Good && self.leaves.is_none() => "",
            Some(true) => "; understudy.ko leaves it when a CPU must stop",
            Some(false) => {
                "; understudy.ko has no handler that leaves it, so INIT may not stop a CPU"
            }
            None => "; once it is loaded, understudy.ko leaves it when a CPU must stop",
        };
        format!("{extension}{used}{leaves}")
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::root::tests::{put, root_of};

    /// Puts a processor with these flags, these modules, and what our module says, if it is loaded.
    pub fn set_up(root: &Root, flags: &str, modules: &[&str], leaves: Option<&str>) {
        let cpuinfo = format!("processor\t: 0\nflags\t\t: fpu {flags} apic\n");
        put(root, "proc/cpuinfo", cpuinfo.as_bytes());
        for module in modules {
            put(root, &format!("sys/module/{module}/refcnt"), b"0");
        }
        if let Some(text) = leaves {
            put(root, "sys/module/understudy/refcnt", b"-1");
            put(root, LEAVES, text.as_bytes());
        }
    }

    fn outlook(flags: &str, modules: &[&str], leaves: Option<&str>) -> (Outlook, String) {
        let (_directory, root) = root_of(&[]);
        set_up(&root, flags, modules, leaves);
        let found = Virtualization::of(&root);
        (found.outlook(), found.text())
    }

    #[test]
    fn a_processor_without_virtualization_is_stopped_by_init() {
        let text = "the processor has no virtualization".to_string();
        assert_eq!(outlook("vm", &[], None), (Outlook::Good, text));
        assert_eq!(outlook("vm", &[], Some("N")).0, Outlook::Good);
    }

    #[test]
    fn a_hypervisor_needs_the_modules_handler() {
        for (flags, modules) in [
            ("vmx", &[][..]),
            ("vmx", &["kvm_intel"]),
            ("svm", &["kvm_amd"]),
        ] {
            let of = |leaves| outlook(flags, modules, leaves);
            assert_eq!(of(Some("Y")).0, Outlook::Good);
            let (found, text) = of(Some("N"));
            assert_eq!(found, Outlook::Bad);
            assert!(modules.iter().all(|name| text.contains(name)), "{text}");
            assert_eq!(of(None).0, Outlook::Open);
        }
        let (_, text) = outlook("vmx", &["kvm_intel"], Some("Y"));
        let expected = "the processor has VMX, used by kvm_intel; understudy.ko leaves it when a CPU must stop";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_the_system_does_not_show_is_not_taken_for_good() {
        let (_directory, root) = root_of(&[]);
        let found = Virtualization::of(&root);
        assert_eq!(
            (found.extension, found.outlook()),
            (Err(Unknown), Outlook::Open)
        );
        put(&root, "sys/module/understudy/refcnt", b"-1");
        assert_eq!(
            Virtualization::of(&root).outlook(),
            Outlook::Bad,
            "a module before this one"
        );
    }
}
