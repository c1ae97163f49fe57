//! How connections begin, and who gets none.

use smoltcp::wire::{Ipv4Address, TcpControl};

use crate::forge::Forged;
use crate::scene::{Client, Scene};
use crate::server::{self, Entry};

/// Lets clients ask for a connection and never say another word: they cost nothing, however many they are.
#[test]
fn half_open_connections_leave_nothing_behind() {
    let mut scene = Scene::new();
    let records = scene.kernel.server.journal.len();
    for number in 0..5000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let syn = Forged {
            address: Ipv4Address::new(10, 9, high, low),
            control: TcpControl::Syn,
            seq: number,
            ..Forged::of(20_000)
        };
        let answers = scene.send([syn.frame()]);
        assert_eq!(answers.len(), 1, "every SYN is answered once");
    }
    assert_eq!(scene.flows(), 0);
    // The key of the cookies is the only record.
    assert_eq!(scene.kernel.server.journal.len(), records + 1);
    let mut client = scene.connect(50_000);
    assert!(scene.serves(&mut client));
}

/// Guesses the number that has to be acknowledged, and gets no connection.
#[test]
fn a_connection_begins_only_for_who_has_received_the_answer() {
    let mut scene = Scene::new();
    let answer = scene.ask(50_000, 1000).unwrap();
    for guess in (0..20_000_u32).map(|number| number.wrapping_mul(0x9e37_79b9)) {
        let ack = Some(answer.seq.wrapping_add(2).wrapping_add(guess));
        let forged = Forged {
            seq: 1001,
            ack,
            ..Forged::of(50_000)
        };
        scene.send([forged.frame()]);
    }
    assert_eq!(scene.flows(), 0);
    // Another client cannot use the answer.
    let stolen = Forged {
        seq: 1001,
        ack: Some(answer.seq.wrapping_add(1)),
        ..Forged::of(50_001)
    };
    let answers = scene.send([stolen.frame()]);
    assert!(
        answers.is_empty() || answers[0].control == TcpControl::Rst,
        "{answers:?}"
    );
    assert_eq!(scene.flows(), 0);
}

/// Lets a kernel die that has answered a SYN: its successor completes the connection. If the client's first segment is
/// lost, its second one is not answered with a reset.
#[test]
fn a_successor_completes_a_connection_that_is_being_opened() {
    let mut scene = Scene::new();
    let answer = scene.ask(50_000, 1000).unwrap();
    scene.take_over();
    let mut client = Client {
        port: 50_000,
        seq: 1001,
        ack: answer.seq.wrapping_add(1),
    };
    let second = Forged {
        seq: 1001 + 100,
        bytes: b"later",
        ..client.segment()
    };
    assert_eq!(scene.send([second.frame()]), []);
    assert_eq!(scene.flows(), 0);
    assert!(scene.serves(&mut client));
    assert!(scene.is_connected(50_000));
}

/// Delivers the first segment of a connection once more when that has ended: it is refused, on the successor as well.
#[test]
fn a_request_that_comes_twice_is_carried_out_once() {
    let mut scene = Scene::new();
    let client = scene.connect(50_000);
    let first = Forged {
        bytes: b"x",
        ..client.segment()
    };
    let reset = Forged {
        control: TcpControl::Rst,
        seq: client.seq + 1,
        ..Forged::of(50_000)
    };
    scene.send([first.frame(), reset.frame()]);
    let requests = |scene: &Scene| {
        let journal = scene.kernel.server.journal.iter();
        journal
            .filter(|entry| matches!(entry, Entry::Bytes(..)))
            .count()
    };
    for _ in 0..2 {
        let answers = scene.send([first.frame()]);
        assert_eq!(answers[0].control, TcpControl::Rst);
        assert_eq!((scene.flows(), requests(&scene)), (0, 1));
        scene.take_over();
    }
}

/// Connects as many clients as there may be: the next one gets a reset at once.
#[test]
fn beyond_the_limit_clients_are_refused() {
    let mut scene = Scene::new();
    for number in 0..server::CONNECTIONS_MAX as u16 {
        scene.connect(40_000 + number);
    }
    let syn = Forged {
        control: TcpControl::Syn,
        ..Forged::of(50_000)
    };
    let answers = scene.send([syn.frame()]);
    assert_eq!(answers[0].control, TcpControl::Rst);
    assert_eq!(scene.flows(), server::CONNECTIONS_MAX);
}
