//! SYN cookies (RFC 4987, 3.6): a client that asks for a connection costs nothing until it has answered.
//!
//! Our initial sequence number is a keyed hash of what the client asked for. Whoever acknowledges it has received it.
//! Then, and not before, the connection is entered in the journal. The key is in the journal, too, so that a client
//! whose SYN was answered by a dead kernel is served by its successor.
//!
//! | bits | content |
//! |---|---|
//! | 0 to 7 | the options of the SYN, masked: 3 bits length of a segment, 4 bits window scale, 1 bit SACK |
//! | 8 to 15 | hash of client and time |
//! | 16 to 31 | hash of client, time, options and the client's initial sequence number |
//!
//! If only the first hash is right, the segment is of a client that we answered, but it is not its first one: that one
//! was lost, and the client sends it again. A reset would end a connection that is being opened.

use core::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::Peer;
use crate::segment::SynOptions;

/// A cookie is accepted in the period in which it was made, and in the next one; a period is 2^36 ns, or 69 s.
const PERIOD_NS_LOG2: u32 = 36;

/// Lengths of segments that a cookie can hold, in bytes. The first is the shortest that `smoltcp` sends.
const MSS: [u16; 8] = [48, 256, 536, 1220, 1360, 1400, 1440, 1460];
/// Length of segments of a client that names none (RFC 9293, 3.7.1).
const MSS_DEFAULT: u16 = 536;
/// Window scale of a client that names none.
const NO_SCALE: u8 = 15;

/// What the number that a segment acknowledges says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// It is our answer to a SYN with these options, and the segment is the first one behind that SYN.
    First(SynOptions),
    /// It is our answer to a SYN, and the segment is a later one.
    Later,
    /// It is none of ours.
    Foreign,
}

/// Returns our initial sequence number for a client whose SYN has the number `peer_seq`.
pub(crate) fn issue(
    secret: u64,
    peer: Peer,
    peer_seq: u32,
    options: SynOptions,
    now_ns: u64,
) -> u32 {
    let period = now_ns >> PERIOD_NS_LOG2;
    let options = encode(options);
    let [tag, mask] = client_hash(secret, peer, period);
    let [high, low] = whole_hash(secret, peer, period, options, peer_seq);
    u32::from_be_bytes([high, low, tag, options ^ mask])
}

/// Returns what `local_seq`, the number before the one that a client acknowledges, says. Its segment has the number
/// behind `peer_seq`.
pub(crate) fn check(secret: u64, peer: Peer, peer_seq: u32, local_seq: u32, now_ns: u64) -> Cookie {
    let period = now_ns >> PERIOD_NS_LOG2;
    let [high, low, first, masked] = local_seq.to_be_bytes();
    let mut found = Cookie::Foreign;
    for period in [Some(period), period.checked_sub(1)].into_iter().flatten() {
        let [tag, mask] = client_hash(secret, peer, period);
        if tag != first {
            continue;
        }
        let options = masked ^ mask;
        if whole_hash(secret, peer, period, options, peer_seq) == [high, low] {
            return Cookie::First(decode(options));
        }
        found = Cookie::Later;
    }
    found
}

fn encode(options: SynOptions) -> u8 {
    let mss = options.mss.unwrap_or(MSS_DEFAULT);
    let index = MSS.iter().rposition(|known| *known <= mss).unwrap_or(0);
    let scale = options.window_scale.unwrap_or(NO_SCALE);
    index as u8 | scale << 3 | u8::from(options.sack_permitted) << 7
}

fn decode(options: u8) -> SynOptions {
    SynOptions {
        mss: MSS.get(usize::from(options & 7)).copied(),
        window_scale: Some(options >> 3 & 15).filter(|scale| *scale != NO_SCALE),
        sack_permitted: options & 0x80 != 0,
    }
}

fn client_hash(secret: u64, peer: Peer, period: u64) -> [u8; 2] {
    let mut hasher = hasher(secret, 0, peer, period);
    hasher.write_u8(0);
    (hasher.finish() as u16).to_be_bytes()
}

fn whole_hash(secret: u64, peer: Peer, period: u64, options: u8, peer_seq: u32) -> [u8; 2] {
    let mut hasher = hasher(secret, 1, peer, period);
    hasher.write_u8(options);
    hasher.write_u32(peer_seq);
    (hasher.finish() as u16).to_be_bytes()
}

/// Begins a hash. `number` tells the hashes apart.
fn hasher(secret: u64, number: u64, peer: Peer, period: u64) -> SipHasher24 {
    let mut hasher = SipHasher24::new_with_keys(secret, number);
    hasher.write(&peer);
    hasher.write_u64(period);
    hasher
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PEER: Peer = [10, 0, 2, 2, 0x30, 0x39];
    const PERIOD_NS: u64 = 1 << PERIOD_NS_LOG2;

    proptest! {
        #[test]
        fn a_cookie_gives_back_what_was_asked_for(
            secret: u64,
            peer_seq: u32,
            mss in prop::option::of(1_u16..),
            window_scale in prop::option::of(0_u8..15),
            sack_permitted: bool,
            now_ns in 0..PERIOD_NS * 10,
            age_ns in 0..PERIOD_NS,
        ) {
            let asked = SynOptions { mss, window_scale, sack_permitted };
            let cookie = issue(secret, PEER, peer_seq, asked, now_ns);
            let Cookie::First(got) = check(secret, PEER, peer_seq, cookie, now_ns + age_ns) else {
                return Err(TestCaseError::fail("it is not accepted"));
            };
            prop_assert_eq!(got.window_scale, window_scale);
            prop_assert_eq!(got.sack_permitted, sack_permitted);
            // A segment is never longer than the client takes, but `smoltcp` sends none below 48 bytes.
            prop_assert!(got.mss.unwrap() <= mss.unwrap_or(MSS_DEFAULT).max(48));
            prop_assert_eq!(check(secret, PEER, peer_seq, cookie, now_ns + 2 * PERIOD_NS), later_or_foreign(
                secret, peer_seq, cookie, now_ns + 2 * PERIOD_NS
            ));
        }
    }

    /// Returns the verdict, which is never `First`.
    fn later_or_foreign(secret: u64, peer_seq: u32, cookie: u32, now_ns: u64) -> Cookie {
        match check(secret, PEER, peer_seq, cookie, now_ns) {
            Cookie::First(options) => panic!("an old cookie is accepted: {options:?}"),
            other => other,
        }
    }

    #[test]
    fn numbers_that_were_not_issued_are_not_accepted() {
        let options = SynOptions {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
        };
        let cookie = issue(1, PEER, 1000, options, 0);
        assert_eq!(check(1, PEER, 1001, cookie, 0), Cookie::Later);
        let mut accepted = [0; 2];
        for forged in 0..1_000_000_u32 {
            match check(1, PEER, 1000, forged.wrapping_mul(0x9e37_79b9), 0) {
                Cookie::First(_) => accepted[0] += 1,
                Cookie::Later => accepted[1] += 1,
                Cookie::Foreign => {}
            }
        }
        // One in 2^24, and one in 2^8.
        assert!(accepted[0] <= 2, "{accepted:?}");
        assert!((3000..5000).contains(&accepted[1]), "{accepted:?}");
    }
}
