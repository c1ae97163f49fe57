//! The instance as the primary: it adopts the devices, recovers, and serves.
//!
//! In each round of the main loop it takes frames in, journals what they bring, applies it, and emits replies. Then the
//! gate opens, but only while the machine is in this instance's epoch.

use alloc::string::String;

use arch::cpu;
use journal::RecoverySummary;
use network::Network;
use replica::{Host, Inherited, JournaledService};
use service::{CONSOLE, Input};
use sharedmem::abi::SeatStatus;
use sharedmem::epitaph::EpitaphText;
use sharedmem::hand_off::HandOff;
use sharedmem::timeline::Edge;

use crate::console::PrimaryConsole;
use crate::context::{self, Context};
use crate::cores::{self, LEAD};
use crate::debug::trial::SelfTrial;
use crate::debug::{self, Point};
use crate::devices::disk::IncidentDisk;
use crate::devices::gate::Gate;
use crate::liveness::Liveness;
use crate::lone_primary::LonePrimary;
use crate::page::{PageSockets, ReplySource};
use crate::standby::Standby;
use crate::{
    bringup, checks, death, devices, epoch, keepalive, nmis, operator, report, standby, status,
};

/// Interval of the records that let keys expire, in ms. A time to live is kept to about this precision.
const EXPIRY_INTERVAL_MS: u64 = 10;

/// Most commands of the console in one round of the main loop.
const COMMANDS_PER_ROUND: usize = 64;

/// The primary of the machine.
pub struct Server {
    context: &'static Context,
    epoch: u64,
    network: Network<Gate>,
    page: Option<PageSockets>,
    has_replied: bool,
    disk: Option<IncidentDisk>,
    console: PrimaryConsole,
    journal: JournaledService<&'static Context>,
    /// Whether [`settle`](Self::settle) was called.
    is_settled: bool,
    /// What was found in the journal.
    recovered: RecoverySummary,
    /// What the dead primary left, if it left something.
    epitaph: Option<EpitaphText>,
    last_tick_ms: u64,
    liveness: Liveness,
    lone: LonePrimary,
    trial: Option<SelfTrial>,
}

/// Starts cold, as the first primary.
pub fn start(hand_off: &'static HandOff) -> SeatStatus {
    match context::init(hand_off) {
        Ok(context) => serve(context, Standby::new(context)),
        // Missing keepalives are the only possible report.
        Err(reason) => {
            log::error!("cannot start: {reason}");
            cpu::stop()
        }
    }
}

/// Takes the machine over, after the monitor has fenced the dead primary.
pub fn promote() -> SeatStatus {
    match standby::take() {
        Some(standby) => serve(context::get(), standby),
        None => SeatStatus::Failed,
    }
}

/// Becomes the primary and serves for ever.
fn serve(context: &'static Context, standby: Standby) -> ! {
    let epoch = context.region.control.epoch.current();
    epoch::begin(epoch);
    // SAFETY: this is the lead's first entry as the primary, with interrupts off.
    if let Err(reason) = unsafe { bringup::set_up(context, LEAD) } {
        death::boot_failed(reason);
    }
    // Reads the epitaph before the first keepalive: after it, the monitor may load the dead instance again, which
    // overwrites the epitaph.
    let epitaph = report::predecessors_epitaph(context, epoch);
    keepalive::send();
    x86_64::instructions::interrupts::enable();
    debug::at(context, Point::Promotion);
    let mut server = Server::adopt(context, epoch, standby, epitaph);
    loop {
        server.round();
    }
}

impl Server {
    /// Adopts the network card, recovers the state, and begins to serve.
    fn adopt(
        context: &'static Context,
        epoch: u64,
        standby: Standby,
        epitaph: Option<EpitaphText>,
    ) -> Self {
        let Standby {
            mut replica,
            mut network,
            page,
        } = standby;
        let stamp = |edge: Edge| report::stamp(context, epoch, edge);
        let card = devices::adopt_network(context, network.device_mut());
        stamp(Edge::DevicesAdopted);
        let recovered = replica.recover(epoch);
        stamp(Edge::Replayed);
        let inherited = Inherited {
            is_damaged: recovered.finding_count > 0,
            predecessor: epitaph.as_ref().and_then(|epitaph| epitaph.cause),
        };
        let journal = JournaledService::new(context, epoch, replica, inherited);
        match card {
            Ok(mac) => network.start(mac.0, &journal),
            Err(reason) => log::error!("no network: {reason}"),
        }
        let liveness = Liveness::new(context, epitaph.as_ref(), card.err());
        stamp(Edge::Serving);
        Self {
            context,
            epoch,
            network,
            page,
            has_replied: false,
            disk: None,
            console: PrimaryConsole::new(context),
            journal,
            is_settled: false,
            recovered,
            epitaph,
            last_tick_ms: 0,
            liveness,
            lone: LonePrimary::begin(context),
            trial: SelfTrial::begin(context, epoch),
        }
    }

    /// Does what can wait until after the first round: gives the card the rest of its buffers, adopts console and disk,
    /// and reports.
    fn settle(&mut self) {
        self.is_settled = true;
        self.network.device_mut().deepen();
        self.console.adopt_serial_port(self.context);
        self.disk = devices::adopt_disk(self.context);
        let epitaph = self.epitaph.as_ref();
        let disk = self.disk.as_mut();
        report::serving(self.context, self.epoch, &self.recovered, epitaph, disk);
    }

    /// Does one round of the main loop, and sleeps if there is nothing more to do.
    fn round(&mut self) {
        let core = cores::core(LEAD);
        core.advance();
        let now_ns = self.context.now_ns();
        let is_lone = self.lone.look(self.context, now_ns);
        // A primary that is about to hand over takes nothing in: clients send it again to the successor.
        let is_leaving = is_lone || self.journal.is_leaving(now_ns);
        let more = !is_leaving && self.network.ingress(now_ns, &mut self.journal);
        self.network.report(now_ns, &mut self.journal);
        self.run_commands();
        self.run_trial();
        self.expire();
        self.liveness
            .check(self.context, &mut self.network, &mut self.journal);
        self.serve_page();
        let more = self.journal.write_checkpoint() || more;
        self.network
            .egress(self.context.now_ns(), &mut self.journal);
        self.release();
        let has_drained = self.network.device().is_empty();
        if is_lone {
            let is_printed = !self.console.pump(self.context);
            self.lone
                .leave(self.context, has_drained && is_printed, now_ns);
        } else if is_leaving && has_drained && self.journal.is_backup_level() {
            death::hand_over();
        }
        if !self.is_settled {
            self.settle();
        }
        checks::report();
        nmis::report();
        self.journal.backup.report(&self.context);
        operator::poll(self.context);
        let more = self.console.pump(self.context) || more;
        self.sleep_unless(more);
    }

    /// Sleeps until an interrupt, unless `more` is true or something is due.
    fn sleep_unless(&mut self, more: bool) {
        let (network, console, context) = (&mut self.network, &self.console, self.context);
        cpu::wait_unless(|| {
            let now_ns = context.now_ns();
            more || network.device().has_received()
                || network
                    .due_ns(now_ns)
                    .is_some_and(|due_ns| due_ns <= now_ns)
                || console.is_script_due(now_ns)
        });
    }

    /// Opens the gate, or dies if another instance has taken the machine over.
    fn release(&mut self) {
        let is_owner = self.journal.is_primary();
        let Ok(released) = self.network.device_mut().release(is_owner) else {
            death::superseded(self.context.region.control.epoch.current());
        };
        if let Some(complaint) = self.network.take_complaint() {
            log::error!("a connection is lost: {complaint}");
        }
        if let Some(report) = self.network.take_rebuild_report() {
            report::sockets_rebuilt(self.epoch, report);
        }
        let has_replied = self.has_replied || self.network.has_replied();
        if released > 0 && has_replied {
            report::first_reply(self.context, self.epoch);
        }
    }

    /// Answers requests for the status page.
    fn serve_page(&mut self) {
        let Self {
            network,
            journal,
            context,
            recovered,
            epitaph,
            ..
        } = self;
        let Some(page) = &mut self.page else { return };
        let (replica, backup, state_fault) =
            (&journal.replica, &journal.backup, journal.state_fault());
        let status = || {
            status::page(
                context,
                backup,
                state_fault,
                replica.journal(),
                recovered,
                epitaph.clone(),
            )
        };
        let mut source = ReplySource {
            records: replica.records(),
            answer: &mut |bytes| web::answer(bytes, replica.records(), status),
        };
        self.has_replied |= page.serve(network.listeners(), context.now_ns(), &mut source);
    }

    /// Runs the commands that have come in on the console.
    fn run_commands(&mut self) {
        // A few at a time: a port that is broken may have always more.
        for _ in 0..COMMANDS_PER_ROUND {
            let Some(command) = self.console.next_command(self.context) else {
                return;
            };
            self.run_command(&command);
        }
    }

    /// Takes the trial as far as it goes now.
    fn run_trial(&mut self) {
        loop {
            let is_protected = self.journal.backup.is_protected();
            let trial = self.trial.as_mut();
            let Some(command) = trial.and_then(|it| it.step(self.context, is_protected)) else {
                return;
            };
            self.run_command(&command);
        }
    }

    /// Submits a command of the console: an inline command on a connection of its own.
    fn run_command(&mut self, command: &str) {
        if !self.journal.replica.service().is_open(CONSOLE) {
            self.journal.submit(Input::Open {
                connection: CONSOLE,
                peer: [0; 6],
            });
        }
        let mut line = String::with_capacity(command.len() + 2);
        line.push_str(command);
        line.push_str("\r\n");
        self.journal.submit(Input::Bytes {
            connection: CONSOLE,
            bytes: line.as_bytes(),
        });
    }

    /// Submits a record that lets keys expire, if a key's time has come.
    fn expire(&mut self) {
        let now_ms = self.context.service_ms(self.context.now_ns());
        let is_due = self
            .journal
            .replica
            .service()
            .next_expiry_ms()
            .is_some_and(|due| due <= now_ms);
        if is_due && now_ms >= self.last_tick_ms + EXPIRY_INTERVAL_MS {
            self.last_tick_ms = now_ms;
            self.journal.submit(Input::Tick);
        }
    }
}
