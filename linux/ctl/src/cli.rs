//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::compute::ComputeCommand;
use crate::problem::EXIT_CODES;

/// The arguments of `understudyctl`.
#[derive(Parser)]
#[command(
    name = "understudyctl",
    version,
    about = "Failover between two kernels on one machine",
    after_help = exit_codes()
)]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Returns the text on exit codes, for the help.
fn exit_codes() -> String {
    let lines = EXIT_CODES.map(|(code, meaning)| format!("  {code}  {meaning}"));
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Shows which kernel this is, and whether a backup protects it
    Status {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Checks whether this machine can run it, and which devices would not come back; needs nothing installed
    Check {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Sleeps until the takeover, then runs the hooks: the last step of a backup's init
    Park {
        /// Directory of the hooks: executable files, run in the order of their names. NAME.timeout has the limit of the
        /// hook NAME, in seconds
        #[arg(long, default_value = "/etc/understudy/takeover.d")]
        hooks: PathBuf,
        /// Longest time for a hook, in seconds
        #[arg(long, default_value_t = 10)]
        limit: u64,
        /// Give up if Linux does not suspend, instead of trying again
        #[arg(long)]
        once: bool,
        /// Do nothing, with success, if this kernel is the primary already
        #[arg(long)]
        if_backup: bool,
        /// Run the hooks only: leave the neighbours, memory, cores and re-arming alone
        #[arg(long)]
        only_hooks: bool,
    },
    /// Loads a new backup: the other kernel of the boot line, or the given one
    Arm {
        /// The kernel, a bzImage
        kernel: Option<PathBuf>,
        /// Its initrd
        #[arg(long, requires = "kernel")]
        initrd: Option<PathBuf>,
        /// Its command line
        #[arg(long, requires = "kernel", default_value = "")]
        cmdline: String,
        /// The CPU to lend to it while it boots [default: the last one]
        #[arg(long)]
        cpu: Option<u32>,
        /// Longest time to wait until the backup is ready, in seconds
        #[arg(long, default_value_t = 120)]
        limit: u64,
    },
    /// Removes the backup
    Disarm,
    /// Tries a refused takeover again
    Retry,
    /// Switches over to the backup; this kernel ends
    Switch {
        /// Do not ask for confirmation
        #[arg(long, short)]
        yes: bool,
        /// Directory of the hooks to run before; a hook that fails stops the switchover
        #[arg(long, default_value = "/etc/understudy/switch.d")]
        hooks: PathBuf,
        /// Longest time for a hook, in seconds
        #[arg(long, default_value_t = 10)]
        limit: u64,
    },
    /// Prints the epitaphs and logs that the kernels and the monitor left
    Log {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Checks, without changing anything, whether a takeover would find what it needs
    Test,
    /// Prints the records that programs appended to the journal
    Journal {
        /// Something other than printing
        #[command(subcommand)]
        command: Option<JournalCommand>,
        /// Continue with new records
        #[arg(long, short)]
        follow: bool,
        /// Print a line of JSON for each record
        #[arg(long)]
        json: bool,
        /// Free the room of the printed records
        #[arg(long)]
        consume: bool,
    },
    /// Looks at compute slices, starts and stops them
    Compute {
        /// What to do
        #[command(subcommand)]
        command: ComputeCommand,
    },
    /// Announces the addresses of an interface to the neighbours
    Arp {
        /// Name of the interface
        interface: String,
    },
    /// Stamps an edge of the takeover's timeline, by name or number
    Stamp {
        /// `serving`, `first-reply`, `disk-readable`, ...
        edge: String,
    },
    /// Prints the completions for a shell
    #[command(hide = true)]
    Completions {
        /// bash, zsh, fish, ...
        shell: clap_complete::Shell,
    },
    /// Prints the manual page
    #[command(hide = true)]
    Man,
}

/// What `understudyctl journal` can do besides printing.
#[derive(Subcommand)]
pub enum JournalCommand {
    /// Appends each line of standard input as a record
    Append {
        /// Append all of it as one record
        #[arg(long)]
        whole: bool,
    },
}

/// Returns the description of the whole command.
pub fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_its_help_has_the_exit_codes() {
        command().debug_assert();
        let help = command().render_help().to_string();
        for (code, meaning) in EXIT_CODES {
            assert!(help.contains(&format!("  {code}  {meaning}")), "{help}");
        }
    }

    #[test]
    fn wrong_usage_ends_with_2() {
        for line in [
            "understudyctl",
            "understudyctl arm --initrd x",
            "understudyctl dance",
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).err().unwrap();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
