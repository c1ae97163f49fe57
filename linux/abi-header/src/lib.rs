//! The C header of the shared layouts, for `understudy.ko`: generated from the crates that define them, so that there is one definition.
//!
//! `cargo run -p abi-header > linux/module/understudy_abi.h` writes it; a test says when that is due.
#![forbid(unsafe_code)]

mod constants;
mod structures;

use std::fmt::Write;

/// The header's text.
pub fn header() -> String {
    let mut text = String::from(concat!(
        "/* SPDX-License-Identifier: GPL-2.0-or-later */\n",
        "/*\n",
        " * What an instance shares with the monitor and with other instances.\n",
        " *\n",
        " * Generated from the crate `sharedmem` by\n",
        " *	cargo run -p abi-header > linux/module/understudy_abi.h\n",
        " * Do not edit: a test compares.\n",
        " */\n",
        "#ifndef UNDERSTUDY_ABI_H\n",
        "#define UNDERSTUDY_ABI_H\n",
    ));
    for (title, constants) in constants::groups() {
        let _ = write!(text, "\n/* {title} */\n");
        for (name, value) in constants {
            let _ = writeln!(text, "#define US_{name:<28} {value}");
        }
    }
    text.push_str("\n#ifndef __ASSEMBLY__\n\n#include <linux/build_bug.h>\n#include <linux/stddef.h>\n#include <linux/types.h>\n");
    for structure in structures::all() {
        text.push('\n');
        text.push_str(&structure);
    }
    text.push_str("\n#endif /* __ASSEMBLY__ */\n\n#endif /* UNDERSTUDY_ABI_H */\n");
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
    fn a_structure_says_what_the_compiler_is_to_check() {
        let text = header();
        for line in [
            "struct us_keepalive_slot {",
            "\tu64 progress[32];",
            "static_assert(offsetof(struct us_keepalive_slot, progress) == 40);",
            "static_assert(sizeof(struct us_keepalive_slot) == 296);",
            "\tstruct us_linux_function functions[64];",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
    }
}
