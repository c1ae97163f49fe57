//! The machine with a shell script in place of QEMU.

use super::process::quoted;
use super::*;
use sharedmem::Instance;
use sharedmem::event::{Refused, Userspace};
use std::sync::mpsc;
use std::thread;

struct Fake {
    machine: QemuMachine,
    _directory: tempfile::TempDir,
}

fn fake(script: &str, limit: Duration) -> Fake {
    let directory = tempfile::tempdir().unwrap();
    let launch = Launch {
        kernel: PathBuf::new(),
        archive: PathBuf::new(),
        log: directory.path().join("fake.log"),
        limit,
        is_echoed: false,
    };
    let machine = QemuMachine::spawn("sh", &["-c".into(), script.into()], &launch).unwrap();
    Fake {
        machine,
        _directory: directory,
    }
}

const LONG: Duration = Duration::from_secs(20);

/// A service that answers what is typed.
const GUEST: &str = r#"
echo 'SeaBIOS'
echo '[    0.100000] a: event=serving instance=a epoch=1 cores=3 port=6379 ;'
while read command text; do echo "[    0.200000] a: event=exec-reply text=\"\$9 $text\" ;"; done
"#;

#[test]
fn the_closing_word_is_the_guests() {
    let guest = fake(GUEST, LONG);
    let serving = guest.machine.wait_serving(1).unwrap();
    assert_eq!((serving.instance, serving.port), (Instance::A, Some(6379)));
    guest.machine.closing_word().unwrap();
    assert!(
        guest
            .machine
            .console()
            .lines()
            .last()
            .unwrap()
            .contains("closing-word-2")
    );
}

#[test]
fn a_guest_that_complained_has_no_closing_word() {
    for complaint in [
        "monitor: event=monitor-panicked message=x ;",
        "a: event=wild-write-succeeded",
    ] {
        let guest = fake(&format!("echo '[    0.000001] {complaint}'\n{GUEST}"), LONG);
        guest.machine.wait_serving(1).unwrap();
        assert!(
            matches!(guest.machine.closing_word(), Err(Problem::Failed(text)) if text.contains(complaint))
        );
    }
    let refused = fake(
        "echo '[    0.000001] monitor: event=refused option=failover_mem ;'; exec sleep 60",
        LONG,
    );
    refused.machine.closing_event::<Refused>().unwrap();
}

#[test]
fn a_machine_is_killed_when_its_time_is_up() {
    let guest = fake(
        "echo '[    0.000001] a: hello'; exec sleep 60",
        Duration::from_millis(200),
    );
    let started = Instant::now();
    assert!(matches!(
        guest.machine.wait_serving(1),
        Err(Problem::TimedOut(_))
    ));
    let status = guest.machine.wait_end(Duration::from_secs(10)).unwrap();
    assert!(!status.success() && started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_machine_that_ends_is_told_from_one_that_never_began() {
    let ended = fake("echo '[    0.000001] a: hello'; echo 'bad luck' >&2", LONG);
    assert!(matches!(
        ended.machine.wait_serving(1),
        Err(Problem::Failed(_))
    ));
    assert!(ended.machine.wait_end(LONG).unwrap().success());
    let never = fake("echo 'unknown option' >&2; exit 1", LONG);
    // The complaint and the end come by two pipes, in any order.
    assert!(matches!(
        never.machine.wait_serving(1),
        Err(Problem::BrokenSetUp(_))
    ));
}

#[test]
fn dropping_a_machine_kills_it() {
    let guest = fake(
        "echo \"[    0.000001] a: event=userspace kernel=$$ ;\"; exec sleep 60",
        LONG,
    );
    let event: Userspace = guest.machine.wait_event().unwrap();
    let process = PathBuf::from(format!("/proc/{}", event.kernel));
    assert!(process.exists());
    drop(guest);
    assert!(!process.exists());
}

#[test]
fn a_machine_dies_with_the_thread_that_started_it() {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let guest = fake(
            "echo \"[    0.000001] a: event=userspace kernel=$$ ;\"; exec sleep 60",
            LONG,
        );
        guest.machine.wait_event::<Userspace>().unwrap();
        sender.send(guest).unwrap();
    });
    let guest = receiver.recv().unwrap();
    let status = guest.machine.wait_end(Duration::from_secs(10)).unwrap();
    assert!(!status.success());
}

#[test]
fn the_command_in_the_log_can_be_pasted() {
    let words = ["-m", "512M", "-append", "a=1 exec=\"x; y\"", "it's"].map(String::from);
    assert_eq!(
        quoted(&words),
        r#"-m 512M -append 'a=1 exec="x; y"' 'it'\''s'"#
    );
}
