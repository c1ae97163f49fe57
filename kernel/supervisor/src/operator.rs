//! What the operator asks for, through the primary's mailbox. Everything in it is a claim by the primary and is
//! checked.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sharedmem::Role;
use sharedmem::event::Arming;
use sharedmem::hand_off::PhysicalRange;
use sharedmem::mailbox::{ARGUMENTS, Answer, Command, ImageSource};
use takeover::{Backup, BackupLoss, Event, State};

use crate::image::{LoadRequest, Source};
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::supervisor::Supervisor;

impl<P: Platform> Supervisor<P> {
    /// Answers the request in the mailbox, if there is one.
    pub(crate) fn answer_operator(&mut self) {
        let mailbox = &self.control.mailbox;
        let Some((number, command, arguments)) = mailbox.request() else {
            return;
        };
        match self.obey(command, arguments) {
            Ok(text) => mailbox.reply(number, Answer::Accepted, &text),
            Err(reason) => {
                log::warn!("request {number} refused: {reason}");
                mailbox.reply(number, Answer::Refused, &reason.to_string());
            }
        }
        self.known_words.wrote("answered", number);
    }

    /// Does what is asked for. Returns what was asked to be told.
    fn obey(
        &mut self,
        command: u64,
        arguments: [u64; ARGUMENTS],
    ) -> Result<String, Refusal<P::Refusal>> {
        match Command::from_number(command) {
            Some(Command::Arm) => self.rearm(arguments)?,
            Some(Command::Load) => self.replace(arguments)?,
            Some(Command::Disarm) => self.disarm()?,
            Some(Command::Retry) => self.step(self.now_ns(), Event::RetryRequested),
            Some(Command::Compute) => {
                return self.slices.obey(&arguments).map_err(Refusal::Compute);
            }
            None => return Err(Refusal::UnknownRequest(command)),
        }
        Ok(String::new())
    }

    /// Loads a new backup and lets it get ready on a core that the primary lends.
    fn rearm(&mut self, arguments: [u64; ARGUMENTS]) -> Result<(), Refusal<P::Refusal>> {
        let [lent, source, ranges @ ..] = arguments;
        if !matches!(self.machine.backup(), Backup::Lost(_)) {
            return Err(Refusal::BackupPresent);
        }
        if self.primary.is_none() {
            return Err(Refusal::NoPrimary);
        }
        if !self.primary_can(|it| it.lends_core) {
            return self.rearm_on_seat();
        }
        let cores = self.cores_led_by(lent)?;
        let instance = self.primary_instance.other();
        let source = source_of(source, ranges)?;
        let slot = self.platform.slot(instance).ok_or(Refusal::NoSpareSlot)?;
        if let Source::Staged(parts) = source
            && !parts
                .iter()
                .all(|part| part.is_empty() || is_in(*part, slot))
        {
            return Err(Refusal::StagedOutside);
        }
        let request = LoadRequest {
            instance,
            role: Role::Backup,
            source,
            cores: &cores,
        };
        let backup = self.platform.load(&request).map_err(Refusal::Image)?;
        self.set_backup(backup);
        self.step(self.now_ns(), Event::Rearmed);
        let arming = Arming {
            instance,
            core: Some(cores[0]),
            heap_bytes: None,
        };
        log::info!("{arming}");
        Ok(())
    }

    /// Loads a backup beside a primary that lends nothing: it gets ready on the seat.
    fn rearm_on_seat(&mut self) -> Result<(), Refusal<P::Refusal>> {
        let kinds = self.policy.kinds.both();
        let primary = kinds[self.primary_instance.index()];
        let backup = kinds[self.primary_instance.other().index()];
        if !backup
            .capabilities
            .can_be_rearmed_beside(&primary.capabilities)
        {
            return Err(Refusal::Kinds(primary, backup));
        }
        self.load_backup();
        match self.machine.backup() {
            Backup::Lost(loss) => Err(Refusal::BackupLost(loss)),
            Backup::Loading | Backup::Ready => Ok(()),
        }
    }

    /// Loads the image that the operator uploaded, in place of the backup that waits. One that cannot be used leaves
    /// that one as it is.
    fn replace(&mut self, arguments: [u64; ARGUMENTS]) -> Result<(), Refusal<P::Refusal>> {
        let [start, bytes, ..] = arguments;
        let end = start.checked_add(bytes).ok_or(Refusal::UploadTooHigh)?;
        let file = PhysicalRange { start, end };
        self.platform
            .verify_uploaded(self.primary_instance, file)
            .map_err(Refusal::Image)?;
        if !matches!(self.machine.state(), State::Watching | State::Unprotected) {
            return Err(Refusal::NotServing);
        }
        if !matches!(self.machine.backup(), Backup::Lost(_)) {
            self.lose_backup(BackupLoss::Disarmed);
        }
        let instance = self.primary_instance.other();
        let stored = self.platform.store_uploaded(instance, file);
        self.images[instance] = stored.map_err(Refusal::Image)?;
        self.load_backup();
        match self.machine.backup() {
            Backup::Lost(loss) => Err(Refusal::ImageLost(loss)),
            Backup::Loading | Backup::Ready => Ok(()),
        }
    }

    /// Returns the primary's cores, the lent one first.
    fn cores_led_by(&self, lent: u64) -> Result<Vec<u32>, Refusal<P::Refusal>> {
        let primary = self.machine.primary_cores();
        let lent = u32::try_from(lent)
            .ok()
            .filter(|core| primary.contains(*core))
            .ok_or(Refusal::NotACore(lent, primary))?;
        Ok([lent]
            .into_iter()
            .chain(primary.without(lent).iter())
            .collect())
    }

    fn disarm(&mut self) -> Result<(), Refusal<P::Refusal>> {
        match self.machine.backup() {
            Backup::Ready => {
                self.lose_backup(BackupLoss::Disarmed);
                Ok(())
            }
            Backup::Loading => Err(Refusal::BackupLoading),
            Backup::Lost(loss) => Err(Refusal::NoBackup(loss)),
        }
    }
}

fn source_of<R>(source: u64, ranges: [u64; ARGUMENTS - 2]) -> Result<Source, Refusal<R>> {
    let [kernel, kernel_bytes, initrd, initrd_bytes, line, line_bytes] = ranges;
    let range = |start: u64, bytes: u64| {
        let end = start.checked_add(bytes);
        end.map(|end| PhysicalRange { start, end })
            .ok_or(Refusal::StagedTooHigh)
    };
    match ImageSource::from_number(source) {
        Some(ImageSource::Primary) => Ok(Source::Primary),
        Some(ImageSource::Failover) => Ok(Source::Failover),
        Some(ImageSource::Staged) => Ok(Source::Staged([
            range(kernel, kernel_bytes)?,
            range(initrd, initrd_bytes)?,
            range(line, line_bytes)?,
        ])),
        None => Err(Refusal::UnknownSource(source)),
    }
}

fn is_in(part: PhysicalRange, slot: PhysicalRange) -> bool {
    slot.start <= part.start && part.end <= slot.end
}
