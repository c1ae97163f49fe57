//! Images: found, checked, and loaded into an instance's slice with a hand-off that says what the plan gave it. Each
//! kind of tenant has a loader of its own.

mod archive;
mod context;
mod linux;
mod native;
mod refusal;
mod uploaded;

use alloc::boxed::Box;

use partition::tenant::{KINDS, LINUX, NATIVE};
use partition::{BootFiles, Kind};
use sharedmem::Instance;
use sharedmem::event::{ImageRefused, Text};
use sharedmem::hand_off::PhysicalRange;
use supervisor::{LoadRequest, Source};

pub use archive::BootArchive;
pub use context::Context;
pub use refusal::Refusal;

use crate::ranges;
use crate::tenants::Tenant;

/// Loads an image that was found in the boot archive, or staged.
type Loader = fn(&Context, &LoadRequest<'_>, &BootFiles<'_>) -> Result<Box<Tenant>, Refusal>;

/// The loader of each kind of tenant.
static LOADERS: &[(&Kind, Loader)] = &[(&LINUX, linux::load), (&NATIVE, native::load)];

const _: () = assert!(LOADERS.len() == KINDS.len());

/// All images that can be loaded.
pub struct Images {
    context: Context,
}

impl Images {
    /// Makes the images of a boot available.
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    /// Loads an instance.
    ///
    /// # Errors
    /// Why the image is not used.
    pub fn load(&self, request: &LoadRequest<'_>) -> Result<Box<Tenant>, Refusal> {
        if let Source::Uploaded(file) = request.source {
            return uploaded::load(&self.context, request, file);
        }
        let archive = BootArchive::open(self.context.facts, self.context.windows)?;
        let files = archive.files()?;
        let kind = self.kind_of(request, &files);
        let mut loaders = LOADERS.iter();
        let loader = loaders.find(|(of, _)| *of == kind);
        let (_, load) = loader.ok_or(Refusal::WrongKind(kind))?;
        load(&self.context, request, &files)
    }

    /// Returns what kind of tenant is to be loaded. A primary stages images of its own kind. What is missing is refused
    /// by the loader.
    fn kind_of(&self, request: &LoadRequest<'_>, files: &BootFiles<'_>) -> &'static Kind {
        match request.source {
            Source::Staged(_) => self.context.plan.kinds.both()[request.instance.other().index()],
            source => files
                .find(self.context.name_of(source))
                .map_or(&NATIVE, Kind::of),
        }
    }

    /// Returns the slot in which an instance waits, if it has one.
    pub fn slot(&self, instance: Instance) -> Option<PhysicalRange> {
        ranges::slot(self.context.plan, instance)
    }

    /// Checks an image that the operator uploaded and that lies in the slice of `primary`. Changes nothing.
    ///
    /// # Errors
    /// Why it cannot be the other instance's.
    pub fn verify_uploaded(&self, primary: Instance, file: PhysicalRange) -> Result<(), Refusal> {
        uploaded::verify(&self.context, primary, file)
    }

    /// Copies an image that was [verified](Self::verify_uploaded) to the end of an instance's slice, where it stays.
    /// Nothing of the instance runs.
    ///
    /// # Errors
    /// The page tables do not suffice.
    pub fn store_uploaded(
        &self,
        instance: Instance,
        file: PhysicalRange,
    ) -> Result<Source, Refusal> {
        uploaded::store(&self.context, instance, file)
    }

    /// Logs why the image of a request is not used.
    pub fn report_refused(&self, request: &LoadRequest<'_>, reason: &Refusal) {
        let refused = ImageRefused {
            instance: request.instance,
            path: Text::of(self.context.name_of(request.source)),
            reason: Text::of(reason),
        };
        log::error!("{refused}");
    }
}
