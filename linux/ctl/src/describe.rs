//! Makes the shell completions and the manual page from the description of the command line.

use std::io::{self, Write};

use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli;
use crate::problem::EXIT_CODES;
use crate::status::FIELDS;

/// Writes the completions for a shell.
pub fn completions(shell: Shell, out: &mut dyn Write) {
    clap_complete::generate(shell, &mut cli::command(), "understudyctl", out);
}

/// Writes the manual page, including the options of each command.
///
/// # Errors
/// Returns an error if `out` does.
pub fn manual(out: &mut dyn Write) -> io::Result<()> {
    let mut command = cli::command().after_help("");
    command.build();
    let man = Man::new(command.clone()).section("8");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    commands_below(&command).for_each(|sub| describe(&mut roff, sub));
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_CODES {
        roff.control("TP", []);
        roff.text([bold(code.to_string())]);
        roff.text([roman(meaning)]);
    }
    roff.control("SH", ["STATUS"]);
    roff.text([roman("The fields of")]);
    roff.text([bold("status --json")]);
    roff.text([roman("are:")]);
    for field in &FIELDS {
        roff.control("TP", []);
        roff.text([bold(field.name)]);
        roff.text([roman(field.says)]);
    }
    roff.control("SH", ["FILES"]);
    for (path, what) in FILES {
        roff.control("TP", []);
        roff.text([bold(path)]);
        roff.text([roman(what)]);
    }
    roff.to_writer(out)
}

const FILES: [(&str, &str); 4] = [
    ("/dev/understudy", "The module understudy.ko; for root."),
    (
        "/etc/understudy/takeover.d/",
        "Hooks that a new primary runs. UNDERSTUDY_EPOCH, UNDERSTUDY_CAUSE and UNDERSTUDY_INSTANCE are in their \
         environment.",
    ),
    (
        "/etc/understudy/takeover.d/NAME.timeout",
        "The longest time for the hook NAME, in seconds.",
    ),
    (
        "/etc/understudy/switch.d/",
        "Hooks that run before a switchover. One that fails stops it.",
    ),
];

fn describe(roff: &mut Roff, command: &clap::Command) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_string();
    roff.control("SS", [command.get_name()]);
    roff.text([bold(usage)]);
    roff.control("PP", []);
    if let Some(about) = command.get_about() {
        roff.text([roman(format!("{about}."))]);
    }
    for argument in command.get_arguments().filter(|one| !is_standard(one)) {
        roff.control("TP", []);
        roff.text([bold(argument.to_string())]);
        let help = argument.get_help().map(ToString::to_string);
        // Leaves out the defaults of switches, and empty ones.
        let takes_value = argument.get_action().takes_values();
        let default = argument.get_default_values().first();
        let default = default.filter(|value| takes_value && !value.is_empty());
        let default = default.map(|value| format!(" Default: {}.", value.to_string_lossy()));
        roff.text([roman(format!(
            "{}.{}",
            help.unwrap_or_default(),
            default.unwrap_or_default()
        ))]);
    }
    commands_below(command).for_each(|sub| describe(roff, sub));
}

/// Returns the subcommands that the manual describes.
fn commands_below(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    let all = command.get_subcommands();
    all.filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn is_standard(argument: &clap::Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_command_exit_code_and_field_of_the_status() {
        let mut out = Vec::new();
        manual(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for name in [
            "status", "check", "park", "arm", "switch", "log", "test", "journal", "append",
        ] {
            assert!(text.contains(&format!(".SS {name}\n")), "{name}: {text}");
        }
        assert!(!text.contains(".SS man\n"));
        assert!(text.contains("Default: 120.") && !text.contains("Default: false"));
        for (_, meaning) in EXIT_CODES {
            assert!(text.contains(meaning), "{meaning}: {text}");
        }
        for field in &FIELDS {
            assert!(
                text.contains(&format!("{}\\fR\n", field.name)),
                "{}: {text}",
                field.name
            );
        }
    }

    #[test]
    fn every_shell_completes_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut out = Vec::new();
            completions(shell, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(
                text.contains("status") && text.contains("disarm"),
                "{shell}"
            );
        }
    }
}
