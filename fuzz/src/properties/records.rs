//! A whole record's payload that is understood is written again the same, and applying it leaves a state that can serve
//! and be written to a checkpoint. Its writer knew salt and checksum, and may have been mad.
//!
//! An input is a sequence of payloads, each behind its kind and its length.

use arbitrary::{Result, Unstructured};
use network::{Fact, Flows};
use service::{HostStatus, Input, InputRecord, Service, ServiceLimits};

use crate::round_trip;
use service::testing::RecordingHost;

const UNACKED_BYTES_MAX: usize = 8 << 10;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let mut state = State {
        service: Service::new(limits()),
        flows: Flows::new(UNACKED_BYTES_MAX),
    };
    let mut input = Unstructured::new(data);
    while !input.is_empty() && state.payload(&mut input).is_ok() {}
    let _ = state.flows.next_connection();
    round_trip::check_service(&mut state.service, &limits());
    round_trip::check_flows(&state.flows, UNACKED_BYTES_MAX);
}

fn limits() -> ServiceLimits {
    ServiceLimits {
        max_memory_bytes: 40_000,
        max_clients: 3,
        max_request_bytes: 10_000,
        max_pending_bytes: 15_000,
        ..ServiceLimits::default()
    }
}

/// The state that the records make.
struct State {
    service: Service,
    flows: Flows,
}

impl State {
    fn payload(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let [kind, length] = input.arbitrary::<[u8; 2]>()?;
        let length = usize::from(length).min(input.len());
        let payload = input.bytes(length)?;
        match kind % 4 {
            0 => self.input(payload, false),
            1 => self.input(payload, true),
            2 => self.fact(payload),
            _ => self.status(payload),
        }
        Ok(())
    }

    fn input(&mut self, payload: &[u8], is_skipped: bool) {
        let record = match InputRecord::decode(payload) {
            Ok(record) => record,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        };
        let mut again = Vec::new();
        record.encode(&mut again);
        assert_eq!(again, payload);
        match record.input {
            Input::Open { connection, .. } => self.flows.opened(connection),
            Input::Bytes { connection, bytes } => self.flows.received(connection, bytes.len()),
            Input::Close { connection } => self.flows.closed(connection),
            Input::Tick => {}
        }
        let mut host = RecordingHost::default();
        match is_skipped {
            false => self.service.apply(&record, &mut host),
            true => self.service.refuse(&record, &mut host),
        }
        for (connection, reply) in &host.replies {
            self.flows.reply(*connection, reply);
        }
        for connection in &host.hung_up {
            self.flows.hang_up(*connection);
        }
        assert!(self.service.pending_bytes() <= limits().max_pending_bytes);
    }

    fn fact(&mut self, payload: &[u8]) {
        match Fact::decode(payload) {
            Ok(fact) => {
                let mut again = Vec::new();
                fact.encode(&mut again);
                assert_eq!(again.len(), payload.len());
                assert_eq!(Fact::decode(&again), Ok(fact));
                let before = self.flows.clone();
                if let Err(error) = self.flows.apply(&fact) {
                    assert!(!error.to_string().is_empty());
                    assert_eq!(self.flows, before, "what is refused changes nothing");
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    fn status(&mut self, payload: &[u8]) {
        if let Ok(status) = HostStatus::decode(payload) {
            let mut again = Vec::new();
            status.encode(&mut again);
            assert_eq!(HostStatus::decode(&again), Ok(status));
            self.service.set_status(status);
        }
    }
}
