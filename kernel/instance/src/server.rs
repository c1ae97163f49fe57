//! The primary's life: adopt the devices, recover, serve.
//!
//! One round of the main loop: frames in, what they bring into the journal, committed and applied, replies out; then, and only while the
//! machine is in this instance's epoch, the gate opens.

use alloc::string::String;
use alloc::vec::Vec;

use arch::cpu;
use journal::AppendError;
use service::{ConnectionId, DebugCommand, Host, HostStatus, Input};
use sharedmem::abi::SeatStatus;
use sharedmem::hand_off::HandOff;
use takeover::timeline::Edge;
use web::Recovered;

use crate::console::SerialConsole;
use crate::context::{self, Context};
use crate::cores::{self, LEAD};
use crate::devices::disk::IncidentDisk;
use crate::keepalive::{self, Protection, SeatWatch};
use crate::network::{Event, Network, Outbox, Site};
use crate::replica::{Replica, SharedJournal};
use crate::report::Report;
use crate::script::{CONSOLE_CONNECTION, Script};
use crate::seat::Standby;
use crate::{death, devices, faults, report, seat, status};

/// Interval of the expiry's records when something may expire, in ms: a time to live is kept to about this.
const EXPIRY_INTERVAL_MS: u64 = 100;

/// The primary of the machine.
pub struct Server {
    context: &'static Context,
    epoch: u64,
    network: Network,
    disk: Option<IncidentDisk>,
    console: SerialConsole,
    script: Script,
    journal: JournaledService,
    report: Option<Report>,
    recovered: Recovered,
    last_tick_ms: u64,
}

/// The service behind its journal.
struct JournaledService {
    context: &'static Context,
    epoch: u64,
    replica: Replica,
    seat: SeatWatch,
    entropy: u64,
}

/// Starts cold: the first primary.
pub fn start(hand_off: &'static HandOff) -> SeatStatus {
    match context::init(hand_off) {
        Ok(context) => serve(context, Standby::new(context)),
        // Nobody can be told but by what is not said: no keepalive will come.
        Err(reason) => {
            log::error!("cannot start: {reason}");
            cpu::stop()
        }
    }
}

/// Takes the machine over, as the monitor has fenced its owner.
pub fn promote() -> SeatStatus {
    match seat::take() {
        Some(standby) => serve(context::get(), standby),
        None => SeatStatus::Failed,
    }
}

/// Becomes the owner and serves for ever.
fn serve(context: &'static Context, standby: Standby) -> ! {
    let epoch = context.region.control.epoch.current();
    keepalive::begin(epoch);
    // SAFETY: this is the lead's first entry as an owner, with interrupts off.
    if let Err(reason) = unsafe { cores::take_over(context, LEAD) } {
        death::boot_failed(reason);
    }
    keepalive::send();
    x86_64::instructions::interrupts::enable();
    let mut server = Server::adopt(context, epoch, standby);
    loop {
        server.round();
    }
}

impl Server {
    /// Devices, recovery, and the first moment of service.
    fn adopt(context: &'static Context, epoch: u64, standby: Standby) -> Self {
        let Standby {
            mut replica,
            mut network,
        } = standby;
        let stamp = |edge: Edge| report::stamp(context, epoch, edge);
        let card = devices::adopt_network(context, network.nic_mut());
        stamp(Edge::DevicesAdopted);
        let recovered = replica.recover(epoch);
        stamp(Edge::Replayed);
        match card {
            Ok(mac) => network.start(mac, replica.last_connection() + 1),
            Err(reason) => log::error!("no network: {reason}"),
        }
        stamp(Edge::Serving);
        Self {
            context,
            epoch,
            network,
            disk: None,
            console: SerialConsole::not_yet(),
            script: Script::new(context),
            journal: JournaledService {
                context,
                epoch,
                replica,
                seat: SeatWatch::new(context),
                entropy: context.hand_off.entropy,
            },
            report: Some(Report::new(recovered.clone())),
            recovered,
            last_tick_ms: 0,
        }
    }

    /// What was not in a hurry: after the first round, the clients of the dead primary are told, and console and disk are adopted.
    fn settle(&mut self, report: Report) {
        let strangers: Vec<_> = self
            .journal
            .replica
            .peers()
            .filter(|(id, _)| *id != CONSOLE_CONNECTION && !self.network.is_open(*id))
            .collect();
        self.network
            .reset_strangers(strangers.iter().map(|(_, peer)| *peer));
        for (connection, _) in strangers {
            self.submit(Input::Close { connection });
        }
        self.console = SerialConsole::adopt(self.context);
        self.disk = devices::adopt_disk(self.context);
        report.tell(self.context, self.epoch, self.disk.as_mut());
    }

    /// One round of the main loop.
    fn round(&mut self) {
        let core = cores::core(LEAD);
        core.advance();
        let now_ns = self.context.now_ns();
        let more = self.network.ingress(now_ns);
        self.take_input();
        self.take_script();
        self.take_typing();
        self.expire();
        self.serve_page();
        self.network.egress(self.context.now_ns());
        self.release();
        if let Some(report) = self.report.take() {
            self.settle(report);
        }
        self.journal.seat.report(self.context);
        let printing = self.console.pump(self.context);
        let (network, script, context) = (&mut self.network, &self.script, self.context);
        cpu::wait_unless(|| {
            more || printing
                || network.has_work(context.now_ns())
                || script.is_due(context.now_ns())
        });
    }

    /// Opens the gate, if the machine is still ours.
    fn release(&mut self) {
        let word = &self.context.region.control.epoch;
        if !word.is_owned_by(self.epoch) {
            self.network.nic_mut().discard();
            death::superseded(word.current());
        }
        if self.network.release() > 0 && self.network.has_replied() {
            report::first_reply(self.context, self.epoch);
        }
    }

    /// Journals and applies what came in by the network.
    fn take_input(&mut self) {
        let Self {
            network, journal, ..
        } = self;
        network.events(|event, outbox| match event {
            Event::Opened(connection, peer) => {
                journal.submit(Input::Open { connection, peer }, outbox)
            }
            Event::Bytes(connection, bytes) => {
                journal.submit(Input::Bytes { connection, bytes }, outbox)
            }
            Event::Closed(connection) => journal.submit(Input::Close { connection }, outbox),
        });
    }

    /// Answers who asks for the status page.
    fn serve_page(&mut self) {
        let Self {
            network,
            journal,
            context,
            recovered,
            ..
        } = self;
        let (replica, seat) = (&journal.replica, &journal.seat);
        let status = || status::page(context, seat, replica.journal(), recovered);
        let mut site = Site {
            records: replica.records(),
            answer: &mut |bytes| web::answer(bytes, replica.records(), status),
        };
        network.serve_page(context.now_ns(), &mut site);
    }

    /// Runs what the script has for this moment.
    fn take_script(&mut self) {
        while let Some(command) = self.script.next_due(self.context) {
            log::info!("event=exec command=\"{command}\"");
            self.run_on_console(&command);
        }
    }

    /// Runs the lines that somebody typed on the serial console.
    fn take_typing(&mut self) {
        while let Some(line) = self.console.read_line() {
            self.run_on_console(&line);
        }
    }

    /// A command from the console: an inline command on a connection of its own.
    fn run_on_console(&mut self, command: &str) {
        if !self
            .journal
            .replica
            .peers()
            .any(|(id, _)| id == CONSOLE_CONNECTION)
        {
            self.submit(Input::Open {
                connection: CONSOLE_CONNECTION,
                peer: [0; 6],
            });
        }
        let mut line = String::with_capacity(command.len() + 2);
        line.push_str(command);
        line.push_str("\r\n");
        self.submit(Input::Bytes {
            connection: CONSOLE_CONNECTION,
            bytes: line.as_bytes(),
        });
    }

    /// Lets keys expire whose time has come.
    fn expire(&mut self) {
        let now_ms = self.context.now_ns() / 1_000_000;
        let is_due = self
            .journal
            .replica
            .service()
            .next_expiry_ms()
            .is_some_and(|due| due <= now_ms);
        if is_due && now_ms >= self.last_tick_ms + EXPIRY_INTERVAL_MS {
            self.last_tick_ms = now_ms;
            self.submit(Input::Tick);
        }
    }

    fn submit(&mut self, input: Input<'_>) {
        self.network
            .with_outbox(|outbox| self.journal.submit(input, outbox));
    }
}

impl JournaledService {
    /// Commits `input`, then applies it. A record there is no room for waits for the backup as long as the backup lives.
    fn submit(&mut self, input: Input<'_>, outbox: &mut Outbox<'_>) {
        self.entropy = self
            .entropy
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(self.context.clock_ticks() | 1);
        let stamp = self
            .replica
            .stamp(self.context.now_ns() / 1_000_000, self.entropy);
        let end = loop {
            match self.replica.commit(self.epoch, stamp, input) {
                Ok(end) => break end,
                Err(AppendError::Full { .. }) => self.make_room(),
                // The room is the backup's to give. One that scribbles on it is given up, and the journal goes on without it.
                Err(error @ AppendError::CursorsCorrupt { .. }) => {
                    self.go_on_without_backup(&error)
                }
                Err(error) => panic!("the journal cannot be written: {error}"),
            }
        };
        let journal = self.replica.journal();
        let mut host = LiveHost {
            context: self.context,
            journal,
            seat: &mut self.seat,
            outbox,
        };
        self.replica.apply(stamp, input, end, &mut host);
        if !self.is_followed() {
            self.replica.journal().mark_consumed(end);
        }
    }

    /// What the backup has written cannot be believed: it is given up.
    fn go_on_without_backup(&mut self, error: &AppendError) {
        cores::core(LEAD).advance();
        if self.context.region.control.protection.drop_backup() {
            log::error!("{error}: the backup is given up, and the journal goes on without it");
        }
        if !self.is_followed() {
            let journal = self.replica.journal();
            journal.mark_consumed(journal.cursors().applied);
        }
    }

    /// Whether a backup, alive or silent, may still need the journal. A parked Linux never reads it.
    fn is_followed(&self) -> bool {
        use sharedmem::protection::ProtectionState::{Armed, Claimed};
        let control = self.context.region.control;
        let is_armed = matches!(control.protection.state(), Armed | Claimed);
        let other = 1 - self.context.hand_off.instance as usize % control.linux.len();
        is_armed && control.linux[other].ticket().is_none()
    }

    /// The journal is full. Waits a little for the backup; gives up one that is dead.
    fn make_room(&mut self) {
        cores::core(LEAD).advance();
        let control = self.context.region.control;
        if !control.epoch.is_owned_by(self.epoch) {
            death::superseded(control.epoch.current());
        }
        if !self.is_followed() {
            let journal = self.replica.journal();
            journal.mark_consumed(journal.cursors().applied);
        } else if self.seat.look(self.context) != Protection::Protected
            && control.protection.drop_backup()
        {
            log::error!(
                "the journal is full and the backup silent: it is given up, and the journal goes on without it"
            );
        }
        core::hint::spin_loop();
    }
}

/// The world as the service of a primary sees it.
struct LiveHost<'a, 'b> {
    context: &'static Context,
    journal: SharedJournal,
    seat: &'a mut SeatWatch,
    outbox: &'a mut Outbox<'b>,
}

impl Host for LiveHost<'_, '_> {
    fn reply(&mut self, connection: ConnectionId, bytes: &[u8]) {
        // Replies are handed over in pieces, so this is progress however long they are.
        cores::core(LEAD).advance();
        if connection == CONSOLE_CONNECTION {
            report::console_reply(self.context, bytes);
        } else {
            self.outbox.reply(connection, bytes);
        }
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        self.outbox.hang_up(connection);
    }

    fn debug(&mut self, command: DebugCommand) {
        faults::inject(self.context, command);
    }

    fn status(&self) -> HostStatus {
        status::of(self.context, self.seat, self.journal)
    }

    fn progress(&mut self) {
        cores::core(LEAD).advance();
    }
}
