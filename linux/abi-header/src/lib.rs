//! Generates the C header of the shared layouts for `understudy.ko`. It is made from the crates that define the
//! layouts, so that there is one definition.
//!
//! `cargo run -p abi-header > linux/module/understudy_abi.h` writes it. A test fails while the committed header is not
//! the generated one.
#![forbid(unsafe_code)]

mod constants;
mod structures;

use std::fmt::Write;

use crate::constants::Constant;

/// Returns the text of the header.
pub fn header() -> String {
    let mut text = String::from(concat!(
        "/* SPDX-License-Identifier: GPL-2.0-or-later */\n",
        "/*\n",
        " * The layouts and numbers that an instance shares with the monitor and with other instances.\n",
        " *\n",
        " * Generated from the crate `sharedmem` by\n",
        " *	cargo run -p abi-header > linux/module/understudy_abi.h\n",
        " * Do not edit: a test compares this file with the generated text.\n",
        " */\n",
        "#ifndef UNDERSTUDY_ABI_H\n",
        "#define UNDERSTUDY_ABI_H\n",
    ));
    for (title, constants) in constants::groups() {
        let _ = write!(text, "\n/* {title} */\n");
        for Constant {
            name,
            value,
            meaning,
        } in constants
        {
            let comment = match meaning {
                "" => String::new(),
                meaning => format!(" /* {meaning} */"),
            };
            let _ = writeln!(text, "#define US_{name:<28} {value}{comment}");
        }
    }
    text.push_str("\n#ifndef __ASSEMBLY__\n\n");
    text.push_str(
        "#include <linux/build_bug.h>\n#include <linux/stddef.h>\n#include <linux/types.h>\n",
    );
    for structure in structures::all() {
        text.push('\n');
        text.push_str(&structure);
    }
    text.push_str("\n#endif /* __ASSEMBLY__ */\n\n#endif /* UNDERSTUDY_ABI_H */\n");
    text
}

/// Turns a name in camel case into one in snake case.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = include_str!("../../module/understudy_abi.h");

    #[test]
    fn the_committed_header_is_the_generated_one() {
        assert!(
            COMMITTED == header(),
            "the layouts changed: cargo run -p abi-header > linux/module/understudy_abi.h"
        );
    }

    #[test]
    fn no_line_is_longer_than_a_page_is_wide() {
        let text = header();
        let longest = text.lines().max_by_key(|line| line.len()).unwrap();
        assert!(longest.len() <= 120, "{longest}");
    }

    #[test]
    fn every_name_is_defined_once() {
        let text = header();
        let mut names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#define ")?.split_whitespace().next())
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn structures_and_lists_are_told() {
        let text = header();
        for line in [
            "struct us_keepalive_slot {",
            "\tu64 progress[512];",
            "static_assert(offsetof(struct us_keepalive_slot, progress) == 40);",
            "static_assert(sizeof(struct us_keepalive_slot) == 4136);",
            "\tstruct us_pci_root roots[64];",
            "#define US_EPITAPH_CAUSE_BOOT_FAILED    4 /* it could not boot */",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
    }
}
