//! A dry run of a takeover: checks whether it would find what it needs, and changes nothing.

use std::thread;
use std::time::Duration;

use sharedmem::Control;
use sharedmem::device::DeviceInfo;
use sharedmem::keepalive::KeepaliveSlot;
use sharedmem::protection::ProtectionState;
use sharedmem::resume_slot::{Ticket, UPPER_HALF};

use crate::hand_off::HandOff;
use crate::keepalive;
use crate::root::Root;
use crate::timeline::Takeover;
use crate::virtualization::{Outlook, Virtualization};

const PAGE_BYTES: u64 = 4096;

/// A check and its result.
pub struct Item {
    /// Whether the result is good.
    pub is_good: bool,
    /// What was checked.
    pub text: String,
}

impl Item {
    fn new(is_good: bool, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { is_good, text }
    }
}

/// Makes all checks. Takes one time-out of the failure detector, to see whether keepalives continue.
pub fn items(control: &Control, info: &DeviceInfo, hand_off: &HandOff, root: &Root) -> Vec<Item> {
    let slots: [&KeepaliveSlot; 2] = [&control.primary_keepalive, &control.seat_keepalive];
    let before = slots.map(count);
    thread::sleep(Duration::from_nanos(hand_off.timeout_ns.min(1_000_000_000)));
    let [sent, answered] = [0, 1].map(|index| count(slots[index]).saturating_sub(before[index]));
    let within = format!(
        "within the time-out of {} ms",
        hand_off.timeout_ns / 1_000_000
    );
    let mut items = vec![
        Item::new(info.is_primary(), "this kernel is the primary"),
        Item::new(
            control.epoch.current() == info.epoch,
            format!("its epoch is the current one: {}", info.epoch),
        ),
        Item::new(
            control.protection.state() == ProtectionState::Armed,
            "a backup is ready, by the monitor's word",
        ),
        Item::new(sent > 0, format!("keepalives sent {within}: {sent}")),
        Item::new(
            answered > 0,
            format!("keepalives answered {within}: {answered}"),
        ),
        Item::new(
            control.epitaphs[info.instance()].read().is_none(),
            "this kernel has left no epitaph",
        ),
    ];
    let virtualization = Virtualization::of(root);
    items.push(Item::new(
        virtualization.outlook() == Outlook::Good,
        virtualization.text(),
    ));
    match control.resume_slots[info.instance().other()].ticket() {
        Some(ticket) => items.extend(of_ticket(&ticket, info, hand_off)),
        None => items.push(Item::new(false, "the backup has left its ticket")),
    }
    items
}

fn count(slot: &KeepaliveSlot) -> u64 {
    keepalive::newest(slot).map_or(0, |keepalive| keepalive.sequence)
}

fn of_ticket(ticket: &Ticket, info: &DeviceInfo, hand_off: &HandOff) -> [Item; 4] {
    let (start, bytes) = (info.spare_start, info.spare_bytes);
    let table = ticket.page_table;
    let is_in_slot = table
        .checked_sub(start)
        .is_some_and(|offset| offset < bytes && table.is_multiple_of(PAGE_BYTES));
    let core = hand_off.core_of(ticket.apic_id);
    [
        Item::new(
            is_in_slot,
            format!("the backup's page table is in its slot: {table:#x}"),
        ),
        Item::new(
            ticket.entry >= UPPER_HALF,
            format!(
                "the backup's entry is in the kernel's half: {:#x}",
                ticket.entry
            ),
        ),
        Item::new(
            ticket.stack >= UPPER_HALF,
            format!(
                "the backup's stack is in the kernel's half: {:#x}",
                ticket.stack
            ),
        ),
        Item::new(
            core.is_some(),
            format!(
                "the core that the backup resumes on is this kernel's: APIC id {}",
                ticket.apic_id
            ),
        ),
    ]
}

/// Returns a forecast of a takeover.
pub fn forecast(control: &Control, hand_off: &HandOff) -> String {
    let mut out = format!(
        "A panic would be detected at once, a silence after {} ms.\n",
        hand_off.timeout_ns / 1_000_000
    );
    match Takeover::last(control) {
        Some(takeover) => {
            out += "The rest may take as long as in the last takeover:\n";
            for line in takeover.lines() {
                out += &format!("  {line}\n");
            }
        }
        None => out += "No takeover was measured yet: there was none since the machine's boot.\n",
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::tests::root_of;
    use crate::virtualization::tests::set_up;
    use sharedmem::Instance;
    use sharedmem::Role;
    use sharedmem::keepalive::Keepalive;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Returns the items that are not good, while keepalives go on or not.
    fn bad(control: &Control, beats: bool) -> Vec<String> {
        let (_directory, root) = root_of(&[]);
        set_up(&root, "svm", &["kvm_amd"], Some("Y"));
        bad_with(control, beats, &root)
    }

    fn bad_with(control: &Control, beats: bool, root: &Root) -> Vec<String> {
        let info = DeviceInfo {
            role: Role::Primary.number() as u32,
            instance: 1,
            epoch: 2,
            spare_start: 0x1000_0000,
            spare_bytes: 128 << 20,
            ..DeviceInfo::default()
        };
        let hand_off = HandOff {
            tsc_hz: 1_000_000_000,
            tsc_at_boot: 0,
            timeout_ns: 200_000_000,
            cores: vec![(3, 1)],
        };
        let is_over = AtomicBool::new(!beats);
        let items = thread::scope(|scope| {
            scope.spawn(|| {
                let mut beat = Keepalive::first(2, 1);
                beat.sequence = count(&control.primary_keepalive);
                while !is_over.load(Ordering::Acquire) {
                    beat.sequence += 1;
                    control.primary_keepalive.publish(&beat);
                    control.seat_keepalive.publish(&beat);
                    thread::sleep(Duration::from_millis(2));
                }
            });
            let items = items(control, &info, &hand_off, root);
            is_over.store(true, Ordering::Release);
            items
        });
        let bad = items.into_iter().filter(|item| !item.is_good);
        bad.map(|item| item.text).collect()
    }

    const GOOD: Ticket = Ticket {
        page_table: 0x1000_4000,
        entry: 0xffff_ffff_c000_0000,
        stack: 0xffff_ffff_c000_1000,
        apic_id: 3,
    };

    #[test]
    fn a_dry_run_finds_what_is_missing() {
        let control = Box::<Control>::default();
        assert_eq!(bad(&control, false).len(), 5);
        control.epoch.reset(2);
        control.protection.arm();
        control.resume_slots[Instance::A].park(GOOD);
        assert_eq!(bad(&control, true), <[String; 0]>::default());
        let (_directory, root) = root_of(&[]);
        set_up(&root, "svm", &["kvm_amd"], Some("N"));
        let [text] = <[String; 1]>::try_from(bad_with(&control, true, &root)).unwrap();
        assert!(text.contains("INIT may not stop a CPU"), "{text}");
        // Keepalives that were sent in the past do not count.
        assert_eq!(bad(&control, false).len(), 2);
    }

    #[test]
    fn a_ticket_that_cannot_be_right_is_found() {
        let control = Box::<Control>::default();
        control.epoch.reset(2);
        control.protection.arm();
        let what_is_wrong = |ticket| {
            control.resume_slots[Instance::A].park(ticket);
            let [text] = <[String; 1]>::try_from(bad(&control, true)).unwrap();
            text
        };
        for page_table in [0xfff_f000, 0x1800_0000, 0x1000_4008] {
            let text = what_is_wrong(Ticket { page_table, ..GOOD });
            assert!(text.contains("page table"), "{text}");
        }
        let entry = 0x40_0000;
        assert!(what_is_wrong(Ticket { entry, ..GOOD }).contains("entry"));
        let stack = 0;
        assert!(what_is_wrong(Ticket { stack, ..GOOD }).contains("stack"));
        let apic_id = 9;
        assert!(what_is_wrong(Ticket { apic_id, ..GOOD }).contains("APIC id 9"));
    }
}
