//! What a segment may do to the connection that it is for (RFC 9293, 3.10.7.4, with RFC 5961).
//!
//! Whoever does not see the traffic can guess addresses and ports, but no sequence numbers. So a reset counts only if
//! its number is exactly the next one, a SYN ends nothing, and an acknowledgement of what cannot have been sent is
//! dropped. Each is answered with a challenge: a client that meant it answers with the right number.

use smoltcp::socket::tcp::State;

use crate::answer::Answer;
use crate::attached::Attached;
use crate::flow::Flow;
use crate::segment::Segment;
use crate::{ConnectionId, socket_options};

/// Shortest time between two challenges on a connection, in ns (RFC 5961, 7). A limit for all connections together
/// would tell one client about another (CVE-2016-5696).
const CHALLENGE_INTERVAL_NS: u64 = 500_000_000;

/// What is to be done with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is for the socket.
    Take,
    /// It is for the socket, but that has to be made anew first, from the acknowledgement in the segment.
    Believe {
        /// The number that it acknowledges.
        ack: u32,
    },
    /// It is dropped, and answered.
    Challenge(Answer),
    /// It is dropped.
    Drop,
}

/// Judges `segment`, which is for `connection`.
pub(crate) fn judge(
    attached: &mut Attached,
    connection: ConnectionId,
    flow: &Flow,
    segment: &Segment,
    now_ns: u64,
) -> Verdict {
    let state = attached.single.get().state();
    if state == State::Closed {
        // The connection is aborted: the stack answers with a reset.
        return Verdict::Take;
    }
    let next_in = next_in(attached, flow, state);
    let ahead = segment.seq.wrapping_sub(next_in);
    let is_in_window = ahead <= socket_options::SERVICE.receive_bytes as u32;
    if segment.is_reset {
        return match ahead {
            0 => Verdict::Take,
            _ if is_in_window => challenge(attached, flow, segment, next_in, now_ns),
            _ => Verdict::Drop,
        };
    }
    if segment.syn.is_some() {
        return challenge(attached, flow, segment, next_in, now_ns);
    }
    let Some(ack) = segment.ack else {
        return Verdict::Drop;
    };
    let position = flow.position_of(ack);
    if position > attached.sent_end {
        return challenge(attached, flow, segment, next_in, now_ns);
    }
    // The socket takes no acknowledgement of what it has not got, and none in an old segment. Without the second, the
    // segments of each side could be old to the other for ever.
    let is_taken = is_in_window && position <= attached.enqueued_bytes + 1;
    if !is_taken
        && position <= attached.inherited_end
        && flow
            .newer_acknowledgement(connection, segment.seq, ack)
            .is_some()
    {
        return Verdict::Believe { ack };
    }
    Verdict::Take
}

/// Returns the sequence number that the socket expects.
fn next_in(attached: &Attached, flow: &Flow, state: State) -> u32 {
    let has_end = matches!(
        state,
        State::CloseWait | State::LastAck | State::Closing | State::TimeWait
    );
    flow.next_in()
        .wrapping_add(attached.single.get().recv_queue() as u32)
        .wrapping_add(u32::from(has_end))
}

fn challenge(
    attached: &mut Attached,
    flow: &Flow,
    segment: &Segment,
    next_in: u32,
    now_ns: u64,
) -> Verdict {
    let is_soon = |then_ns: u64| now_ns.saturating_sub(then_ns) < CHALLENGE_INTERVAL_NS;
    if attached.challenged_ns.is_some_and(is_soon) {
        return Verdict::Drop;
    }
    attached.challenged_ns = Some(now_ns);
    let queued = attached.single.get().recv_queue();
    let sent = attached.sent_end - flow.acknowledged_bytes;
    Verdict::Challenge(Answer {
        peer: segment.peer,
        mac: segment.mac,
        seq: flow.first_out().wrapping_add(sent as u32),
        ack: next_in,
        window: (socket_options::SERVICE.receive_bytes - queued) as u16,
        syn: None,
    })
}
