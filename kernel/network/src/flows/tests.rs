//! The limit of unacknowledged replies, and numbers that cannot be.

use super::*;
use alloc::string::ToString;
use alloc::vec::Vec;

#[test]
fn after_any_connection_there_is_a_next_one() {
    let mut flows = Flows::new(1000);
    let mut begin = |connection| {
        flows.apply(&Fact::Begun {
            connection,
            peer: [10, 0, 2, 2, 0, 1],
            handshake: Handshake {
                peer_mac: [2; 6],
                peer_seq: 1,
                local_seq: 1,
                mss: None,
                window_scale: None,
                sack_permitted: false,
            },
        })
    };
    for connection in [u64::MAX, COUNT_MAX + 1] {
        let error = begin(connection).unwrap_err();
        assert!(error.to_string().contains("a number that large"));
    }
    assert_eq!(begin(COUNT_MAX), Ok(()));
    assert_eq!(flows.next_connection(), COUNT_MAX + 1);
}

/// Makes `count` connections.
fn flows(count: u8, unacked_bytes_max: usize) -> Flows {
    let mut flows = Flows::new(unacked_bytes_max);
    for number in 1..=count {
        let begun = Fact::Begun {
            connection: number.into(),
            peer: [10, 0, 2, 2, 0, number],
            handshake: Handshake {
                peer_mac: [2; 6],
                peer_seq: 1,
                local_seq: 1,
                mss: None,
                window_scale: None,
                sack_permitted: false,
            },
        };
        flows.apply(&begun).unwrap();
    }
    flows
}

/// Returns the connections that were aborted.
fn aborted(flows: &Flows) -> Vec<ConnectionId> {
    let aborted = flows.iter().filter(|(_, flow)| flow.is_aborted);
    aborted.map(|(connection, _)| connection).collect()
}

#[test]
fn whoever_is_owed_most_is_disconnected_and_not_who_is_answered_next() {
    let mut flows = flows(3, 1000);
    flows.reply(1, &[0; 900]);
    flows.reply(2, &[0; 50]);
    flows.reply(3, &[0; 200]);
    assert_eq!(aborted(&flows), [1]);
    assert_eq!(flows.get(3).unwrap().unacked_bytes(), 200);
    // What the debtor was owed is free again, and it gets nothing more.
    flows.reply(1, &[0; 900]);
    flows.reply(2, &[0; 700]);
    assert_eq!(aborted(&flows), [1]);
}

#[test]
fn a_reply_counts_before_it_is_there_and_of_equal_debtors_the_oldest_pays() {
    let mut small = flows(3, 1000);
    small.reply(1, &[0; 400]);
    small.reply(2, &[0; 401]);
    // The next reply makes connection 3 the largest.
    small.reply(3, &[0; 402]);
    assert_eq!(aborted(&small), [3]);
    let mut equal = flows(3, 1000);
    equal.reply(2, &[0; 400]);
    equal.reply(1, &[0; 400]);
    equal.reply(3, &[0; 400]);
    assert_eq!(aborted(&equal), [1]);
    // One that is larger than everything together disconnects nobody else.
    let mut huge = flows(2, 1000);
    huge.reply(1, &[0; 900]);
    huge.reply(2, &[0; 1001]);
    assert_eq!(aborted(&huge), [2]);
}
