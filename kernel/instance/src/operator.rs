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

struct Desk {
    /// The number of the request that waits for its answer.
    asked: Option<u64>,
    /// The image that the monitor is to load. It stays here until the answer.
    image: Vec<u8>,
    requests: u32,
    answer: Sentence,
}

static DESK: Mutex<Option<Desk>> = Mutex::new(None);

/// Asks for something.
pub fn ask(context: &Context, command: OperatorCommand<'_>) {
    let mut desk = DESK.lock();
    let desk = desk.get_or_insert_with(|| Desk {
        asked: None,
        image: Vec::new(),
        requests: 0,
        answer: Sentence::default(),
    });
    desk.requests += 1;
    if desk.asked.is_some() {
        desk.answer = "refused: another request is under way".into();
        return;
    }
    desk.answer = Sentence::default();
    let mut arguments = [0; ARGUMENTS];
    let command = match command {
        OperatorCommand::Load { image } => {
            let mut copy = Vec::new();
            if copy.try_reserve_exact(image.len()).is_err() {
                desk.answer = "refused: no memory for the image".into();
                return;
            }
            copy.extend_from_slice(image);
            desk.image = copy;
            arguments[0] = desk.image.as_ptr() as u64 - DIRECT_BASE;
            arguments[1] = desk.image.len() as u64;
            Command::Load
        }
        OperatorCommand::Arm => Command::Arm,
        OperatorCommand::Disarm => Command::Disarm,
        OperatorCommand::Retry => Command::Retry,
    };
    desk.asked = Some(context.region.control.mailbox.ask(command, arguments));
}

/// Looks for the answer.
pub fn look(context: &Context) {
    let mut desk = DESK.lock();
    let Some(desk) = desk.as_mut() else { return };
    let answer = desk
        .asked
        .and_then(|number| context.region.control.mailbox.answer(number));
    if let Some((answer, text)) = answer {
        desk.answer = match answer {
            Answer::Accepted => "accepted".into(),
            Answer::Refused => format!("refused: {}", text.as_str()).as_str().into(),
        };
        log::info!("event=operator answer=\"{}\"", desk.answer);
        desk.asked = None;
        desk.image = Vec::new();
    }
}

/// What there is to tell.
pub fn said() -> Said {
    let desk = DESK.lock();
    Said {
        requests: desk.as_ref().map_or(0, |desk| desk.requests),
        answer: desk
            .as_ref()
            .map_or(Sentence::default(), |desk| desk.answer),
    }
}
