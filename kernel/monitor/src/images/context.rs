//! What every loader works with.

use arch::entropy;
use partition::Plan;
use sharedmem::Role;
use sharedmem::SharedRegion;
use supervisor::Source;

use crate::facts::BootFacts;
use crate::window::Windows;

/// What is known of the machine, and where images are put.
pub struct Context {
    /// What is known of the machine.
    pub facts: &'static BootFacts,
    /// Who gets what.
    pub plan: &'static Plan,
    /// The monitor's view of other memory.
    pub windows: Windows,
    /// Shared with the instances.
    pub region: SharedRegion,
    /// Random bits for the instances; the same for both.
    pub entropy: u64,
}

impl Context {
    /// Makes the context of one boot.
    pub fn new(
        facts: &'static BootFacts,
        plan: &'static Plan,
        windows: Windows,
        region: SharedRegion,
    ) -> Self {
        Self {
            facts,
            plan,
            windows,
            region,
            entropy: entropy::bits(),
        }
    }

    /// Returns the path of an image in the boot archive, or what it is called.
    pub fn name_of(&self, source: Source) -> &'static str {
        let options = &self.plan.options;
        match source {
            Source::Primary => options.image(Role::Primary).kernel,
            Source::Failover => options.image(Role::Backup).kernel,
            Source::Staged(_) => "the staged image",
            Source::Uploaded(_) => "the uploaded image",
        }
    }
}
