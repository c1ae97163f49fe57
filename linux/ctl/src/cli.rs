//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::problem::EXIT_CODES;

/// What `understudyctl` is asked for.
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

/// The exit codes, for the help and for the manual page.
fn exit_codes() -> String {
    let lines = EXIT_CODES.map(|(code, meaning)| format!("  {code}  {meaning}"));
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Says who this kernel is, and whether a backup protects it
    Status {
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Checks whether it would work on this machine, and what would not come back; also before anything is installed
    Check {
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Waits, asleep, to take over; then runs the hooks. What the init of a backup does last
    Park {
        /// Where the hooks are: executable files, run in the order of their names. NAME.timeout has the limit of the hook NAME, in seconds
        #[arg(long, default_value = "/etc/understudy/takeover.d")]
        hooks: PathBuf,
        /// How long a hook may take, in seconds
        #[arg(long, default_value_t = 10)]
        limit: u64,
        /// Give up if Linux does not fall asleep, instead of trying again
        #[arg(long)]
        once: bool,
        /// Do nothing, successfully, in a kernel that is the primary already
        #[arg(long)]
        if_backup: bool,
        /// Leave neighbours, memory, cores and re-arming to somebody else
        #[arg(long)]
        only_hooks: bool,
    },
    /// Loads a new backup: the other kernel of the boot line, or the one given
    Arm {
        /// A bzImage
        kernel: Option<PathBuf>,
        /// Its initrd
        #[arg(long, requires = "kernel")]
        initrd: Option<PathBuf>,
        /// Its command line
        #[arg(long, requires = "kernel", default_value = "")]
        cmdline: String,
        /// The CPU that is lent to it while it boots [default: the last one]
        #[arg(long)]
        cpu: Option<u32>,
        /// How long it may take, in seconds
        #[arg(long, default_value_t = 120)]
        limit: u64,
    },
    /// Gives the backup up
    Disarm,
    /// Tries a takeover again that was refused
    Retry,
    /// Hands over to the backup, on purpose: this kernel ends
    Switch {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Where the hooks are that run before; one that fails stops it
        #[arg(long, default_value = "/etc/understudy/switch.d")]
        hooks: PathBuf,
        /// How long a hook may take, in seconds
        #[arg(long, default_value_t = 10)]
        limit: u64,
    },
    /// Says what the kernels and the monitor have left to be read: epitaphs and logs
    Log {
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Checks, without doing anything, whether a takeover would find what it needs
    Test,
    /// Prints the records that programs have appended to the journal
    Journal {
        /// Something else than printing
        #[command(subcommand)]
        command: Option<JournalCommand>,
        /// Go on with those that come
        #[arg(long, short)]
        follow: bool,
        /// A line of JSON each
        #[arg(long)]
        json: bool,
        /// Free the room of those that were printed
        #[arg(long)]
        consume: bool,
    },
    /// Tells the neighbours where the addresses of an interface are now
    Arp {
        /// Its name
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

/// What can be done with the journal besides printing.
#[derive(Subcommand)]
pub enum JournalCommand {
    /// Appends each line of standard input as a record
    Append {
        /// All of it is one record
        #[arg(long)]
        whole: bool,
    },
}

/// The whole command, to be described.
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
