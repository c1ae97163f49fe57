//! The operator's requests to the monitor, through the mailbox, and its answers. One request at a time.

use alloc::vec::Vec;

use service::{LongText, OperatorCommand};
use sharedmem::abi::DIRECT_BASE;
use sharedmem::event::{OperatorAnswered, Text};
use sharedmem::mailbox::{ARGUMENTS, Answer, Command, compute_arguments};
use spin::Mutex;

use crate::context::Context;

/// What `INFO` says of the requests to this kernel.
#[derive(Clone, Copy, Default)]
pub struct OperatorStatus {
    /// Number of requests so far.
    pub requests: u32,
    /// The answer to the last one; `None` as long as there is none.
    pub answer: Option<Answer>,
    /// Why it was refused, or what was asked for.
    pub reason: LongText,
}

impl OperatorStatus {
    fn set(&mut self, answer: Option<Answer>, reason: &str) {
        self.answer = answer;
        self.reason = reason.into();
    }
}

/// A request that waits for the monitor's answer.
struct PendingRequest {
    number: u64,
    /// The image that the monitor is to load. The monitor reads it here until it answers.
    _image: Vec<u8>,
}

#[derive(Default)]
struct Operator {
    pending: Option<PendingRequest>,
    status: OperatorStatus,
}

static OPERATOR: Mutex<Option<Operator>> = Mutex::new(None);

/// Sends a request to the monitor, unless another one waits for its answer.
pub fn ask(context: &Context, command: OperatorCommand<'_>) {
    let mut operator = OPERATOR.lock();
    let operator = operator.get_or_insert_default();
    operator.status.requests += 1;
    if operator.pending.is_some() {
        let reason = "another request is under way";
        return operator.status.set(Some(Answer::Refused), reason);
    }
    match send(context, command) {
        Ok(pending) => {
            operator.status.set(None, "");
            operator.pending = Some(pending);
        }
        Err(reason) => operator.status.set(Some(Answer::Refused), reason),
    }
}

/// Puts a request into the mailbox.
///
/// # Errors
/// Why it is refused.
fn send(context: &Context, command: OperatorCommand<'_>) -> Result<PendingRequest, &'static str> {
    let mut arguments = [0; ARGUMENTS];
    let mut copy = Vec::new();
    let command = match command {
        OperatorCommand::Load { image } => {
            copy.try_reserve_exact(image.len())
                .map_err(|_| "no memory for the image")?;
            copy.extend_from_slice(image);
            arguments[0] = copy.as_ptr() as u64 - DIRECT_BASE;
            arguments[1] = copy.len() as u64;
            Command::Load
        }
        OperatorCommand::Compute { order, text } => {
            arguments = compute_arguments(order, text).ok_or("the text is too long")?;
            Command::Compute
        }
        OperatorCommand::Arm => Command::Arm,
        OperatorCommand::Disarm => Command::Disarm,
        OperatorCommand::Retry => Command::Retry,
    };
    Ok(PendingRequest {
        number: context.region.control.mailbox.ask(command, arguments),
        _image: copy,
    })
}

/// Takes the monitor's answer from the mailbox, if it is there.
pub fn poll(context: &Context) {
    let mut operator = OPERATOR.lock();
    let Some(operator) = operator.as_mut() else {
        return;
    };
    let answer = operator
        .pending
        .as_ref()
        .and_then(|request| context.region.control.mailbox.answer(request.number));
    if let Some((answer, text)) = answer {
        operator.status.set(Some(answer), text.as_str());
        let reason = Text::of(operator.status.reason);
        log::info!("{}", OperatorAnswered { answer, reason });
        operator.pending = None;
    }
}

/// Returns what `INFO` says of the requests.
pub fn status() -> OperatorStatus {
    let operator = OPERATOR.lock();
    operator
        .as_ref()
        .map_or(OperatorStatus::default(), |operator| operator.status)
}
