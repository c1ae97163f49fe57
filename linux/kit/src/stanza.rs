//! Reads what `apt-cache show` says of a package, as far as it matters: its version, and what it depends on.

/// One version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// The version, with its epoch.
    pub version: String,
    /// What it depends on; of alternatives, the first.
    pub depends: Vec<Relation>,
}

/// A package that is depended on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its name.
    pub package: String,
    /// The version, where it must be exactly this one.
    pub version: Option<String>,
}

impl Relation {
    fn parse(text: &str) -> Option<Self> {
        let first = text.split('|').next()?.trim();
        let (package, restriction) = first.split_once(' ').unwrap_or((first, ""));
        let version = restriction
            .trim()
            .strip_prefix("(=")
            .and_then(|rest| rest.strip_suffix(')'));
        // An architecture may follow the name: `gcc:any`.
        let package = package.split(':').next()?;
        (!package.is_empty()).then(|| Self {
            package: package.into(),
            version: version.map(|version| version.trim().into()),
        })
    }
}

/// Reads the output of `apt-cache show PACKAGE`: apt names the highest version first.
pub fn parse(output: &str) -> Vec<Stanza> {
    let stanzas = output.split("\n\n").filter_map(|text| {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        Some(Stanza {
            version: field("Version")?.into(),
            depends: field("Depends")
                .unwrap_or_default()
                .split(',')
                .filter_map(Relation::parse)
                .collect(),
        })
    });
    stanzas.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_dependencies_are_read() {
        let output = "\
Package: linux-headers-6.12.95+deb12-amd64
Version: 6.12.95-1~bpo12+1
Depends: linux-base (>= 4.12~), linux-headers-6.12.95+deb12-common (= 6.12.95-1~bpo12+1), \
linux-image-6.12.95+deb12-amd64 (= 6.12.95-1~bpo12+1) | \
linux-image-6.12.95+deb12-amd64-unsigned (= 6.12.95-1~bpo12+1), gcc-12:any
Description: Header files
 Version: of no importance

Package: busybox-static
Version: 1:1.35.0-4

Package: without a version
";
        let stanzas = parse(output);
        assert_eq!(stanzas.len(), 2);
        assert_eq!(stanzas[0].version, "6.12.95-1~bpo12+1");
        let exact = Some("6.12.95-1~bpo12+1");
        let depends: Vec<_> = stanzas[0]
            .depends
            .iter()
            .map(|dependency| (dependency.package.as_str(), dependency.version.as_deref()))
            .collect();
        assert_eq!(
            depends,
            [
                ("linux-base", None),
                ("linux-headers-6.12.95+deb12-common", exact),
                ("linux-image-6.12.95+deb12-amd64", exact),
                ("gcc-12", None)
            ]
        );
        assert_eq!(
            stanzas[1],
            Stanza {
                version: "1:1.35.0-4".into(),
                depends: vec![]
            }
        );
        assert_eq!(parse(""), []);
    }
}
