//! What attackers send, frame by frame, and what comes back.

use smoltcp::wire::{IpProtocol, Ipv4Address, Ipv4Packet, TcpControl};

use crate::dialogue::LONG;
use crate::forge::{self, Forged};
use crate::scene::{MS, Scene};
use crate::server::{self, Entry, ServiceState};

/// Sends resets: only one with exactly the next number counts, another one in the window is challenged (RFC 5961, 3).
#[test]
fn a_reset_counts_only_with_the_exact_number() {
    let mut scene = Scene::new();
    let mut client = scene.connect(50_000);
    let reset = |seq| Forged {
        control: TcpControl::Rst,
        seq,
        ..Forged::of(50_000)
    };
    let answers = scene.send([reset(client.seq + 100).frame()]);
    let [challenge] = answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(
        (challenge.control, challenge.seq, challenge.ack),
        (TcpControl::None, client.ack, client.seq)
    );
    // No more than two challenges a second.
    for off in 1..200 {
        let answers = scene.send([reset(client.seq + off).frame()]);
        assert!(answers.is_empty() || off % 100 > 90, "{off}: {answers:?}");
        scene.now_ns -= MS;
    }
    // Outside of the window nothing comes back.
    scene.now_ns += 1000 * MS;
    for off in [1_u32 << 20, 0u32.wrapping_sub(1)] {
        let forged = reset(client.seq.wrapping_add(off));
        assert_eq!(scene.send([forged.frame()]), []);
    }
    assert!(scene.serves(&mut client));
    assert_eq!(scene.send([reset(client.seq).frame()]), []);
    assert_eq!(scene.flows(), 0);
}

/// Resets a connection with the exact number, behind bytes that came in with the same round, and after a takeover.
#[test]
fn a_reset_counts_at_once_behind_data_and_after_a_takeover() {
    let mut scene = Scene::new();
    let client = scene.connect(50_000);
    let data = Forged {
        bytes: b"x",
        ..client.segment()
    };
    let reset = Forged {
        control: TcpControl::Rst,
        seq: client.seq + 1,
        ..Forged::of(50_000)
    };
    scene.send([data.frame(), reset.frame()]);
    assert_eq!(scene.flows(), 0);
    let client = scene.connect(50_001);
    scene.take_over();
    let reset = |seq| Forged {
        control: TcpControl::Rst,
        seq,
        ..Forged::of(50_001)
    };
    scene.send([reset(client.seq + 1).frame()]);
    assert_eq!(scene.flows(), 1);
    scene.send([reset(client.seq).frame()]);
    assert_eq!(scene.flows(), 0);
}

/// Sends a SYN on a connection: it ends nothing (RFC 5961, 4). A client that was switched off and comes back with the
/// same port answers the challenge with the right reset, and gets its new connection.
#[test]
fn a_syn_is_challenged_and_a_restarted_client_connects_again() {
    let mut scene = Scene::new();
    let mut client = scene.connect(50_000);
    let syn = Forged {
        control: TcpControl::Syn,
        seq: client.seq + 10,
        ..Forged::of(50_000)
    };
    let answers = scene.send([syn.frame()]);
    assert_eq!(answers.len(), 1);
    assert_eq!(
        (answers[0].control, answers[0].ack),
        (TcpControl::None, client.seq)
    );
    assert!(scene.serves(&mut client));
    let reset = Forged {
        control: TcpControl::Rst,
        seq: client.seq,
        ..Forged::of(50_000)
    };
    scene.send([reset.frame()]);
    let mut again = scene.connect_with(50_000, 70_000_000);
    assert!(scene.serves(&mut again));
}

/// Acknowledges what was never sent: that is challenged, and the segment is dropped (RFC 9293, 3.10.7.4).
#[test]
fn bytes_that_were_never_sent_cannot_be_acknowledged() {
    let mut scene = Scene::new();
    let client = scene.connect(50_000);
    // It asks for 100,000 bytes and has room for 1,000.
    let asks = Forged {
        window: 1000,
        bytes: &[LONG; 20],
        ..client.segment()
    };
    let answers = scene.send([asks.frame()]);
    let sent: usize = answers.iter().map(|it| it.bytes).sum();
    assert_eq!(sent, 1000);
    for ahead in [1001, 8000, 60_000] {
        scene.now_ns += 1000 * MS;
        let forged = Forged {
            seq: client.seq + 20,
            ack: Some(client.ack.wrapping_add(ahead)),
            ..client.segment()
        };
        let answers = scene.send([forged.frame()]);
        let expected = client.ack.wrapping_add(1000);
        assert!(
            answers.iter().any(|it| (it.bytes, it.seq) == (0, expected)),
            "{answers:?}"
        );
    }
    let right = Forged {
        seq: client.seq + 20,
        ack: Some(client.ack.wrapping_add(1000)),
        window: 3000,
        ..client.segment()
    };
    let answers = scene.send([right.frame()]);
    assert_eq!(answers[0].seq, client.ack.wrapping_add(1000));
    // A successor believes what its predecessor can have sent, which is a send buffer and what the journal says late.
    scene.take_over();
    for (ahead, is_believed) in [(1000 + 60_000, false), (1000 + 16_000, true)] {
        let ack = client.ack.wrapping_add(ahead);
        let answers = scene.send([Forged {
            seq: client.seq + 20,
            ack: Some(ack),
            ..client.segment()
        }
        .frame()]);
        let goes_on = answers.iter().any(|it| it.bytes > 0 && it.seq == ack);
        assert_eq!(goes_on, is_believed, "{ahead}: {answers:?}");
    }
}

/// Acknowledges more in a right segment, then less in an old one, before the first is in the journal: the second says
/// nothing new.
#[test]
fn an_old_segment_takes_no_acknowledgement_back() {
    let mut scene = Scene::new();
    let client = scene.connect(50_000);
    let asks = Forged {
        bytes: &[LONG; 3],
        ..client.segment()
    };
    scene.send([asks.frame()]);
    scene.take_over();
    let after = Forged {
        seq: client.seq + 3,
        ..client.segment()
    };
    scene.send([after.frame()]);
    let acknowledges = |seq, bytes| {
        let ack = Some(client.ack.wrapping_add(bytes));
        Forged { seq, ack, ..after }.frame()
    };
    scene.send([
        acknowledges(client.seq + 3, 5000),
        acknowledges(client.seq + 2, 500),
    ]);
    let flows = ServiceState::of(&scene.kernel.server.journal).flows;
    let acknowledged = flows.iter().map(|(_, flow)| flow.acknowledged_bytes());
    assert_eq!(acknowledged.collect::<Vec<_>>(), [5000]);
}

/// Says that packets are too long: it counts only about a segment that is under way, and only if it lowers the MTU.
#[test]
fn a_path_is_not_believed_to_be_narrow_by_hearsay() {
    let mut scene = Scene::new();
    let client = scene.connect(50_000);
    let asks = Forged {
        bytes: &[LONG; 2],
        ..client.segment()
    };
    let frames = scene.send_raw([asks.frame()]);
    let long = frames.iter().find(|frame| frame.len() > 1400).unwrap();
    let facts = |scene: &Scene| {
        let journal = &scene.kernel.server.journal;
        let facts = journal
            .iter()
            .filter(|entry| matches!(entry, Entry::Fact(_)));
        facts.count()
    };
    let before = facts(&scene);
    let mut another_seq = long.clone();
    another_seq[38] ^= 0x40;
    let mut another_port = long.clone();
    another_port[37] ^= 1;
    let mut corrupt = forge::too_long(long, 1000);
    corrupt[14 + 20 + 7] ^= 1;
    let rejected = [
        forge::too_long(&another_seq, 1000),
        forge::too_long(&another_port, 1000),
        forge::too_long(long, 1500),
        corrupt,
    ];
    scene.send(rejected);
    assert_eq!(facts(&scene), before);
    // A lower one counts, and no segment is longer from here on; 576 is the lowest.
    for (named, expected) in [(1280, 1280), (1280, 1280), (68, 576), (1400, 576)] {
        let answers = scene.send_raw([forge::too_long(long, named)]);
        assert!(
            answers.iter().all(|frame| frame.len() <= 14 + expected),
            "{named}"
        );
    }
    assert_eq!(facts(&scene), before + 2);
}

/// Says it without an MTU: that means the next of those that are common (RFC 1191, 7).
#[test]
fn a_router_may_name_no_length() {
    let mut scene = Scene::new();
    let client = scene.connect(50_000);
    let asks = Forged {
        bytes: &[LONG; 2],
        ..client.segment()
    };
    let frames = scene.send_raw([asks.frame()]);
    let long = frames.iter().find(|frame| frame.len() == 1514).unwrap();
    let answers = scene.send_raw([forge::too_long(long, 0)]);
    let longest = answers.iter().map(Vec::len).max();
    assert_eq!(longest, Some(14 + 1492));
}

/// Sends fragments, packets that no host sends, and frames with wrong checksums: they have no effect.
#[test]
fn what_is_not_checked_is_dropped() {
    let mut scene = Scene::new();
    let mut client = scene.connect(50_000);
    let reset = Forged {
        control: TcpControl::Rst,
        seq: client.seq,
        ..Forged::of(50_000)
    }
    .frame();
    let syn = Forged {
        control: TcpControl::Syn,
        ..Forged::of(50_001)
    };
    let altered = |frame: &[u8], at: usize, bits: u8| {
        let mut frame = frame.to_vec();
        frame[at] ^= bits;
        let mut ip = Ipv4Packet::new_unchecked(&mut frame[14..]);
        // The header's checksum is right again, unless it is what was altered.
        if at != 24 {
            ip.fill_checksum();
        }
        frame
    };
    let from = |address| Forged { address, ..syn }.frame();
    let dropped = [
        altered(&reset, 24, 1),
        altered(&reset, 50, 1),
        altered(&reset, 20, 0x20),
        altered(&reset, 21, 1),
        altered(&syn.frame(), 20, 0x20),
        altered(&syn.frame(), 21, 1),
        altered(&reset, 0, 0x10),
        from(server::ADDRESS),
        from(Ipv4Address::BROADCAST),
        from(Ipv4Address::new(10, 0, 2, 255)),
        from(Ipv4Address::new(224, 0, 0, 1)),
        from(Ipv4Address::new(127, 0, 0, 1)),
        from(Ipv4Address::UNSPECIFIED),
        altered(&syn.frame(), 23, IpProtocol::Tcp.into()),
    ];
    for frame in dropped {
        assert_eq!(scene.send_raw([frame.clone()]), Vec::<Vec<u8>>::new());
    }
    assert!(scene.serves(&mut client));
    assert_eq!(scene.flows(), 1);
}
