//! The kinds of the two instances of a boot.

use sharedmem::{Instance, Role};

use super::{Capabilities, Kind, NATIVE};
use crate::cmdline::Options;
use crate::files::BootFiles;

/// What the two images are, by their content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// The first primary's.
    pub primary: &'static Kind,
    /// The first backup's.
    pub backup: &'static Kind,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            primary: &NATIVE,
            backup: &NATIVE,
        }
    }
}

impl Kinds {
    /// Looks at the images that `options` name. One that is missing, or damaged, is refused when it is loaded.
    pub fn of(options: &Options, files: &BootFiles<'_>) -> Self {
        let kind = |role| {
            files
                .find(options.image(role).kernel)
                .map_or(&NATIVE, Kind::of)
        };
        Self {
            primary: kind(Role::Primary),
            backup: kind(Role::Backup),
        }
    }

    /// Returns the kind of an instance.
    pub fn of_instance(self, instance: Instance) -> &'static Kind {
        match instance {
            Instance::A => self.primary,
            Instance::B => self.backup,
        }
    }

    /// Returns the kinds of both instances.
    pub fn both(self) -> [&'static Kind; 2] {
        [self.primary, self.backup]
    }

    /// Returns whether either can `question`.
    pub fn any(self, question: impl Fn(&Capabilities) -> bool) -> bool {
        self.both().iter().any(|kind| question(&kind.capabilities))
    }

    /// Returns whether both can `question`.
    pub fn all(self, question: impl Fn(&Capabilities) -> bool) -> bool {
        self.both().iter().all(|kind| question(&kind.capabilities))
    }

    /// Returns whether each can be loaded as a backup beside the other while that one runs.
    pub fn can_rearm(self) -> bool {
        let [a, b] = self.both().map(|kind| &kind.capabilities);
        a.can_be_rearmed_beside(b) && b.can_be_rearmed_beside(a)
    }
}

/// Memory that the images need in one piece below 4 GiB, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// What the first primary's needs.
    pub primary_bytes: u64,
    /// What the first backup's needs.
    pub backup_bytes: u64,
}

impl Needs {
    /// Looks at the images and initrds that `options` name. What is missing is refused when it is loaded.
    pub fn of(options: &Options, files: &BootFiles<'_>) -> Self {
        let needed = |role| {
            let named = options.image(role);
            let initrd = files
                .find(named.initrd)
                .map_or(0, |initrd| initrd.len() as u64);
            let kernel = files.find(named.kernel).unwrap_or_default();
            (Kind::of(kernel).bytes_below_4_gib)(kernel, initrd)
        };
        Self {
            primary_bytes: needed(Role::Primary),
            backup_bytes: needed(Role::Backup),
        }
    }
}
