//! The tests of [`super`]: a thread plays the monitor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sharedmem::Control;
use sharedmem::Instance;
use sharedmem::cause::BackupLoss;
use sharedmem::event::Rearmed;
use sharedmem::mailbox::Answer;

use super::*;
use crate::hand_off::tests::table;
use crate::root::tests::{put, root_of};
use crate::testing::FakeModule;
use sharedmem::Role;

/// A kernel of 64 KiB that needs 1 MiB.
pub fn bz_image() -> Vec<u8> {
    let mut bytes = vec![0; 5 * 512 + (64 << 10)];
    let mut put = |offset: usize, value: &[u8]| {
        bytes[offset..offset + value.len()].copy_from_slice(value);
    };
    put(0x1f1, &[4]);
    put(0x1f4, &4096_u32.to_le_bytes());
    put(0x1fe, &[0x55, 0xaa, 0xeb, 0x6a]);
    put(0x202, b"HdrS");
    put(0x206, &0x020f_u16.to_le_bytes());
    put(0x22c, &0x7fff_ffff_u32.to_le_bytes());
    put(0x230, &0x20_0000_u32.to_le_bytes());
    put(0x234, &[1]);
    put(0x236, &0x7f_u16.to_le_bytes());
    put(0x238, &2047_u32.to_le_bytes());
    put(0x260, &0x10_0000_u32.to_le_bytes());
    bytes
}

/// Four CPUs, whose APIC ids are the double of their numbers, and whose machine numbers are one more.
fn machine() -> (tempfile::TempDir, Root) {
    let (directory, root) = root_of(&[("sys/devices/system/cpu/cpu0/x", ""), ("dev/kmsg", "")]);
    let mut cpuinfo = String::new();
    for cpu in 0..4 {
        cpuinfo += &format!("processor\t: {cpu}\napicid\t\t: {}\n\n", 2 * cpu);
        if cpu > 0 {
            let switch = format!("sys/devices/system/cpu/cpu{cpu}/online");
            put(&root, &switch, b"1");
        }
    }
    put(&root, "proc/cpuinfo", cpuinfo.as_bytes());
    let cores = [(0, 1), (2, 2), (4, 3), (6, 4)];
    put(&root, "sys/firmware/acpi/tables/UNDS", &table(&cores));
    (directory, root)
}

type Request = [u64; ARGUMENTS];

/// Arms, while a monitor answers as `answer` says. Returns the outcome, the request, the state of CPU 3 at that time and after, and what was told.
fn play(
    module: &FakeModule,
    root: &Root,
    wish: &Wish,
    answer: impl Fn(&Control, u64) + Sync,
) -> (Result<(), Problem>, Option<Request>, [bool; 2], Vec<String>) {
    let control: &Control = &module.control;
    let is_over = AtomicBool::new(false);
    let mut told = Vec::new();
    let (result, seen) = thread::scope(|scope| {
        let monitor = scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                if let Some((number, command, arguments)) = control.mailbox.request() {
                    assert_eq!(command, Command::Arm as u64);
                    let was_online = cpus::is_online(root, 3);
                    answer(control, number);
                    return Some((arguments, was_online));
                }
                thread::sleep(Duration::from_millis(1));
            }
            None
        });
        let result = arm(module, root, wish, &mut |line| told.push(line.into()));
        is_over.store(true, Ordering::Release);
        (result, monitor.join().unwrap())
    });
    let was_online = seen.is_none_or(|(_, online)| online);
    let states = [was_online, cpus::is_online(root, 3)];
    (result, seen.map(|(request, _)| request), states, told)
}

fn accept(control: &Control, number: u64) {
    control.mailbox.reply(number, Answer::Accepted, "");
}

fn wish() -> Wish {
    Wish {
        limit: Duration::from_secs(20),
        ..Wish::default()
    }
}

#[test]
fn the_last_cpu_is_lent_until_the_backup_is_ready() {
    let (_directory, root) = machine();
    let module = FakeModule::primary();
    module.control.monitor_log.write(b"[1] monitor: old\n");
    let (result, request, states, told) = play(&module, &root, &wish(), |control, number| {
        accept(control, number);
        control.monitor_log.write(b"[2] monitor: news\n");
        thread::sleep(Duration::from_millis(120));
        control.protection.arm();
    });
    result.unwrap();
    let failover = ImageSource::Failover as u64;
    assert_eq!(request, Some([4, failover, 0, 0, 0, 0, 0, 0]));
    assert_eq!(states, [false, true]);
    assert_eq!(told[1..], ["[2] monitor: news"]);
    assert!(
        root.text("dev/kmsg")
            .unwrap()
            .ends_with(&Rearmed {}.to_string())
    );
    // Once there is one, there is nothing to load.
    assert!(arm(&module, &root, &wish(), &mut |_| ()).is_err());
}

#[test]
fn a_refusal_gives_the_cpu_back_and_is_told() {
    let (_directory, root) = machine();
    let module = FakeModule::primary();
    let (result, _, states, _) = play(&module, &root, &wish(), |control, number| {
        control.mailbox.reply(number, Answer::Refused, "not today");
    });
    assert_eq!(
        result.unwrap_err().to_string(),
        "the monitor refuses: not today"
    );
    assert_eq!(states, [false, true]);
}

#[test]
fn a_backup_that_is_lost_gives_the_cpu_back_at_once_and_why_is_told() {
    let (_directory, root) = machine();
    let module = FakeModule::primary();
    for loss in BackupLoss::ALL {
        // A loss of earlier times is none of this one, and what the log says is for people.
        module
            .control
            .backup
            .note_loss(Instance::A, BackupLoss::Promoted);
        let (result, _, states, _) = play(&module, &root, &wish(), |control, number| {
            accept(control, number);
            control
                .monitor_log
                .write(b"[1] monitor: a text that nobody knows\n");
            control.backup.note_loss(Instance::B, loss);
        });
        let text = result.unwrap_err().to_string();
        assert!(
            text.contains(&format!("did not come up: {}", loss.text())),
            "{text}"
        );
        assert_eq!(states, [false, true]);
    }
}

#[test]
fn a_cpu_that_the_monitor_still_has_is_not_taken_back() {
    let (_directory, root) = machine();
    let module = FakeModule::primary();
    let wish = Wish {
        limit: Duration::from_millis(100),
        ..Wish::default()
    };
    let (result, _, states, _) = play(&module, &root, &wish, accept);
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("CPU 3 stays offline")
    );
    assert_eq!(states, [false, false]);
}

#[test]
fn the_cpu_is_the_operators_choice_or_one_that_does_not_beat() {
    let (_directory, root) = machine();
    let info = |lead_cpu| DeviceInfo {
        lead_cpu,
        ..DeviceInfo::default()
    };
    assert_eq!(lent(&root, &info(0), None).unwrap(), (3, 4));
    assert_eq!(lent(&root, &info(3), None).unwrap(), (2, 3));
    assert_eq!(lent(&root, &info(3), Some(3)).unwrap(), (3, 4));
    for cpu in [0, 9] {
        assert_eq!(lent(&root, &info(0), Some(cpu)).unwrap_err().exit_code(), 2);
    }
    put(&root, "sys/devices/system/cpu/cpu3/online", b"0");
    put(&root, "sys/devices/system/cpu/cpu2/online", b"0");
    // Better the one that beats than none.
    assert_eq!(lent(&root, &info(1), None).unwrap(), (1, 2));
    put(&root, "sys/devices/system/cpu/cpu1/online", b"0");
    let text = lent(&root, &info(0), None).unwrap_err().to_string();
    assert!(text.starts_with("there is no CPU to lend"), "{text}");
}

#[test]
fn an_image_is_staged_in_the_upper_half_of_the_slot() {
    let (directory, root) = machine();
    let (kernel, initrd) = (directory.path().join("k"), directory.path().join("i"));
    fs::write(&kernel, bz_image()).unwrap();
    fs::write(&initrd, [7; 5000]).unwrap();
    let module = FakeModule::primary();
    let mut wish = wish();
    wish.image = Some(Image {
        kernel,
        initrd: Some(initrd),
        cmdline: "quiet".into(),
    });
    let ready = |control: &Control, number| {
        accept(control, number);
        control.protection.arm();
    };
    let (result, request, ..) = play(&module, &root, &wish, ready);
    result.unwrap();
    let half = 64 << 20;
    let initrd_at = half + 69632;
    let line_at = initrd_at + 8192;
    let start = 0x1000_0000;
    assert_eq!(
        request.unwrap()[1..],
        [
            2,
            start + half,
            68096,
            start + initrd_at,
            5000,
            start + line_at,
            5
        ]
    );
    let staged = module.staged.borrow();
    assert_eq!(staged[0], (half, bz_image()));
    assert_eq!(staged[1], (initrd_at, vec![7; 5000]));
    assert_eq!(staged[2], (line_at, b"quiet".to_vec()));
}

#[test]
fn an_image_that_is_none_or_too_large_is_refused_before_anything_is_touched() {
    let image = Image {
        kernel: "/boot/x".into(),
        initrd: None,
        cmdline: String::new(),
    };
    let info = DeviceInfo {
        role: Role::Primary.number() as u32,
        spare_start: 0x1000_0000,
        spare_bytes: 64 << 20,
        ..DeviceInfo::default()
    };
    let problem = check(&info, &image, b"no kernel", 0).unwrap_err();
    assert!(
        problem
            .to_string()
            .starts_with("/boot/x: not a sound Linux image")
    );
    assert_eq!(problem.exit_code(), 1);
    let problem = check(&info, &image, &bz_image(), 40 << 20).unwrap_err();
    assert!(
        problem.to_string().contains("failover_mem=118M"),
        "{problem}"
    );
    let long = Image {
        cmdline: "x".repeat(2048),
        ..image
    };
    let problem = check(&info, &long, &bz_image(), 0).unwrap_err();
    assert!(
        problem
            .to_string()
            .contains("2047 bytes, this one has 2048"),
        "{problem}"
    );
}

#[test]
fn only_a_primary_arms() {
    let (_directory, root) = machine();
    let module = FakeModule::of(&[DeviceInfo::default()]);
    assert!(arm(&module, &root, &wish(), &mut |_| ()).is_err());
    assert!(cpus::is_online(&root, 3));
}
