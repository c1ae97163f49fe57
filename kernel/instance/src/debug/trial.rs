//! The qualification of a machine (`qualify=`): a primary that dies by itself when a backup is ready.

use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use qualify::{Act, Death, Trial, View};
use service::{DebugCommand, HangTarget};
use spin::Mutex;

use crate::context::Context;

/// The service's reply to the last command.
static REPLY: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// The trial of this primary.
pub struct SelfTrial {
    trial: Trial,
    epoch: u64,
}

impl SelfTrial {
    /// Begins the trial of the primary of `epoch`; `None` if the operator wants no qualification.
    pub fn begin(context: &Context, epoch: u64) -> Option<Self> {
        let takeovers = u64::from(context.options.qualify_takeovers);
        let acknowledged = context
            .region
            .control
            .debug
            .trial_acknowledged
            .load(Ordering::Acquire);
        (takeovers > 0).then(|| Self {
            trial: Trial::new(epoch, takeovers, acknowledged),
            epoch,
        })
    }

    /// Takes the next step. Returns a command for the service, whose reply [`note_reply`] takes; dies when it is time.
    pub fn step(&mut self, context: &'static Context, is_protected: bool) -> Option<String> {
        let reply = REPLY.lock().take();
        let wrong = self.trial.wrong();
        let act = self.trial.next(&View {
            reply: reply.as_deref(),
            is_protected,
            now_ns: context.now_ns(),
        });
        let debug = &context.region.control.debug;
        debug
            .trial_acknowledged
            .store(self.trial.acknowledged(), Ordering::Release);
        debug
            .trial_wrong
            .fetch_add(self.trial.wrong() - wrong, Ordering::AcqRel);
        if self.trial.is_checked() {
            debug.trial_epoch.store(self.epoch, Ordering::Release);
        }
        match act {
            Act::Command(command) => Some(command),
            Act::Wait => None,
            Act::Die(death) => {
                super::execute(
                    context,
                    match death {
                        Death::Panic => DebugCommand::Panic,
                        Death::Hang => DebugCommand::Hang(HangTarget::ThisCore),
                        Death::Loop => DebugCommand::Hang(HangTarget::MainLoop),
                    },
                );
                None
            }
        }
    }
}

/// Takes the service's reply to a command of the trial. False if there is no trial.
pub fn note_reply(context: &Context, bytes: &[u8]) -> bool {
    let is_trial = context.options.qualify_takeovers > 0;
    if is_trial {
        *REPLY.lock() = Some(bytes.into());
    }
    is_trial
}
