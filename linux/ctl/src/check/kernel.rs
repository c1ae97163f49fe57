//! Checks the running kernel: whether it can be a primary and a backup.

use partition::linux::{BzImage, layout};

use super::{Finding, options};
use crate::hand_off;
use crate::root::Root;

/// The series of kernels for which DKMS builds the module.
const SERIES: [&str; 4] = ["6.1", "6.12", "7.2", "7.3"];

/// Checks the kernel.
pub fn findings(root: &Root) -> Vec<Finding> {
    let release = root.kernel_release();
    let mut findings = vec![image(root, &release)];
    findings.extend(options::findings(root, &release));
    findings.push(module(root, &release));
    findings.extend(crash_kernel(root));
    findings.extend(watchdogs(root));
    findings
}

fn image(root: &Root, release: &str) -> Finding {
    const SUBJECT: &str = "kernel";
    let path = format!("boot/vmlinuz-{release}");
    let Ok(bytes) = root.bytes(&path) else {
        if hand_off::is_there(root) {
            return Finding::ok(SUBJECT, format!("Linux {release}, booted by understudy"));
        }
        return Finding::no(
            SUBJECT,
            format!("/{path} cannot be read"),
            root.advice_to_read(
                "install the package with the kernel's image, or name another image with primary_kernel= and \
                 failover_kernel=",
            ),
        );
    };
    let image = match BzImage::parse(&bytes) {
        Ok(image) => image,
        Err(error) => {
            return Finding::no(SUBJECT, format!("/{path}: {error}"), "use another kernel");
        }
    };
    let initrd = root.path(format!("boot/initrd.img-{release}"));
    let initrd_bytes = std::fs::metadata(initrd).map_or(0, |file| file.len());
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let needed = mib(layout::needed_bytes(&image, initrd_bytes));
    match needed > 128 {
        true => Finding::warning(
            SUBJECT,
            format!(
                "Linux {release} with its initrd of {} MiB needs {needed} MiB as a backup",
                mib(initrd_bytes)
            ),
            format!(
                "boot with failover_mem={needed}M or more, or make a small initrd for the backup"
            ),
        ),
        false => Finding::ok(
            SUBJECT,
            format!("Linux {release} can be booted, and needs {needed} MiB as a backup"),
        ),
    }
}

fn module(root: &Root, release: &str) -> Finding {
    const SUBJECT: &str = "module";
    if root.has("sys/module/understudy") {
        return Finding::ok(SUBJECT, "understudy.ko is loaded");
    }
    let lockdown = root
        .text("sys/kernel/security/lockdown")
        .unwrap_or_default();
    let is_locked = !lockdown.is_empty() && !lockdown.contains("[none]");
    let wants_signature = root
        .text("sys/module/module/parameters/sig_enforce")
        .as_deref()
        == Some("Y");
    if is_locked || wants_signature {
        return Finding::no(
            SUBJECT,
            "this kernel loads signed modules only",
            "sign understudy.ko with a key that the machine knows (mokutil), or switch Secure Boot and lockdown off",
        );
    }
    let is_installed = ["extra", "updates/dkms", "updates"]
        .iter()
        .any(|directory| {
            ["ko", "ko.xz", "ko.zst", "ko.gz"].iter().any(|suffix| {
                root.has(format!(
                    "lib/modules/{release}/{directory}/understudy.{suffix}"
                ))
            })
        });
    let is_known = SERIES.iter().any(|series| {
        let rest = release.strip_prefix(series);
        rest.is_some_and(|rest| rest.starts_with('.'))
    });
    match (is_installed, is_known) {
        (true, _) => Finding::ok(SUBJECT, "understudy.ko is installed"),
        (false, true) => Finding::warning(
            SUBJECT,
            format!("understudy.ko is not installed for {release}"),
            "install the package of the module, and the kernel's headers",
        ),
        (false, false) => Finding::no(
            SUBJECT,
            format!("understudy.ko is not installed, and DKMS does not build it for {release}"),
            format!("boot a kernel of the series {}", SERIES.join(", ")),
        ),
    }
}

/// Checks that no crash kernel is loaded. It would start on the machine at the moment at which the backup takes over.
fn crash_kernel(root: &Root) -> Option<Finding> {
    const SUBJECT: &str = "kdump";
    let is_loaded = root.text("sys/kernel/kexec_crash_loaded").as_deref() == Some("1");
    is_loaded.then(|| {
        Finding::warning(
            SUBJECT,
            "a crash kernel is loaded, which cannot be used together with a backup",
            "leave crashkernel= out of primary_cmdline; the backup keeps the end of the dead kernel's log",
        )
    })
}

fn watchdogs(root: &Root) -> impl Iterator<Item = Finding> {
    const WATCHDOGS: &str = "sys/class/watchdog";
    let is_active =
        |name: &String| root.text(format!("{WATCHDOGS}/{name}/state")).as_deref() == Some("active");
    let names: Vec<String> = root
        .names(WATCHDOGS)
        .into_iter()
        .filter(is_active)
        .collect();
    names.into_iter().map(|name| {
        Finding::warning(
            "watchdog",
            format!("{name} is armed: it resets the machine unless it is fed during a takeover"),
            "give it a time-out of a minute or more, and feed it in the backup as well",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::arm::tests::bz_image;
    use crate::root::tests::{put, root_of};

    #[test]
    fn an_image_is_checked_and_its_need_is_told() {
        let (_directory, root) = root_of(&[]);
        assert_eq!(image(&root, "6.1").level, Level::No);
        put(&root, "boot/vmlinuz-6.1", b"no kernel");
        assert!(image(&root, "6.1").text.contains("not a sound Linux image"));
        put(&root, "boot/vmlinuz-6.1", &bz_image());
        assert_eq!(image(&root, "6.1").level, Level::Ok);
        put(&root, "boot/initrd.img-6.1", &vec![0; 60 << 20]);
        let finding = image(&root, "6.1");
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.advice.contains("failover_mem=158M"), "{finding:?}");
    }

    #[test]
    fn the_module_must_be_there_and_be_let_in() {
        let (_directory, root) = root_of(&[("sys/kernel/security/lockdown", "[none] integrity")]);
        assert_eq!(module(&root, "6.1.0").level, Level::Warning);
        assert_eq!(module(&root, "6.12.117+deb12-amd64").level, Level::Warning);
        for other in ["5.10.0-30-amd64", "6.13.1", "6.2", "7.30.1", ""] {
            let finding = module(&root, other);
            assert_eq!(finding.level, Level::No, "{other}");
            assert!(finding.advice.contains("6.1, 6.12, 7.2, 7.3"));
        }
        put(
            &root,
            "lib/modules/6.1.0/updates/dkms/understudy.ko.xz",
            b"",
        );
        assert_eq!(module(&root, "6.1.0").level, Level::Ok);
        put(&root, "sys/kernel/security/lockdown", b"none [integrity]");
        assert_eq!(module(&root, "6.1.0").level, Level::No);
        put(&root, "sys/module/understudy/refcnt", b"1");
        assert_eq!(module(&root, "6.1.0").level, Level::Ok);
    }

    #[test]
    fn dkms_builds_it_for_the_same_series() {
        let text = include_str!("../../../module/dkms.conf");
        let kernels = text
            .lines()
            .find_map(|line| line.strip_prefix("BUILD_EXCLUSIVE_KERNEL="));
        assert_eq!(kernels, Some(r#""^(6\.(1|12)|7\.[23])\.""#));
    }

    #[test]
    fn who_would_come_in_between_is_told() {
        let (_directory, root) = root_of(&[
            ("sys/kernel/kexec_crash_loaded", "0"),
            ("sys/class/watchdog/watchdog0/state", "inactive"),
        ]);
        assert_eq!((crash_kernel(&root), watchdogs(&root).count()), (None, 0));
        put(&root, "sys/kernel/kexec_crash_loaded", b"1\n");
        put(&root, "sys/class/watchdog/watchdog0/state", b"active\n");
        assert_eq!(crash_kernel(&root).unwrap().level, Level::Warning);
        assert_eq!(watchdogs(&root).count(), 1);
    }
}
