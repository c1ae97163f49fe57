//! What a service may use and allow, set at boot.

use crate::access::{Network, Password};

/// Limits set at boot. They must be the same on every kernel that applies the same records, because replies depend on
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Most memory for keys and values, in bytes as the service counts them; 0 for no limit. The count is an upper
    /// estimate. It does not include incomplete requests and replies on their way: the heap needs room for them too.
    pub max_memory_bytes: u64,
    /// Most connections at a time.
    pub max_clients: usize,
    /// Most memory for the arguments of one request, in bytes.
    pub max_request_bytes: usize,
    /// Most memory that all connections together may keep, in bytes: incomplete requests and names. If it is more, who
    /// keeps most is disconnected.
    pub max_pending_bytes: usize,
    /// Whether `DEBUG` is allowed.
    pub debug: bool,
    /// The password that a client has to give, if there is one.
    pub password: Option<Password>,
    /// The network whose clients need no password. If there is no password, clients from elsewhere are refused; `None`
    /// accepts them all (`protected_mode=no`).
    pub near: Option<Network>,
    /// Whether the operator's commands are allowed, `FAILOVER` and `UNDERSTUDY`.
    pub admin: bool,
    /// Key of the hash function. Any two words will do; if clients do not know them, they cannot make keys collide.
    pub hash_seed: [u64; 2],
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            max_memory_bytes: 0,
            max_clients: 128,
            max_request_bytes: 32 * 1024 * 1024,
            max_pending_bytes: 64 * 1024 * 1024,
            debug: false,
            password: None,
            near: None,
            admin: false,
            hash_seed: [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908],
        }
    }
}
