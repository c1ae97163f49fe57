//! Whether anybody is served: a main loop that goes round is no proof of it.
//!
//! The service answers canaries (`replica::canary`), and the network card is checked (`health`). A primary that finds
//! that it serves nobody dies while a backup can take over; the successor resets the card. Otherwise it resets the card
//! itself. A primary whose own state is not what it should be says so, and dies if `failover_diverged=takeover`.

use core::fmt::Display;

use health::Remedy;
use network::Network;
use partition::cmdline::OnDivergence;
use replica::{Host, JournaledService};
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use sharedmem::event::{NotServing, Text};

use crate::context::Context;
use crate::devices::error::DeviceError;
use crate::devices::gate::Gate;
use crate::{death, devices};

/// Time between two checks of the network card, in ns.
const CHECK_INTERVAL_NS: u64 = 25_000_000;
/// Time between two attempts to repair something, and between two reports of the same, in ns.
const REPAIR_INTERVAL_NS: u64 = 1_000_000_000;

/// What a primary knows of its own liveness.
pub struct Liveness {
    began_ns: u64,
    /// What the predecessor died of.
    predecessors_cause: Option<EpitaphCause>,
    check_due_ns: u64,
    report_due_ns: u64,
    /// Why the card is not driven.
    card_error: Option<DeviceError>,
    /// Whether the network was started on a card.
    is_network_started: bool,
}

impl Liveness {
    /// Begins. `epitaph` is what the predecessor left, `card` how the adoption of the card ended.
    pub fn new(
        context: &Context,
        epitaph: Option<&EpitaphText>,
        card_error: Option<DeviceError>,
    ) -> Self {
        let began_ns = context.now_ns();
        Self {
            began_ns,
            predecessors_cause: epitaph.and_then(|epitaph| epitaph.cause),
            check_due_ns: began_ns + CHECK_INTERVAL_NS,
            report_due_ns: 0,
            is_network_started: card_error.is_none(),
            card_error,
        }
    }

    /// Checks service and card, as far as that is due. Dies if nobody is served and a backup can take over.
    pub fn check(
        &mut self,
        context: &'static Context,
        network: &mut Network<Gate>,
        journal: &mut JournaledService<&'static Context>,
    ) {
        if let Err(error) = journal.check_service() {
            self.decide(context, journal, EpitaphCause::Service, error);
        }
        self.check_state(context, journal);
        let now_ns = context.now_ns();
        if now_ns < self.check_due_ns {
            return;
        }
        self.check_due_ns = now_ns + CHECK_INTERVAL_NS;
        match (self.card_error, network.device_mut().check(now_ns)) {
            // A machine without a card is served by its console alone.
            (None, Ok(())) | (Some(DeviceError::Missing), _) => return,
            (Some(error), _) => self.decide(context, journal, EpitaphCause::Device, error),
            (None, Err(fault)) => self.decide(context, journal, EpitaphCause::Device, fault),
        }
        self.reset_card(context, network, journal);
    }

    /// Dies, or returns if the primary has to serve on.
    fn decide(
        &mut self,
        context: &'static Context,
        journal: &JournaledService<&'static Context>,
        cause: EpitaphCause,
        reason: impl Display,
    ) {
        let now_ns = context.now_ns();
        let causes = [EpitaphCause::Service, EpitaphCause::Device];
        let dies = self.remedy(context, journal, &causes) == Remedy::Die;
        if dies || now_ns >= self.report_due_ns {
            self.report_due_ns = now_ns + REPAIR_INTERVAL_NS;
            let not_serving = NotServing {
                cause,
                dies,
                reason: Text::of(&reason),
            };
            log::error!("{not_serving}");
        }
        if dies {
            death::for_cause(cause, reason);
        }
    }

    /// Chooses what to do about a fault, of which a predecessor would have died with one of `causes`.
    fn remedy(
        &self,
        context: &Context,
        journal: &JournaledService<&'static Context>,
        causes: &[EpitaphCause],
    ) -> Remedy {
        let died_of_it = (self.predecessors_cause).is_some_and(|cause| causes.contains(&cause));
        let served_ns = context.now_ns().saturating_sub(self.began_ns);
        Remedy::choose(journal.backup.is_protected(), died_of_it, served_ns)
    }

    /// Checks the state, as far as that is due. If it is not what it should be, dies if the operator wants that and a
    /// backup can take over.
    fn check_state(&self, context: &Context, journal: &mut JournaledService<&'static Context>) {
        let gives_up = context.options.failover_diverged == OnDivergence::Takeover;
        let Some(fault) = journal.check_state(gives_up).filter(|_| gives_up) else {
            return;
        };
        let cause = EpitaphCause::State;
        if self.remedy(context, journal, &[cause]) == Remedy::Die {
            death::for_cause(cause, fault);
        }
    }

    /// Resets the card and adopts it anew. Connections go on.
    fn reset_card(
        &mut self,
        context: &'static Context,
        network: &mut Network<Gate>,
        journal: &JournaledService<&'static Context>,
    ) {
        context.advance();
        network.device_mut().detach();
        match devices::adopt_network(context, network.device_mut()) {
            Ok(mac) => {
                if !self.is_network_started {
                    network.start(mac.0, journal);
                }
                self.is_network_started = true;
                self.card_error = None;
                network.device_mut().deepen();
            }
            Err(error) => self.card_error = Some(error),
        }
        self.check_due_ns = context.now_ns() + REPAIR_INTERVAL_NS;
    }
}
