//! The replies to bytes that are not the protocol.

use key_commands::Failure;
use resp::ProtocolError;

/// Returns the reply to bytes that are not the protocol, with Redis' text if it has one.
pub(crate) fn describe(error: &ProtocolError, request_bytes_max: usize) -> Failure {
    let text = match error {
        ProtocolError::InlineTooLong => "ERR Protocol error: too big inline request",
        ProtocolError::CountTooLong => "ERR Protocol error: too big mbulk count string",
        ProtocolError::LengthTooLong => "ERR Protocol error: too big bulk count string",
        ProtocolError::UnbalancedQuotes => "ERR Protocol error: unbalanced quotes in request",
        ProtocolError::InvalidCount => "ERR Protocol error: invalid multibulk length",
        ProtocolError::InvalidLength => "ERR Protocol error: invalid bulk length",
        ProtocolError::UnauthenticatedCount => {
            "ERR Protocol error: unauthenticated multibulk length"
        }
        ProtocolError::UnauthenticatedLength => "ERR Protocol error: unauthenticated bulk length",
        ProtocolError::ExpectedBulk { found } => {
            return Failure::composed(&[
                b"ERR Protocol error: expected '$', got '",
                &[*found],
                b"'",
            ]);
        }
        ProtocolError::RequestTooBig => {
            return Failure::composed(&[
                b"ERR Protocol error: too big request, its arguments may take ",
                itoa::Buffer::new().format(request_bytes_max).as_bytes(),
                b" bytes",
            ]);
        }
    };
    Failure::Fixed(text)
}
