//! What an instance is loaded for.

/// What an instance is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To own the machine from its boot.
    Primary,
    /// To wait beside a primary.
    Backup,
}

impl Role {
    /// Returns the number of the instance that is loaded for this role at the machine's boot.
    pub fn first_instance(self) -> usize {
        match self {
            Self::Primary => 0,
            Self::Backup => 1,
        }
    }
}
