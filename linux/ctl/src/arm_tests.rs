//! Tests of [`super`]. A thread plays the monitor.

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
use crate::virtualization::LEAVES;
use sharedmem::Role;

/// Makes a kernel of 64 KiB that needs 1 MiB.
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

/// Makes four CPUs. The APIC id of each is twice its number, its machine number is one more.
fn machine() -> (tempfile::TempDir, Root) {
    let (directory, root) = root_of(&[("sys/devices/system/cpu/cpu0/x", ""), ("dev/kmsg", "")]);
    let mut cpuinfo = String::new();
    for cpu in 0..4 {
        cpuinfo += &format!(
            "processor\t: {cpu}\napicid\t\t: {}\nflags\t\t: fpu vmx\n\n",
            2 * cpu
        );
        if cpu > 0 {
            let switch = format!("sys/devices/system/cpu/cpu{cpu}/online");
            put(&root, &switch, b"1");
        }
    }
    put(&root, "proc/cpuinfo", cpuinfo.as_bytes());
    put(&root, LEAVES, b"Y");
    let cores = [(0, 1), (2, 2), (4, 3), (6, 4)];
    put(&root, "sys/firmware/acpi/tables/UNDS", &table(&cores));
    (directory, root)
}

type Arguments = [u64; ARGUMENTS];

/// Arms, while a monitor answers by `answer`. Returns the outcome, the arguments, the state of CPU 3 at that time and
/// after, and the progress.
fn play(
    module: &FakeModule,
    root: &Root,
    request: &Request,
    answer: impl Fn(&Control, u64) + Sync,
) -> (
    Result<(), Problem>,
    Option<Arguments>,
    [bool; 2],
    Vec<String>,
) {
    let control: &Control = &module.control;
    let is_over = AtomicBool::new(false);
    let mut progress = Vec::new();
    let (result, seen) = thread::scope(|scope| {
        let monitor = scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                if let Some((number, command, arguments)) = control.mailbox.request() {
                    assert_eq!(command, Command::Arm.number());
                    let was_online = cpus::is_online(root, 3);
                    answer(control, number);
                    return Some((arguments, was_online));
                }
                thread::sleep(Duration::from_millis(1));
            }
            None
        });
        let result = arm(module, root, request, &mut |line| {
            progress.push(line.into())
        });
        is_over.store(true, Ordering::Release);
        (result, monitor.join().unwrap())
    });
    let was_online = seen.is_none_or(|(_, online)| online);
    let states = [was_online, cpus::is_online(root, 3)];
    (result, seen.map(|(sent, _)| sent), states, progress)
}

fn accept(control: &Control, number: u64) {
    control.mailbox.reply(number, Answer::Accepted, "");
}

fn request() -> Request {
    Request {
        limit: Duration::from_secs(20),
        ..Request::default()
    }
}

#[test]
fn the_last_cpu_is_lent_until_the_backup_is_ready() {
    let (_directory, root) = machine();
    let module = FakeModule::primary();
    module.control.monitor_log.write(b"[1] monitor: old\n");
    let (result, sent, states, progress) = play(&module, &root, &request(), |control, number| {
        accept(control, number);
        control.monitor_log.write(b"[2] monitor: news\n");
        thread::sleep(Duration::from_millis(120));
        control.protection.arm();
    });
    result.unwrap();
    let failover = ImageSource::Failover.number();
    assert_eq!(sent, Some([4, failover, 0, 0, 0, 0, 0, 0]));
    assert_eq!(states, [false, true]);
    assert_eq!(progress[1..], ["[2] monitor: news"]);
    assert!(
        root.text("dev/kmsg")
            .unwrap()
            .ends_with(&Rearmed {}.to_string())
    );
    // There is nothing to load while there is a backup.
    assert!(arm(&module, &root, &request(), &mut |_| ()).is_err());
}

#[test]
fn a_refusal_gives_the_cpu_back_and_is_progress() {
    let (_directory, root) = machine();
    let module = FakeModule::primary();
    let (result, _, states, _) = play(&module, &root, &request(), |control, number| {
        control.mailbox.reply(number, Answer::Refused, "not today");
    });
    assert_eq!(
        result.unwrap_err().to_string(),
        "the monitor refuses: not today"
    );
    assert_eq!(states, [false, true]);
}

#[test]
fn a_backup_that_is_lost_gives_the_cpu_back_at_once_and_why_is_progress() {
    let (_directory, root) = machine();
    let module = FakeModule::primary();
    for loss in BackupLoss::ALL {
        // An earlier loss does not count, and the log's text is for people only.
        module
            .control
            .backup
            .note_loss(Instance::A, BackupLoss::Promoted);
        let (result, _, states, _) = play(&module, &root, &request(), |control, number| {
            accept(control, number);
            control.monitor_log.write(b"[1] monitor: an unknown text\n");
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
    let request = Request {
        limit: Duration::from_millis(100),
        ..Request::default()
    };
    let (result, _, states, _) = play(&module, &root, &request, accept);
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
    // If there is no other CPU, the one that sends the keepalives is lent.
    assert_eq!(lent(&root, &info(1), None).unwrap(), (1, 2));
    put(&root, "sys/devices/system/cpu/cpu1/online", b"0");
    let text = lent(&root, &info(0), None).unwrap_err().to_string();
    assert!(text.starts_with("no CPU can be lent"), "{text}");
}

#[test]
fn an_image_is_staged_in_the_upper_half_of_the_slot() {
    let (directory, root) = machine();
    let (kernel, initrd) = (directory.path().join("k"), directory.path().join("i"));
    fs::write(&kernel, bz_image()).unwrap();
    fs::write(&initrd, [7; 5000]).unwrap();
    let module = FakeModule::primary();
    let mut request = request();
    request.image = Some(Image {
        kernel,
        initrd: Some(initrd),
        cmdline: "quiet".into(),
    });
    let ready = |control: &Control, number| {
        accept(control, number);
        control.protection.arm();
    };
    let (result, sent, ..) = play(&module, &root, &request, ready);
    result.unwrap();
    let half = 64 << 20;
    let initrd_at = half + 69632;
    let line_at = initrd_at + 8192;
    let start = 0x1000_0000;
    assert_eq!(
        sent.unwrap()[1..],
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
    assert!(arm(&module, &root, &request(), &mut |_| ()).is_err());
    assert!(cpus::is_online(&root, 3));
}

#[test]
fn a_kernel_whose_cpus_could_not_be_stopped_gets_no_backup() {
    let (_directory, root) = machine();
    put(&root, LEAVES, b"N");
    let module = FakeModule::primary();
    let problem = arm(&module, &root, &Request::default(), &mut |_| {}).unwrap_err();
    assert_eq!(problem.exit_code(), 1);
    assert!(problem.to_string().contains("INIT may not stop a CPU"));
    assert!(module.control.mailbox.request().is_none());
}
