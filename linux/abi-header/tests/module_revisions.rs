//! The module's own C code, compiled for the host: it refuses the revision before and the one after its own, and names
//! both.

use std::fs;
use std::path::Path;
use std::process::Command;

use sharedmem::Revisions;

/// Calls the module's check with the two numbers of the command line. Definitions of the kernel are replaced.
const PROGRAM: &str = r#"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
typedef unsigned int u32;
#define pr_err(...) printf(__VA_ARGS__)
#define __ASSEMBLY__ /* without the structures */
#include "revisions.h"
int main(int count, char **words)
{
	return us_check_revisions(atoi(words[1]), atoi(words[2]), "the shared region") == 0 ? 0 : 1;
}
"#;

#[test]
fn the_module_refuses_the_revision_before_and_after_by_name() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [source, program] = ["revisions.c", "revisions"].map(|name| directory.join(name));
    fs::write(&source, PROGRAM).unwrap();
    let compiled = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-I"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../module"))
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .status()
        .expect("a C compiler, which Rust links with too");
    assert!(compiled.success());
    let check = |abi: u32, journal: u32| {
        let words = [abi, journal].map(|number| number.to_string());
        let output = Command::new(&program).args(words).output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let Revisions { abi, journal } = Revisions::OWN;
    assert_eq!(check(abi, journal), (true, String::new()));
    for (other_abi, other_journal) in [
        (abi - 1, journal),
        (abi + 1, journal),
        (abi, journal - 1),
        (abi, journal + 1),
    ] {
        let (is_accepted, text) = check(other_abi, other_journal);
        assert!(!is_accepted);
        let both = format!(
            "the shared region has ABI revision {other_abi} and journal revision {other_journal}; \
             this module needs {abi} and {journal}"
        );
        assert!(text.starts_with(&both), "{text}");
    }
}
