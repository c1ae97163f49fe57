//! Values of the boot line that nothing may show: no log, no refusal, no `Debug`.

use alloc::string::String;
use core::fmt;

/// The option whose value is secret.
pub(super) const REQUIREPASS: &str = "requirepass";

/// What is shown in place of a secret value.
const MASK: &str = "***";

/// A value that shows itself only to who asks for it by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(value: &str) -> Self {
        Self(value.into())
    }

    /// Returns the value.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Returns what may be shown of the value of the option `name`.
pub(super) fn shown<'v>(name: &str, value: &'v str) -> &'v str {
    if name == REQUIREPASS && !value.is_empty() {
        MASK
    } else {
        value
    }
}
