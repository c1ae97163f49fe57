//! Restoring the connections from a checkpoint.

use core::mem;

use checkpoint::{Item, Items, Joiner, Malformed, decode};

use super::{FlowImage, Head};
use crate::ConnectionId;
use crate::ended::Ended;
use crate::fact::{Fact, Handshake, WINDOW_SCALE_MAX};
use crate::flows::{COUNT_MAX, Flows};
use crate::path_mtu::MTU_MIN;

/// Restores connections from a checkpoint.
pub struct FlowsRestorer {
    flows: Flows,
    unacked_bytes_max: usize,
    joiner: Joiner,
    /// The connection whose replies come next, and the position of the first.
    begun: Option<(FlowImage, u64)>,
    /// What the end said.
    end: Option<(ConnectionId, Option<u64>)>,
    is_whole: bool,
}

impl FlowsRestorer {
    /// Begins, with no connection. For the limit see [`Flows::new`].
    pub fn new(unacked_bytes_max: usize) -> Self {
        Self {
            // Connections are written at different times: together they may have more than ever at once.
            flows: Flows::new(usize::MAX),
            unacked_bytes_max,
            joiner: Joiner::default(),
            begun: None,
            end: None,
            is_whole: false,
        }
    }

    /// Takes the items of one record.
    ///
    /// # Errors
    /// They cannot be what comes next. The restorer cannot be used any more.
    pub fn restore(&mut self, items: Items<'_>) -> Result<(), Malformed> {
        for item in items {
            match item? {
                Item::Head(head) => self.head(decode(head)?)?,
                Item::Part { bytes, is_last } => {
                    if let Some(string) = self.joiner.join(bytes, is_last) {
                        match self.end.take() {
                            Some((last, secret)) => self.rest(last, secret, &string)?,
                            None => self.flow(&string)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the connections. Replies that do not fit into this kernel's limit are gone.
    ///
    /// # Errors
    /// The end of the connections is missing.
    pub fn finish(mut self) -> Result<Flows, Malformed> {
        if !self.is_whole {
            return Err(Malformed("the connections' end is missing"));
        }
        self.flows.limit_unacked(self.unacked_bytes_max);
        Ok(self.flows)
    }

    fn head(&mut self, head: Head) -> Result<(), Malformed> {
        if self.begun.is_some() || self.end.is_some() || self.is_whole {
            return Err(Malformed("a connection where none can be"));
        }
        match head {
            Head::Flow { image, from } => self.begun = Some((image, from)),
            Head::Gone(connection) => self
                .flows
                .apply(&Fact::Gone { connection })
                .map_err(|_| Malformed("the end of a connection that was not written"))?,
            Head::End {
                last_connection,
                secret,
                flows,
                unacked_bytes,
            } => {
                let found = (self.flows.len() as u64, self.flows.unacked_bytes() as u64);
                if found != (flows, unacked_bytes) {
                    return Err(Malformed("the connections do not add up"));
                }
                if last_connection > COUNT_MAX {
                    return Err(Malformed("a connection number that is too large"));
                }
                self.end = Some((last_connection, secret));
            }
        }
        Ok(())
    }

    fn rest(
        &mut self,
        last_connection: ConnectionId,
        secret: Option<u64>,
        ended: &[u8],
    ) -> Result<(), Malformed> {
        let ended =
            Ended::decode(ended).ok_or(Malformed("more ended connections than are kept"))?;
        self.flows.restore_rest(last_connection, secret, ended);
        self.is_whole = true;
        Ok(())
    }

    fn flow(&mut self, unacked: &[u8]) -> Result<(), Malformed> {
        let (image, from) =
            mem::take(&mut self.begun).ok_or(Malformed("replies without a connection"))?;
        let counts = [image.received_bytes, image.acknowledged_bytes, from];
        if counts.into_iter().any(|count| count > COUNT_MAX) {
            return Err(Malformed("more bytes than a connection carries"));
        }
        let Handshake {
            mss, window_scale, ..
        } = image.handshake;
        if window_scale.is_some_and(|scale| scale > WINDOW_SCALE_MAX) || mss == Some(0) {
            return Err(Malformed("a handshake that no connection has"));
        }
        if image.path_mtu.is_some_and(|mtu| mtu < MTU_MIN) {
            return Err(Malformed("a path MTU that is never believed"));
        }
        let connection = image.connection;
        match self.flows.get(connection) {
            Some(flow) if (flow.peer, flow.handshake) != (image.peer, image.handshake) => {
                return Err(Malformed("two connections of one number"));
            }
            Some(_) => {}
            None => {
                let begun = Fact::Begun {
                    connection,
                    peer: image.peer,
                    handshake: image.handshake,
                };
                let begun = self.flows.apply(&begun);
                begun.map_err(|_| Malformed("a client that has a connection already"))?;
            }
        }
        let is_next = self
            .flows
            .restore(connection, image.acknowledged_bytes, |flow| {
                flow.is_open = image.is_open;
                flow.is_closed = image.is_closed;
                flow.received_bytes = image.received_bytes;
                flow.peer_has_closed = image.peer_has_closed;
                flow.is_end_acknowledged = image.is_end_acknowledged;
                flow.is_hung_up = image.is_hung_up;
                flow.path_mtu = image.path_mtu;
                image.is_aborted
            })
            == Some(from);
        if !is_next || image.is_aborted && !unacked.is_empty() {
            return Err(Malformed("replies that do not follow those before"));
        }
        self.flows.reply(connection, unacked);
        Ok(())
    }
}
