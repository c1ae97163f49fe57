//! What the operator asks for, through the primary's mailbox. Everything in it is a claim by the primary and is checked.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use partition::tenant::Role;
use sharedmem::hand_off::PhysicalRange;
use sharedmem::mailbox::{ARGUMENTS, Answer, Command, ImageSource};
use takeover::{Backup, BackupLoss, Event, State};

use crate::image::Source;
use crate::platform::Platform;
use crate::supervisor::Supervisor;

impl<P: Platform> Supervisor<P> {
    /// Answers the request in the mailbox, if there is one.
    pub(crate) fn answer_operator(&mut self) {
        let mailbox = &self.control.mailbox;
        let Some((number, command, arguments)) = mailbox.request() else {
            return;
        };
        match self.obey(command, arguments) {
            Ok(()) => mailbox.reply(number, Answer::Accepted, ""),
            Err(reason) => {
                log::warn!("request {number} refused: {reason}");
                mailbox.reply(number, Answer::Refused, &reason);
            }
        }
    }

    fn obey(&mut self, command: u64, arguments: [u64; ARGUMENTS]) -> Result<(), String> {
        const ARM: u64 = Command::Arm as u64;
        const DISARM: u64 = Command::Disarm as u64;
        const RETRY: u64 = Command::Retry as u64;
        const LOAD: u64 = Command::Load as u64;
        match command {
            ARM => self.rearm(arguments),
            LOAD => self.replace(arguments),
            DISARM => self.disarm(),
            RETRY => {
                self.step(self.now_ns(), Event::RetryRequested);
                Ok(())
            }
            other => Err(format!("there is no request number {other}")),
        }
    }

    /// Loads a new backup and lets it get ready on a core that the primary lends.
    fn rearm(&mut self, arguments: [u64; ARGUMENTS]) -> Result<(), String> {
        let [lent, source, ranges @ ..] = arguments;
        if !matches!(self.machine.backup(), Backup::Lost(_)) {
            return Err("there is a backup already; disarm it first".to_string());
        }
        if self.owner.is_none() {
            return Err("there is no primary".to_string());
        }
        if !self.primary_can(|it| it.lends_core) {
            return self.rearm_on_seat();
        }
        let cores = self.cores_led_by(lent)?;
        let instance = self.owner_instance.other();
        let source = source_of(source, ranges)?;
        let slot = self
            .platform
            .slot(instance)
            .ok_or("the plan has no spare slot")?;
        if let Source::Staged(parts) = source
            && !parts
                .iter()
                .all(|part| part.is_empty() || is_in(*part, slot))
        {
            return Err("the staged image is not in the spare slot".to_string());
        }
        let backup = self
            .platform
            .load(instance, Role::Backup, &source, &cores)?;
        self.set_backup(backup);
        self.step(self.now_ns(), Event::Rearmed);
        log::info!("event=arming instance={instance} core={}", cores[0]);
        Ok(())
    }

    /// Loads a backup beside a primary that lends nothing: it gets ready on the seat.
    fn rearm_on_seat(&mut self) -> Result<(), String> {
        let kinds = self.policy.kinds.both();
        let primary = kinds[self.owner_instance.index()];
        let backup = kinds[self.owner_instance.other().index()];
        if !backup
            .capabilities
            .can_be_rearmed_beside(&primary.capabilities)
        {
            return Err(format!(
                "beside a {primary} primary no {backup} can get ready"
            ));
        }
        self.load_backup();
        match self.machine.backup() {
            Backup::Lost(loss) => Err(format!("the backup is lost: {loss}")),
            Backup::Loading | Backup::Ready => Ok(()),
        }
    }

    /// Loads the image that the operator brought, in place of the backup that waits. One that cannot be used leaves that one as it is.
    fn replace(&mut self, arguments: [u64; ARGUMENTS]) -> Result<(), String> {
        let [start, bytes, ..] = arguments;
        let end = start
            .checked_add(bytes)
            .ok_or("the image ends beyond memory")?;
        let file = PhysicalRange { start, end };
        self.platform.verify_uploaded(self.owner_instance, file)?;
        if !matches!(self.machine.state(), State::Watching | State::Unprotected) {
            return Err("there is no primary that serves".to_string());
        }
        if !matches!(self.machine.backup(), Backup::Lost(_)) {
            self.lose_backup(BackupLoss::Disarmed);
        }
        let instance = self.owner_instance.other();
        self.images[instance] = self.platform.store_uploaded(instance, file)?;
        self.load_backup();
        match self.machine.backup() {
            Backup::Lost(loss) => Err(format!("the image is not used: {loss}")),
            Backup::Loading | Backup::Ready => Ok(()),
        }
    }

    /// The owner's cores, the lent one first.
    fn cores_led_by(&self, lent: u64) -> Result<Vec<u32>, String> {
        let owner = self.machine.owner_cores();
        let lent = u32::try_from(lent)
            .ok()
            .filter(|core| owner.contains(*core))
            .ok_or_else(|| format!("core {lent}: not one of the primary's, which has {owner}"))?;
        Ok([lent]
            .into_iter()
            .chain(owner.without(lent).iter())
            .collect())
    }

    fn disarm(&mut self) -> Result<(), String> {
        match self.machine.backup() {
            Backup::Ready => {
                self.lose_backup(BackupLoss::Disarmed);
                Ok(())
            }
            Backup::Loading => Err("the backup is still getting ready; try again".to_string()),
            Backup::Lost(loss) => Err(format!("there is no backup: {loss}")),
        }
    }
}

fn source_of(source: u64, ranges: [u64; ARGUMENTS - 2]) -> Result<Source, String> {
    const PRIMARY: u64 = ImageSource::Primary as u64;
    const FAILOVER: u64 = ImageSource::Failover as u64;
    const STAGED: u64 = ImageSource::Staged as u64;
    let [kernel, kernel_bytes, initrd, initrd_bytes, line, line_bytes] = ranges;
    let range = |start: u64, bytes: u64| {
        let end = start.checked_add(bytes);
        end.map(|end| PhysicalRange { start, end })
            .ok_or("the staged image ends beyond memory")
    };
    match source {
        PRIMARY => Ok(Source::Primary),
        FAILOVER => Ok(Source::Failover),
        STAGED => Ok(Source::Staged([
            range(kernel, kernel_bytes)?,
            range(initrd, initrd_bytes)?,
            range(line, line_bytes)?,
        ])),
        other => Err(format!("there is no image source number {other}")),
    }
}

fn is_in(part: PhysicalRange, slot: PhysicalRange) -> bool {
    slot.start <= part.start && part.end <= slot.end
}
