//! Setting up hosts that do not exist.

use super::*;
use std::cell::RefCell;

/// A Debian: what apt would give it, and what was done to it.
struct Fake {
    programs: RefCell<Vec<&'static str>>,
    qemu: RefCell<&'static str>,
    madison: RefCell<&'static str>,
    has_backports: bool,
    is_stale: bool,
    commands: RefCell<Vec<String>>,
    said: RefCell<Vec<String>>,
}

const OLD: &str =
    "qemu-system-x86 | 1:7.2+dfsg-7 | http://mirror.example/debian bookworm/main amd64 Packages\n";
const BOTH: &str = "qemu-system-x86 | 1:7.2+dfsg-7 | http://mirror.example/debian bookworm/main amd64 Packages\n\
    qemu-system-x86 | 1:10.0.2~bpo12 | http://mirror.example/debian bookworm-backports/main amd64 Packages\n";

impl Fake {
    fn new(programs: &[&'static str], qemu: &'static str, madison: &'static str) -> Self {
        Self {
            programs: RefCell::new(programs.to_vec()),
            qemu: RefCell::new(qemu),
            madison: RefCell::new(madison),
            has_backports: true,
            is_stale: false,
            commands: RefCell::default(),
            said: RefCell::default(),
        }
    }

    fn commands(&self) -> Vec<String> {
        self.commands.borrow().clone()
    }
}

impl System for Fake {
    fn has(&self, program: &str) -> bool {
        self.programs.borrow().contains(&program)
    }

    fn output(&self, command: &[&str]) -> Option<String> {
        match command {
            [QEMU, ..] => Some(format!("QEMU emulator version {}", self.qemu.borrow())),
            ["apt-cache", "madison", QEMU_PACKAGE] => Some(self.madison.borrow().to_string()),
            ["apt-cache", "madison", package] => Some(match self.madison.borrow().is_empty() {
                true => String::new(),
                false => format!(
                    "{package} | 5:7.0 | http://mirror.example/debian bookworm/main amd64 Packages"
                ),
            }),
            ["apt-get", "indextargets", ..] => {
                Some("http://mirror.example/debian/ bookworm Debian\n".into())
            }
            _ => panic!("asked for {command:?}"),
        }
    }

    fn as_root(&self, command: &[&str], input: Option<&str>) -> Result<(), Problem> {
        let line = command.join(" ");
        self.commands.borrow_mut().push(format!(
            "{line}{}",
            input.map(|text| format!(" < {text}")).unwrap_or_default()
        ));
        if line.contains("sourceparts=-") {
            if !self.has_backports {
                return Err(Problem::BrokenSetUp("no such suite".into()));
            }
            *self.madison.borrow_mut() = BOTH;
        } else if line == "apt-get update -q" {
            *self.madison.borrow_mut() = OLD;
        } else if line.contains("install") {
            let is_fresh = self
                .commands
                .borrow()
                .iter()
                .any(|line| line == "apt-get update -q");
            if self.is_stale && !is_fresh {
                return Err(Problem::BrokenSetUp("404".into()));
            }
            let mut programs = self.programs.borrow_mut();
            for (program, package, _) in NEEDED {
                if line.contains(package) && !programs.contains(&program) {
                    programs.push(program);
                }
            }
            if line.contains(QEMU_PACKAGE) {
                *self.qemu.borrow_mut() = if line.contains("-t bookworm-backports") {
                    "10.0.2"
                } else {
                    "7.2.1"
                };
            }
        }
        Ok(())
    }

    fn say(&self, text: &str) {
        self.said.borrow_mut().push(text.into());
    }
}

const ALL: [&str; 5] = [QEMU, "redis-cli", "redis-benchmark", "setpriv", "apt-get"];

#[test]
fn where_all_is_there_nothing_is_done() {
    let host = Fake::new(&ALL, "10.0.2", OLD);
    assert!(set_up(&host).unwrap().qemu.has_x2apic());
    assert!(host.commands().is_empty());
    assert!(host.said.borrow().is_empty());
}

#[test]
fn a_check_changes_nothing_and_names_what_is_missing() {
    let old = Fake::new(&ALL, "7.2.1", BOTH);
    assert!(!check(&old).unwrap().qemu.has_x2apic());
    let bare = Fake::new(&["apt-get", "setpriv"], "", BOTH);
    let problem = check(&bare).unwrap_err();
    for part in [
        "qemu-system-x86_64 (package qemu-system-x86)",
        "redis-cli (package redis-tools)",
        "`cargo xtask setup`",
    ] {
        assert!(problem.text().contains(part), "{part} in {problem}");
    }
    assert!(old.commands().is_empty() && bare.commands().is_empty());
}

#[test]
fn a_fresh_debian_gets_everything_and_qemu_from_backports() {
    let host = Fake::new(&["apt-get", "setpriv"], "", "");
    assert_eq!(
        set_up(&host).unwrap().qemu,
        Version {
            major: 10,
            minor: 0
        }
    );
    let commands = host.commands();
    assert_eq!(commands.len(), 5, "{commands:#?}");
    assert_eq!(commands[0], "apt-get update -q");
    assert!(commands[1].ends_with("--no-install-recommends redis-tools"));
    assert!(commands[2].contains("http://mirror.example/debian/ bookworm-backports main\n"));
    assert!(commands[3].contains("sourcelist=/etc/apt/sources.list.d/understudy-backports.list"));
    assert!(commands[4].ends_with("-t bookworm-backports qemu-system-x86 seabios"));
    let said = host.said.borrow().join("\n");
    assert!(
        said.contains("redis-cli is missing") && said.contains("emulates no x2APIC"),
        "{said}"
    );
}

#[test]
fn without_backports_the_old_qemu_will_do() {
    let host = Fake {
        has_backports: false,
        ..Fake::new(
            &["apt-get", "setpriv", "redis-cli", "redis-benchmark"],
            "",
            OLD,
        )
    };
    assert_eq!(set_up(&host).unwrap().qemu.major, 7);
    let commands = host.commands();
    assert_eq!(commands.len(), 4, "{commands:#?}");
    assert_eq!(
        commands[2],
        "rm -f /etc/apt/sources.list.d/understudy-backports.list"
    );
    assert!(commands[3].ends_with("--no-install-recommends qemu-system-x86 seabios"));
    assert!(
        host.said
            .borrow()
            .join("\n")
            .contains("tests of x2APIC will be skipped")
    );
}

#[test]
fn an_old_qemu_is_replaced() {
    let host = Fake::new(&ALL, "7.2.1", BOTH);
    assert_eq!(set_up(&host).unwrap().qemu.major, 10);
    assert_eq!(host.commands().len(), 1);
}

#[test]
fn lists_that_are_out_of_date_are_read_again() {
    let host = Fake {
        is_stale: true,
        ..Fake::new(&[QEMU, "apt-get", "setpriv"], "10.0.2", OLD)
    };
    set_up(&host).unwrap();
    let commands = host.commands();
    assert_eq!(
        (commands.len(), commands[1].as_str()),
        (3, "apt-get update -q")
    );
    assert_eq!(commands[0], commands[2]);
}

#[test]
fn without_apt_it_is_said_what_is_needed() {
    let host = Fake::new(&["setpriv"], "", "");
    let problem = set_up(&host).unwrap_err();
    assert!(
        problem.text().contains("qemu-system-x86_64, redis-cli") && problem.text().contains("9.0"),
        "{problem}"
    );
    assert!(host.commands().is_empty());
}
