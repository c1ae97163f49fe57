//! The mailbox and the resume slot: requests, answers and tickets are read whole.

use loom::sync::Arc;
use loom::thread;
use sharedmem::mailbox::{ARGUMENTS, Answer, Command, Mailbox};
use sharedmem::resume_slot::{ResumeSlot, Ticket};
use sharedmem::sync::{die_after, explore, explore_deaths};

/// How often each side looks. Between two looks, the other side may do everything.
const LOOKS: usize = 2;

/// Looks for a request, for the monitor, and answers what it finds.
fn serve(mailbox: &Mailbox) {
    for _ in 0..LOOKS {
        match mailbox.request() {
            Some((number, command, arguments)) => {
                assert_eq!((command, arguments), (1, [number; ARGUMENTS]), "torn");
                mailbox.reply(number, Answer::Accepted, &format!("no. {number}"));
            }
            None => thread::yield_now(),
        }
    }
}

/// Makes a request, for the primary, and looks for the answer. Returns whether it came.
fn ask(mailbox: &Mailbox, number: u64) -> bool {
    assert_eq!(mailbox.ask(Command::Arm, [number; ARGUMENTS]), number);
    (0..LOOKS).any(|_| match mailbox.answer(number) {
        Some((answer, text)) => {
            assert_eq!(
                (answer, text.as_str()),
                (Answer::Accepted, &*format!("no. {number}"))
            );
            true
        }
        None => {
            thread::yield_now();
            false
        }
    })
}

#[test]
fn requests_and_answers_are_read_whole() {
    explore("mailbox, two requests", 2, || {
        let mailbox = Arc::new(Mailbox::default());
        let monitor = Arc::clone(&mailbox);
        let monitor = thread::spawn(move || serve(&monitor));
        if ask(&mailbox, 1) {
            ask(&mailbox, 2);
        }
        monitor.join().unwrap();
    });
}

#[test]
fn half_a_request_is_none() {
    // Arguments, command, number.
    explore_deaths(
        "mailbox, a primary that dies while it asks",
        2,
        ARGUMENTS + 2,
        |stores| {
            let mailbox = Arc::new(Mailbox::default());
            let primary = Arc::clone(&mailbox);
            let ask = move || _ = primary.ask(Command::Arm, [1; ARGUMENTS]);
            let primary = thread::spawn(move || die_after(stores, ask));
            serve(&mailbox);
            let has_lived = primary.join().unwrap();
            assert!(has_lived || mailbox.request().is_none());
            // The next primary makes a request in its place.
            assert!(has_lived || mailbox.ask(Command::Arm, [1; ARGUMENTS]) == 1);
            serve(&mailbox);
            assert!(mailbox.request().is_none());
        },
    );
}

#[test]
fn a_ticket_is_read_whole() {
    let ticket = Ticket {
        page_table: 1,
        entry: 2,
        stack: 3,
        apic_id: 4,
    };
    // Four words, and the state.
    explore_deaths(
        "resume slot, a kernel that dies while it parks",
        3,
        5,
        move |stores| {
            let slot = Arc::new(ResumeSlot::default());
            let linux = Arc::clone(&slot);
            let linux = thread::spawn(move || die_after(stores, || linux.park(ticket)));
            assert!(slot.ticket().is_none_or(|seen| seen == ticket));
            let has_lived = linux.join().unwrap();
            assert_eq!(slot.ticket(), has_lived.then_some(ticket));
        },
    );
}
