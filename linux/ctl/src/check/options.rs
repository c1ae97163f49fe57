//! Checks how the running kernel was configured.

use std::io::Read;

use flate2::read::GzDecoder;

use super::Finding;
use crate::root::Root;

const SUBJECT: &str = "options";

/// Largest configuration that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// Options that a kernel needs, and what for.
const NEEDED: [(&str, &str); 6] = [
    ("SMP", "to be started on any core"),
    ("MODULES", "for understudy.ko"),
    ("SUSPEND", "to park"),
    ("RELOCATABLE", "to be loaded into a slot"),
    ("PCI_MSI", "to take devices over"),
    (
        "HOTPLUG_CPU",
        "to lend a core, and to take those of a dead primary",
    ),
];

/// Options that a kernel can do without, and what is lost then.
const USEFUL: [(&str, &str); 1] = [(
    "MEMORY_HOTPLUG",
    "without it a new primary keeps the little memory it waited in",
)];

/// Checks the options.
pub fn findings(root: &Root, release: &str) -> Vec<Finding> {
    let Some(config) = configuration(root, release) else {
        return vec![Finding::warning(
            SUBJECT,
            format!(
                "neither /proc/config.gz nor /boot/config-{release} can be read, so the kernel's options are unknown"
            ),
            root.advice_to_read(
                "look for CONFIG_SUSPEND and CONFIG_HOTPLUG_CPU where this kernel was built",
            ),
        )];
    };
    let lacks = |name: &str| {
        let wanted = format!("CONFIG_{name}=y");
        !config.lines().any(|line| line == wanted)
    };
    let needed = NEEDED
        .iter()
        .filter(|(name, _)| lacks(name))
        .map(|(name, what)| {
            let text = format!("CONFIG_{name} is missing, which is needed {what}");
            Finding::no(SUBJECT, text, "use a kernel that has it")
        });
    let useful = USEFUL
        .iter()
        .filter(|(name, _)| lacks(name))
        .map(|(name, what)| {
            let text = format!("CONFIG_{name} is missing: {what}");
            Finding::warning(SUBJECT, text, "use a kernel that has it")
        });
    let mut findings: Vec<Finding> = needed.chain(useful).collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            SUBJECT,
            "the kernel has all options that are needed",
        ));
    }
    findings
}

/// Returns the configuration: what the kernel itself says, or else the file that came with a kernel of this release.
fn configuration(root: &Root, release: &str) -> Option<String> {
    let own = root.bytes("proc/config.gz").ok().and_then(|bytes| {
        let mut text = String::new();
        let mut limited = GzDecoder::new(&*bytes).take(CONFIG_BYTES_MAX);
        limited.read_to_string(&mut text).ok().map(|_| text)
    });
    let places = [
        format!("boot/config-{release}"),
        format!("lib/modules/{release}/config"),
    ];
    own.or_else(|| places.iter().find_map(|place| root.text(place)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::Level;
    use super::*;
    use crate::root::tests::{put, root_of};

    const CONFIG: &str = "CONFIG_SMP=y\nCONFIG_MODULES=y\nCONFIG_SUSPEND=y\nCONFIG_RELOCATABLE=y\nCONFIG_PCI_MSI=y\n\
                          CONFIG_HOTPLUG_CPU=y\nCONFIG_MEMORY_HOTPLUG=y\n";

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn missing_options_are_named() {
        let (_directory, root) = root_of(&[("boot/config-6.1", CONFIG)]);
        assert_eq!(findings(&root, "6.1")[0].level, Level::Ok);
        let without = CONFIG.replace("CONFIG_SUSPEND=y", "# CONFIG_SUSPEND is not set");
        put(&root, "boot/config-6.1", without.as_bytes());
        let [finding] = <[Finding; 1]>::try_from(findings(&root, "6.1")).unwrap();
        assert_eq!(
            (finding.level, finding.text.as_str()),
            (
                Level::No,
                "CONFIG_SUSPEND is missing, which is needed to park"
            )
        );
        let without = CONFIG.replace("CONFIG_MEMORY_HOTPLUG=y", "");
        put(&root, "boot/config-6.1", without.as_bytes());
        assert_eq!(findings(&root, "6.1")[0].level, Level::Warning);
        assert_eq!(findings(&root, "6.2")[0].level, Level::Warning);
    }

    #[test]
    fn what_the_kernel_says_of_itself_counts_before_any_file() {
        let (_directory, root) = root_of(&[("boot/config-6.1", CONFIG)]);
        let without = CONFIG.replace("CONFIG_MODULES=y", "# CONFIG_MODULES is not set");
        put(&root, "proc/config.gz", &gzip(&without));
        let found = findings(&root, "6.1");
        assert_eq!(found[0].level, Level::No);
        assert!(found[0].text.starts_with("CONFIG_MODULES is missing"));
        put(&root, "proc/config.gz", &gzip(CONFIG)[..40]);
        assert_eq!(findings(&root, "6.1")[0].level, Level::Ok);
        put(&root, "lib/modules/7.3/config", CONFIG.as_bytes());
        assert_eq!(findings(&root, "7.3")[0].level, Level::Ok);
    }
}
