//! Reads what apt prints: which versions there are, and where backports would be.

use super::version::Version;

/// A version of a package, and the suite it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// The version.
    pub version: Version,
    /// The suite: `bookworm`, `bookworm-backports`, ...
    pub suite: String,
}

/// Reads `apt-cache madison PACKAGE`: lines of `package | version | URI suite/component architecture Packages`.
pub fn available(madison: &str) -> Vec<Available> {
    let rows = madison.lines().filter_map(|line| {
        let mut columns = line.split('|').map(str::trim);
        let (_package, version, source) = (columns.next()?, columns.next()?, columns.next()?);
        let (suite, _component) = source.split_whitespace().nth(1)?.rsplit_once('/')?;
        Some(Available {
            version: Version::of_package(version)?,
            suite: suite.into(),
        })
    });
    rows.collect()
}

/// An entry for apt's list of sources, and the suite it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AptSource {
    /// The line.
    pub line: String,
    /// The suite.
    pub suite: String,
}

/// Derives the backports of the release that apt is set up for, from the lines `URI CODENAME ORIGIN` of its index
/// targets: the same server, the same release, by Debian. `None` if it is not Debian's, or has them already.
pub fn backports(index_targets: &str, keyring: Option<&str>) -> Option<AptSource> {
    let targets: Vec<(&str, &str, &str)> = index_targets.lines().filter_map(target).collect();
    if targets
        .iter()
        .any(|(_, codename, _)| codename.ends_with("-backports"))
    {
        return None;
    }
    // Updates and security fixes have codenames with a dash; the release itself has none.
    let (uri, codename, _) = targets
        .iter()
        .find(|(_, codename, origin)| *origin == "Debian" && !codename.contains('-'))?;
    let options = keyring
        .map(|path| format!("[signed-by={path}] "))
        .unwrap_or_default();
    let suite = format!("{codename}-backports");
    Some(AptSource {
        line: format!("deb {options}{uri} {suite} main"),
        suite,
    })
}

fn target(line: &str) -> Option<(&str, &str, &str)> {
    let mut words = line.trim().splitn(3, ' ');
    Some((words.next()?, words.next()?, words.next()?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
http://mirror.example/debian-security/ bookworm-security Debian
http://mirror.example/debian/ bookworm-updates Debian
http://tools.example/apt/ stable Somebody Else
http://mirror.example/debian/ bookworm Debian
http://mirror.example/debian/ bookworm Debian
";

    #[test]
    fn backports_are_on_the_server_the_release_is_on() {
        let source = backports(
            TARGETS,
            Some("/usr/share/keyrings/debian-archive-keyring.gpg"),
        )
        .unwrap();
        assert_eq!(
            source.line,
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
             http://mirror.example/debian/ bookworm-backports main"
        );
        assert_eq!(source.suite, "bookworm-backports");
        assert_eq!(
            backports(TARGETS, None).unwrap().line,
            "deb http://mirror.example/debian/ bookworm-backports main"
        );
    }

    #[test]
    fn backports_are_added_to_debian_only_and_once() {
        assert_eq!(backports("", None), None);
        assert_eq!(backports(&TARGETS.replace("Debian", "Ubuntu"), None), None);
        let already =
            format!("{TARGETS}http://mirror.example/debian/ bookworm-backports Debian Backports\n");
        assert_eq!(backports(&already, None), None);
        // Before the first `apt-get update` the codename and the origin are not known.
        assert_eq!(backports("http://mirror.example/debian/  \n", None), None);
    }

    #[test]
    fn versions_come_with_their_suites() {
        let madison = "\
qemu-system-x86 | 1:10.0.2+ds-2~bpo12+1 | http://mirror.example/debian bookworm-backports/main amd64 Packages
qemu-system-x86 | 1:7.2+dfsg-7+b3 | http://mirror.example/debian bookworm/main amd64 Packages
N: something else
";
        let found: Vec<_> = available(madison)
            .into_iter()
            .map(|row| (row.version.major, row.suite))
            .collect();
        assert_eq!(
            found,
            [(10, "bookworm-backports".into()), (7, "bookworm".into())]
        );
    }
}
