//! Fetches from a Debian that does not exist.

use std::cell::RefCell;

use super::*;

/// What apt knows, and whether its servers can be reached.
struct Fake {
    programs: Vec<&'static str>,
    /// Whether this is `cargo xtask setup`.
    is_set_up: bool,
    has_lists: RefCell<bool>,
    has_backports: RefCell<bool>,
    /// Whether the release has a second series of kernels beside its own.
    has_security: RefCell<bool>,
    is_online: RefCell<bool>,
    commands: RefCell<Vec<String>>,
}

const OLD: &str = "\
Version: 6.1.192-2
Depends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)

Version: 6.1.176-1
Depends: linux-image-6.1.0-50-amd64 (= 6.1.176-1)
";
const NEW: &str = "\
Version: 6.12.95-1~bpo12+1
Depends: linux-image-6.12.95+deb12-amd64 (= 6.12.95-1~bpo12+1)

";

const NEWEST: &str = "\
Version: 6.12.117-1~deb12u1
Depends: linux-image-6.12.117+deb12-amd64 (= 6.12.117-1~deb12u1)

";

impl Fake {
    fn new() -> Self {
        Self {
            programs: vec!["apt-get", "dpkg"],
            is_set_up: false,
            has_lists: true.into(),
            has_backports: false.into(),
            has_security: false.into(),
            is_online: true.into(),
            commands: RefCell::default(),
        }
    }

    fn ran(&self, part: &str) -> usize {
        self.commands
            .borrow()
            .iter()
            .filter(|line| line.contains(part))
            .count()
    }
}

impl System for Fake {
    fn has(&self, program: &str) -> bool {
        self.programs.contains(&program)
    }

    fn output(&self, command: &[&str]) -> Option<String> {
        let backports = if *self.has_backports.borrow() {
            NEW
        } else {
            ""
        };
        match command {
            ["apt-cache", ..] if !*self.has_lists.borrow() => None,
            ["apt-cache", "show", "linux-image-amd64"] => Some(format!("{backports}{OLD}")),
            ["apt-cache", "show", "linux-image-6.12-amd64"] if *self.has_security.borrow() => {
                Some(NEWEST.into())
            }
            ["apt-cache", "show", own] if own.starts_with("linux-image-6.") => None,
            ["apt-cache", "show", "busybox-static"] => Some("Version: 1:1.35.0-4\n".into()),
            ["apt-cache", "show", kbuild] if kbuild.starts_with("linux-kbuild") => {
                Some("Version: 1\nDepends: libc6 (>= 2.34), libelf1 (>= 0.144)\n".into())
            }
            ["apt-cache", "show", headers] => {
                let (name, version) = headers.strip_prefix("linux-headers-")?.split_once('=')?;
                let common = name.trim_end_matches("-amd64");
                Some(format!(
                    "Version: {version}\nDepends: linux-headers-{common}-common (= {version}), \
                     linux-kbuild-{common}, gcc-12\n"
                ))
            }
            ["apt-get", "indextargets", ..] => {
                Some("http://mirror.example/debian/ bookworm Debian\n".into())
            }
            _ => panic!("asked for {command:?}"),
        }
    }

    fn as_root(&self, command: &[&str], _input: Option<&str>) -> Result<(), Problem> {
        let line = command.join(" ");
        assert!(
            self.is_set_up,
            "only `cargo xtask setup` may do this: {line}"
        );
        self.commands.borrow_mut().push(line.clone());
        if !*self.is_online.borrow() {
            return Err(Problem::BrokenSetUp("no way to the servers".into()));
        }
        *self.has_lists.borrow_mut() = true;
        if line.contains("sourceparts=-") {
            *self.has_backports.borrow_mut() = true;
        }
        Ok(())
    }

    /// Fetches empty archives, and unpacks the files that a package of that name would have.
    fn run_in(&self, directory: &Path, command: &[&str]) -> Result<(), Problem> {
        self.commands.borrow_mut().push(command.join(" "));
        if !*self.is_online.borrow() {
            return Err(Problem::BrokenSetUp("no way to the servers".into()));
        }
        let root = directory.join("..");
        match command {
            ["apt-get", .., "download", _, _, _, _, _] | ["apt-get", .., "download", _] => {
                for package in command
                    .iter()
                    .skip_while(|word| **word != "download")
                    .skip(1)
                {
                    let name = package.split('=').next().unwrap_or_default();
                    files::write(&directory.join(format!("{name}_1_amd64.deb")), b"")?;
                }
                Ok(())
            }
            ["dpkg", "-x", archive, ".."] => {
                let name = archive.split('_').next().unwrap_or_default();
                if let Some(release) = name.strip_prefix("linux-image-") {
                    files::write(&root.join(format!("boot/vmlinuz-{release}")), b"image")?;
                    files::write(
                        &root.join(format!("lib/modules/{release}/kernel/x.ko")),
                        b"",
                    )?;
                } else if let Some(common) = name.strip_prefix("linux-kbuild-") {
                    let headers = root.join(format!("usr/src/linux-headers-{common}-amd64"));
                    files::write(&headers.join("scripts/mod/modpost"), b"")?;
                } else if let Some(release) = name.strip_prefix("linux-headers-") {
                    let headers = root.join("usr/src").join(name);
                    let text =
                        format!("\ninclude /usr/src/linux-headers-{release}-common/Makefile\n");
                    files::write(&headers.join("Makefile"), text.as_bytes())?;
                    files::write(&headers.join("vmlinux"), b"")?;
                } else if name == "busybox-static" {
                    files::write(&root.join("bin/busybox"), b"")?;
                }
                Ok(())
            }
            _ => panic!("asked for {command:?}"),
        }
    }

    fn say(&self, _text: &str) {}
}

#[test]
fn the_newest_kernel_of_a_series_is_fetched_once() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake::new();
    let packages = PackageStore::new(&fake, Cache::at(directory.path()));
    let kernel = packages.kernel(Series::V6_1).unwrap();
    assert_eq!(kernel.release, "6.1.0-56-amd64");
    assert_eq!(fs::read(&kernel.image).unwrap(), b"image");
    assert!(kernel.modules.join("kernel").is_dir());
    let expected = "download linux-image-6.1.0-56-amd64=6.1.192-2 linux-headers-6.1.0-56-amd64=6.1.192-2 \
        linux-headers-6.1.0-56-common=6.1.192-2 libelf1 linux-kbuild-6.1.0-56=6.1.192-2";
    assert_eq!(fake.ran(expected), 1, "{:#?}", fake.commands);
    assert_eq!(packages.kernel(Series::V6_1).unwrap(), kernel);
    assert_eq!((fake.ran("download"), fake.ran("update")), (1, 0));
}

#[test]
fn the_headers_can_be_moved_and_want_no_pahole() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake::new();
    let kernel = PackageStore::new(&fake, Cache::at(directory.path()))
        .kernel(Series::V6_1)
        .unwrap();
    let makefile = fs::read_to_string(kernel.headers.join("Makefile")).unwrap();
    assert!(
        makefile.contains("include $(dir $(lastword $(MAKEFILE_LIST)))../linux-headers-")
            && !makefile.contains("/usr/src"),
        "{makefile}"
    );
    assert!(!kernel.headers.join("vmlinux").exists());
}

#[test]
fn a_set_up_reads_the_lists_and_adds_backports_until_every_kernel_is_fetched() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::at(directory.path());
    let fake = Fake {
        has_lists: false.into(),
        is_set_up: true,
        ..Fake::new()
    };
    let packages = PackageStore::new(&fake, cache.clone());
    assert!(packages.busybox().is_err());
    set_up(&fake, &cache);
    assert_eq!((fake.ran("apt-get update -q"), fake.ran("tee")), (2, 1));
    let busybox = packages.busybox().unwrap();
    assert!(busybox.ends_with("busybox-static_1_1.35.0-4/bin/busybox"));
    let kernel = packages.kernel(Series::V6_12).unwrap();
    assert_eq!(kernel.release, "6.12.95+deb12-amd64");
    packages.kernel(Series::V6_1).unwrap();
    set_up(&fake, &cache);
    assert_eq!((fake.ran("apt-get update -q"), fake.ran("tee")), (2, 1));
}

#[test]
fn a_kernel_that_apt_does_not_know_is_skipped_and_the_sources_stay_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake::new();
    let packages = PackageStore::new(&fake, Cache::at(directory.path()));
    let problem = packages.kernel(Series::V6_12).unwrap_err();
    assert!(
        matches!(&problem, Problem::Skipped(text) if text.contains("cargo xtask setup")),
        "{problem}"
    );
    assert!(fake.commands.borrow().is_empty());
}

#[test]
fn what_cannot_be_had_is_skipped_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let offline = Fake {
        has_backports: true.into(),
        is_online: false.into(),
        ..Fake::new()
    };
    let packages = PackageStore::new(&offline, Cache::at(directory.path()));
    let problem = packages.kernel(Series::V6_12).unwrap_err();
    let Problem::Skipped(text) = &problem else {
        panic!("{problem}")
    };
    assert!(
        text.starts_with("Linux 6.12 cannot be had") && text.contains("no way to the servers"),
        "{text}"
    );
    assert!(
        text.contains("bookworm-backports") && text.contains(&*directory.path().to_string_lossy())
    );

    let other = Fake {
        programs: vec!["rpm"],
        ..Fake::new()
    };
    let problem = PackageStore::new(&other, Cache::at(directory.path()))
        .busybox()
        .unwrap_err();
    assert!(
        matches!(&problem, Problem::Skipped(text) if text.contains("no apt-get")),
        "{problem}"
    );
    assert!(other.commands.borrow().is_empty());
}

#[test]
fn a_host_that_lost_its_servers_uses_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake {
        has_backports: true.into(),
        ..Fake::new()
    };
    let packages = PackageStore::new(&fake, Cache::at(directory.path()));
    let (kernel, busybox) = (
        packages.kernel(Series::V6_12).unwrap(),
        packages.busybox().unwrap(),
    );
    *fake.is_online.borrow_mut() = false;
    *fake.has_lists.borrow_mut() = false;
    assert_eq!(packages.kernel(Series::V6_12), Ok(kernel));
    assert_eq!(packages.busybox(), Ok(busybox));
    assert!(packages.kernel(Series::V6_1).is_err());
}

#[test]
fn the_newest_point_release_of_a_series_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake {
        has_backports: true.into(),
        has_security: true.into(),
        ..Fake::new()
    };
    let packages = PackageStore::new(&fake, Cache::at(directory.path()));
    let kernel = packages.kernel(Series::V6_12).unwrap();
    assert_eq!(kernel.release, "6.12.117+deb12-amd64");
}

#[test]
fn what_is_no_series_is_a_directory_of_packages() {
    let of = |text: &str| text.parse::<KernelSource>().unwrap();
    assert_eq!(of("6.12"), Series::V6_12.into());
    assert_eq!(of("./own"), KernelSource::Packages("./own".into()));
    let fake = Fake::new();
    let (cache, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = PackageStore::new(&fake, Cache::at(cache.path()));
    let problem = store.kernel_of(&of("/no/such")).unwrap_err();
    assert!(
        problem.text().contains("/no/such") && problem.text().contains("6.12"),
        "{problem}"
    );
    let own = KernelSource::Packages(own.path().into());
    let problem = store.kernel_of(&own).unwrap_err();
    assert!(problem.text().contains("no *.deb"), "{problem}");
    let KernelSource::Packages(place) = &own else {
        unreachable!()
    };
    files::write(&place.join("linux-headers-9.9-own_1_amd64.deb"), b"").unwrap();
    let problem = store.kernel_of(&own).unwrap_err();
    assert!(problem.text().contains("linux-image-*.deb"), "{problem}");
}

#[test]
fn series_are_told_apart() {
    assert!(Series::V6_1.has("6.1.0-56-amd64") && Series::V6_12.has("6.12.95+deb12-amd64"));
    assert!(!Series::V6_1.has("6.12.95+deb12-amd64") && !Series::V6_12.has("6.1.0-56-amd64"));
}
