//! Builds the Debian packages: `understudy-dkms`, the module as source, and `understudy`, everything else that a Debian
//! machine needs. Files of the packages that are not built are in `linux/debian`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{ctl, module};
use harness::images::Images;
use harness::problem::Problem;
use harness::setup::{self, LocalSystem};
use harness::{files, paths, tools};

/// Where the boot image is, for GRUB.
pub const IMAGE_PATH: &str = "boot/understudy";

/// The directory of the packages' own files.
pub const SOURCE: &str = "linux/debian";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What makes and checks the packages.
pub(crate) const NEEDED: [setup::Need; 3] = [
    ("dpkg-deb", "dpkg", "makes the packages"),
    ("gzip", "gzip", "packs what they document"),
    ("lintian", "lintian", "checks the packages"),
];

/// Some MiB are packed.
const LIMIT: Duration = Duration::from_secs(120);

/// Files that come from the source tree as they are: package, file in `linux/debian`, place, mode.
const OWN_FILES: [(&str, &str, &str, u32); 11] = [
    (MAIN, "understudy/default", "etc/default/understudy", 0o644),
    (MAIN, "understudy/grub.d", "etc/grub.d/42_understudy", 0o755),
    (
        MAIN,
        "understudy/takeover.d",
        "etc/understudy/takeover.d/README",
        0o644,
    ),
    (
        MAIN,
        "understudy/initramfs-hook",
        "usr/share/initramfs-tools/hooks/understudy",
        0o755,
    ),
    (
        MAIN,
        "understudy/initramfs-park",
        "usr/share/initramfs-tools/scripts/init-premount/understudy",
        0o755,
    ),
    (
        MAIN,
        "../ctl/systemd/understudy-park.service",
        "usr/lib/systemd/system/understudy-park.service",
        0o644,
    ),
    (
        MAIN,
        "../module/understudy.h",
        "usr/include/understudy.h",
        0o644,
    ),
    (
        MAIN,
        "copyright",
        "usr/share/doc/understudy/copyright",
        0o644,
    ),
    (
        DKMS,
        "copyright",
        "usr/share/doc/understudy-dkms/copyright",
        0o644,
    ),
    (
        MAIN,
        "understudy/lintian-overrides",
        "usr/share/lintian/overrides/understudy",
        0o644,
    ),
    (
        DKMS,
        "understudy-dkms/lintian-overrides",
        "usr/share/lintian/overrides/understudy-dkms",
        0o644,
    ),
];

const MAIN: &str = "understudy";
const DKMS: &str = "understudy-dkms";

/// Files of a package's control part, where the package has them: name and mode.
const CONTROL_FILES: [(&str, u32); 5] = [
    ("conffiles", 0o644),
    ("postinst", 0o755),
    ("prerm", 0o755),
    ("postrm", 0o755),
    ("triggers", 0o644),
];

/// Files that understudyctl prints: arguments, and place. A file whose place ends in `.gz` is packed.
const PRINTED: [(&[&str], &str); 4] = [
    (&["man"], "usr/share/man/man8/understudyctl.8.gz"),
    (
        &["completions", "bash"],
        "usr/share/bash-completion/completions/understudyctl",
    ),
    (
        &["completions", "zsh"],
        "usr/share/zsh/vendor-completions/_understudyctl",
    ),
    (
        &["completions", "fish"],
        "usr/share/fish/vendor_completions.d/understudyctl.fish",
    ),
];

/// Both packages' files.
#[derive(Clone, Debug)]
pub struct BuiltPackages {
    /// The runtime and the command.
    pub main: PathBuf,
    /// The module.
    pub dkms: PathBuf,
}

/// Builds both packages into `directory`, and has them checked by lintian.
///
/// # Errors
/// Something does not build, a tool is missing or fails, or lintian finds an error.
pub fn make(images: &Images, directory: &Path) -> Result<BuiltPackages, Problem> {
    setup::check_programs(&LocalSystem, &NEEDED)?;
    let main = main_package(images)?.write(directory, "amd64")?;
    let dkms = dkms_package()?.write(directory, "all")?;
    for package in [&main, &dkms] {
        let package = package.display().to_string();
        tools::run("lintian", &["--fail-on", "error", &package], "", LIMIT)?;
    }
    Ok(BuiltPackages { main, dkms })
}

fn main_package(images: &Images) -> Result<Tree, Problem> {
    let tree = Tree::new(MAIN)?;
    tree.put(IMAGE_PATH, &files::read(&images.kernel)?, 0o644)?;
    let ctl = ctl::build()?;
    tree.put("usr/sbin/understudyctl", &files::read(&ctl)?, 0o755)?;
    let ctl = ctl.display().to_string();
    for (arguments, place) in PRINTED {
        let text = tools::run(&ctl, arguments, "", LIMIT)?;
        tree.put_text(place, &text)?;
    }
    let guide = files::read(&paths::workspace().join("docs/linux.md"))?;
    tree.put_text(
        "usr/share/doc/understudy/linux.md.gz",
        &String::from_utf8_lossy(&guide),
    )?;
    Ok(tree)
}

fn dkms_package() -> Result<Tree, Problem> {
    let tree = Tree::new(DKMS)?;
    for (name, content) in module::sources(&module::source())? {
        // These are tools of this project's own tests.
        if name.starts_with("tests/") {
            continue;
        }
        tree.put(
            &format!("usr/src/understudy-{VERSION}/{name}"),
            &content,
            0o644,
        )?;
    }
    Ok(tree)
}

/// A package being put together.
struct Tree {
    name: &'static str,
    root: PathBuf,
}

impl Tree {
    /// Begins a package with the files that come from the source tree as they are.
    fn new(name: &'static str) -> Result<Self, Problem> {
        let root = paths::artifacts().join("deb").join(name);
        if root.exists() {
            fs::remove_dir_all(&root).map_err(|error| Problem::of_host(root.display(), error))?;
        }
        let tree = Self { name, root };
        for (_, source, place, mode) in OWN_FILES.iter().filter(|file| file.0 == name) {
            tree.put(place, own_file(source)?.as_bytes(), *mode)?;
        }
        let changelog = own_file("changelog")?.replace("@PACKAGE@", name);
        tree.put_text(&format!("usr/share/doc/{name}/changelog.gz"), &changelog)?;
        Ok(tree)
    }

    fn put(&self, place: &str, content: &[u8], mode: u32) -> Result<(), Problem> {
        let path = self.root.join(place);
        files::write(&path, content)?;
        let broken = |error| Problem::of_host(path.display(), error);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(broken)
    }

    fn put_text(&self, place: &str, text: &str) -> Result<(), Problem> {
        let Some(plain) = place.strip_suffix(".gz") else {
            return self.put(place, text.as_bytes(), 0o644);
        };
        self.put(plain, text.as_bytes(), 0o644)?;
        let path = self.root.join(plain).display().to_string();
        // Without the time: the same sources make the same package.
        tools::run("gzip", &["--best", "--no-name", &path], "", LIMIT).map(drop)
    }

    /// Adds the control part and packs it all.
    fn write(&self, directory: &Path, architecture: &str) -> Result<PathBuf, Problem> {
        let size_kib = size_bytes(&self.root)?.div_ceil(1024).to_string();
        let control = own_file(&format!("{}/control", self.name))?.replace("@SIZE_KIB@", &size_kib);
        self.put("DEBIAN/control", control.as_bytes(), 0o644)?;
        for (name, mode) in CONTROL_FILES {
            let source = format!("{}/{name}", self.name);
            if paths::workspace().join(SOURCE).join(&source).exists() {
                self.put(
                    &format!("DEBIAN/{name}"),
                    own_file(&source)?.as_bytes(),
                    mode,
                )?;
            }
        }
        self.put("DEBIAN/md5sums", self.sums()?.as_bytes(), 0o644)?;
        let package = directory.join(format!("{}_{VERSION}_{architecture}.deb", self.name));
        files::write(&package, b"")?;
        let (root, out) = (
            self.root.display().to_string(),
            package.display().to_string(),
        );
        let arguments = ["--root-owner-group", "--build", &root, &out];
        tools::run("dpkg-deb", &arguments, "", LIMIT)?;
        Ok(package)
    }

    fn sums(&self) -> Result<String, Problem> {
        let mut names = Vec::new();
        walk(&self.root, &mut |path| names.push(path.to_path_buf()))?;
        let mut names: Vec<String> = names
            .iter()
            .filter_map(|path| path.strip_prefix(&self.root).ok())
            .map(|path| path.display().to_string())
            .filter(|name| !name.starts_with("DEBIAN/"))
            .collect();
        names.sort();
        let root = self.root.display().to_string();
        let mut arguments = vec!["-C", root.as_str(), "md5sum", "--"];
        arguments.extend(names.iter().map(String::as_str));
        tools::run("env", &arguments, "", LIMIT)
    }
}

/// Reads a file of `linux/debian`, and puts the version into it.
fn own_file(name: &str) -> Result<String, Problem> {
    let bytes = files::read(&paths::workspace().join(SOURCE).join(name))?;
    Ok(String::from_utf8_lossy(&bytes).replace("@VERSION@", VERSION))
}

fn size_bytes(root: &Path) -> Result<u64, Problem> {
    let mut bytes = 0;
    walk(root, &mut |path| {
        bytes += fs::metadata(path).map_or(0, |metadata| metadata.len());
    })?;
    Ok(bytes)
}

/// Calls `visit` with every file beneath `directory`. A symbolic link counts as a file: it may point to its own
/// directory.
///
/// # Errors
/// Names the directory that cannot be read.
pub fn walk(directory: &Path, visit: &mut impl FnMut(&Path)) -> Result<(), Problem> {
    let broken = |error| Problem::of_host(directory.display(), error);
    for entry in fs::read_dir(directory).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let path = entry.path();
        if entry.file_type().map_err(broken)?.is_dir() {
            walk(&path, visit)?;
        } else {
            visit(&path);
        }
    }
    Ok(())
}
