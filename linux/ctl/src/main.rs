//! `understudyctl`: the operator's command on a Linux tenant.
//!
//! The module gives access to the shared region through `/dev/understudy`. The crates that the monitor is made of read
//! it.

mod announce;
mod arm;
mod check;
mod cli;
mod clock;
mod compute;
mod cpus;
mod describe;
mod device;
mod hand_off;
mod hooks;
mod journal;
mod keepalive;
mod log;
mod mailbox;
mod memory;
mod module;
mod park;
mod problem;
mod region;
mod rehearsal;
mod root;
mod serial;
mod settle;
mod status;
mod switch;
#[cfg(test)]
mod testing;
mod timeline;
mod virtualization;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap_complete::Shell;

use sharedmem::event::{NotRearmed, Text};

use crate::cli::{Arguments, Command, JournalCommand};
use crate::clock::Clock;
use crate::device::Device;
use crate::hand_off::HandOff;
use crate::module::Module;
use crate::problem::Problem;
use crate::root::Root;
use crate::status::Status;

/// How long a backup that is loaded after a takeover may take.
const REARM_LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let text = problem.to_string();
            if !text.is_empty() {
                print_error(&format!("understudyctl: {text}"));
            }
            ExitCode::from(problem.exit_code())
        }
    }
}

/// Prints. Ignores errors, because the reader may have gone, which must not end the program.
fn print(text: impl std::fmt::Display) {
    let _ = write!(io::stdout(), "{text}");
}

fn print_error(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn run(command: Command) -> Result<(), Problem> {
    let root = Root::default();
    match command {
        Command::Status { json } => status(&Device::open()?, &root, json),
        Command::Check { json } => check(&root, json),
        Command::Park {
            hooks,
            limit,
            once,
            if_backup,
            only_hooks,
        } => {
            let how = park::Park {
                hooks,
                limit: Duration::from_secs(limit),
                once,
                only_hooks,
            };
            park(&Device::open_or_load()?, &root, &how, if_backup)
        }
        Command::Arm {
            kernel,
            initrd,
            cmdline,
            cpu,
            limit,
        } => {
            let image = kernel.map(|kernel| arm::Image {
                kernel,
                initrd,
                cmdline,
            });
            let limit = Duration::from_secs(limit);
            let request = arm::Request { image, cpu, limit };
            arm::arm(&Device::open()?, &root, &request, &mut print_error)
        }
        Command::Disarm => switch::ask(&Device::open()?, sharedmem::mailbox::Command::Disarm),
        Command::Retry => switch::ask(&Device::open()?, sharedmem::mailbox::Command::Retry),
        Command::Switch { yes, hooks, limit } => switch_over(yes, &hooks, limit, &root),
        Command::Log { json } => log(&Device::open()?, json),
        Command::Test => rehearse(&Device::open()?, &root),
        Command::Journal {
            command,
            follow,
            json,
            consume,
        } => journal(&Device::open()?, command, follow, json, consume),
        Command::Compute { command } => compute::run(&Device::open()?, &command),
        Command::Arp { interface } => announce::interface(&interface).map(drop),
        Command::Stamp { edge } => timeline::stamp(&Device::open()?, &edge),
        Command::Completions { shell } => completions(shell),
        Command::Man => manual(),
    }
}

fn status(device: &Device, root: &Root, json: bool) -> Result<(), Problem> {
    let clock = HandOff::read(root)
        .ok()
        .map(|hand_off| Clock::new(&hand_off));
    let now_ns = || clock.map(|clock| clock.now_ns());
    let info = device.info()?;
    let status = Status::of(device.control(), info, root.kernel_release(), now_ns);
    match json {
        true => print(format_args!("{}\n", status.json())),
        false => print(status.text()),
    }
    match status.is_protected() {
        true => Ok(()),
        // What was printed gives the reason.
        false => Err(Problem::No(String::new())),
    }
}

fn check(root: &Root, json: bool) -> Result<(), Problem> {
    let report = check::Report::of(root);
    match json {
        true => print(format_args!("{}\n", report.json())),
        false => print(report.text()),
    }
    match report.is_possible() {
        true => Ok(()),
        false => Err(Problem::No(
            "not on this machine as it is: see the lines that begin with \"no\"".into(),
        )),
    }
}

fn park(device: &Device, root: &Root, how: &park::Park, if_backup: bool) -> Result<(), Problem> {
    if if_backup && device.info()?.is_primary() {
        return Ok(());
    }
    let (info, failed) = park::park(device, root, how)?;
    if !how.only_hooks && park::wants_rearm(&info) {
        let request = arm::Request {
            limit: REARM_LIMIT,
            ..arm::Request::default()
        };
        let armed = arm::arm(device, root, &request, &mut |_| ());
        if let Err(problem) = &armed {
            root.log(NotRearmed {
                reason: Text::of(problem),
            });
        }
        armed?;
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Problem::No(format!(
            "taken over, but these hooks failed: {}",
            failed.join(", ")
        ))),
    }
}

fn switch_over(yes: bool, hooks: &Path, limit_s: u64, root: &Root) -> Result<(), Problem> {
    let confirm = || match yes {
        true => Ok(true),
        false => switch::ask_terminal(),
    };
    let limit = Duration::from_secs(limit_s);
    switch::switch(&Device::open()?, root, hooks, limit, confirm)
}

fn log(device: &Device, json: bool) -> Result<(), Problem> {
    match json {
        true => print(format_args!("{}\n", log::json(device.control()))),
        false => print(log::text(device.control())),
    }
    Ok(())
}

fn completions(shell: Shell) -> Result<(), Problem> {
    let mut out = Vec::new();
    describe::completions(shell, &mut out);
    print(String::from_utf8_lossy(&out));
    Ok(())
}

fn manual() -> Result<(), Problem> {
    let mut out = Vec::new();
    describe::manual(&mut out).map_err(Problem::with("writing the manual page"))?;
    print(String::from_utf8_lossy(&out));
    Ok(())
}

fn rehearse(device: &Device, root: &Root) -> Result<(), Problem> {
    let (control, hand_off) = (device.control(), HandOff::read(root)?);
    let items = rehearsal::items(control, &device.info()?, &hand_off, root);
    for item in &items {
        let word = if item.is_good { "PASS" } else { "FAIL" };
        print(format_args!("{word}  {}\n", item.text));
    }
    print(rehearsal::forecast(control, &hand_off));
    match items.iter().all(|item| item.is_good) {
        true => Ok(()),
        false => Err(Problem::No("a takeover would fail".into())),
    }
}

fn journal(
    device: &Device,
    command: Option<JournalCommand>,
    follow: bool,
    json: bool,
    consume: bool,
) -> Result<(), Problem> {
    if let Some(JournalCommand::Append { whole }) = command {
        return journal::append(device, io::stdin().lock(), whole).map(drop);
    }
    let mut out = io::stdout();
    let form = match (json, out.is_terminal()) {
        (true, _) => journal::Form::Json,
        (false, true) => journal::Form::Printable,
        (false, false) => journal::Form::Raw,
    };
    let request = journal::Request {
        form,
        follow,
        consume,
    };
    let region = device.region()?;
    match journal::print(
        region.control,
        region.journal,
        &request,
        &mut out,
        &mut io::stderr(),
    )? {
        true => Ok(()),
        false => Err(Problem::No(
            "the journal is damaged; what is whole was printed".into(),
        )),
    }
}
