//! What the operator asks of the monitor, through the mailbox, and what that answers. One request at a time.

use alloc::format;
use alloc::vec::Vec;

use service::{OperatorCommand, Sentence};
use sharedmem::abi::DIRECT_BASE;
use sharedmem::linux::{ARGUMENTS, Answer, Command};
use spin::Mutex;

use crate::context::Context;

/// What is told of the requests to this kernel.
#[derive(Clone, Copy)]
pub struct Said {
    /// How many there were.
    pub requests: u32,
    /// The answer to the last one; empty as long as there is none.
    pub answer: Sentence,
}

struct PendingRequest {
    /// The number of the request that waits for its answer.
    asked: Option<u64>,
    /// The image that the monitor is to load. It stays here until the answer.
    image: Vec<u8>,
    requests: u32,
    answer: Sentence,
}

static PENDING: Mutex<Option<PendingRequest>> = Mutex::new(None);

/// Asks for something.
pub fn ask(context: &Context, command: OperatorCommand<'_>) {
    let mut pending = PENDING.lock();
    let pending = pending.get_or_insert_with(|| PendingRequest {
        asked: None,
        image: Vec::new(),
        requests: 0,
        answer: Sentence::default(),
    });
    pending.requests += 1;
    if pending.asked.is_some() {
        pending.answer = "refused: another request is under way".into();
        return;
    }
    pending.answer = Sentence::default();
    let mut arguments = [0; ARGUMENTS];
    let command = match command {
        OperatorCommand::Load { image } => {
            let mut copy = Vec::new();
            if copy.try_reserve_exact(image.len()).is_err() {
                pending.answer = "refused: no memory for the image".into();
                return;
            }
            copy.extend_from_slice(image);
            pending.image = copy;
            arguments[0] = pending.image.as_ptr() as u64 - DIRECT_BASE;
            arguments[1] = pending.image.len() as u64;
            Command::Load
        }
        OperatorCommand::Arm => Command::Arm,
        OperatorCommand::Disarm => Command::Disarm,
        OperatorCommand::Retry => Command::Retry,
    };
    pending.asked = Some(context.region.control.mailbox.ask(command, arguments));
}

/// Looks for the answer.
pub fn look(context: &Context) {
    let mut pending = PENDING.lock();
    let Some(pending) = pending.as_mut() else {
        return;
    };
    let answer = pending
        .asked
        .and_then(|number| context.region.control.mailbox.answer(number));
    if let Some((answer, text)) = answer {
        pending.answer = match answer {
            Answer::Accepted => "accepted".into(),
            Answer::Refused => format!("refused: {}", text.as_str()).as_str().into(),
        };
        log::info!("event=operator answer=\"{}\"", pending.answer);
        pending.asked = None;
        pending.image = Vec::new();
    }
}

/// What there is to tell.
pub fn said() -> Said {
    let pending = PENDING.lock();
    Said {
        requests: pending.as_ref().map_or(0, |pending| pending.requests),
        answer: pending
            .as_ref()
            .map_or(Sentence::default(), |pending| pending.answer),
    }
}
