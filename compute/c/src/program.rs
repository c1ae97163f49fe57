//! A program: its regions and its steps.

use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

use compute::{ByteRegions, Checksum, Error, Next, Part, REGIONS_MAX, Rank, Region, Written};

/// `struct compute`: a rank, and the error that it has found.
pub struct Handle<'r, 'm> {
    pub(crate) rank: &'r mut Rank<'m>,
    pub(crate) error: Option<Error>,
    /// Whether steps are made already.
    is_running: bool,
}

/// `struct compute_region`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CRegion {
    /// Its name.
    pub name: *const c_char,
    /// Number of blocks.
    pub blocks: usize,
    /// Bytes of a block.
    pub block_bytes: usize,
    /// Whether nothing is verified of it.
    pub unchecked: c_int,
}

/// `struct compute_part`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CPart {
    /// All of the region as committed.
    pub old: *const c_void,
    /// The rank's blocks.
    pub next: *mut c_void,
    /// The first of them.
    pub first: usize,
    /// How many.
    pub count: usize,
}

/// `compute_body`.
pub type Body = unsafe extern "C" fn(*mut Handle<'_, '_>, *const CPart, *mut c_void) -> c_int;

/// The type of `compute_main`.
pub type Main = unsafe extern "C" fn(*mut Handle<'_, '_>, *const c_char) -> c_int;

/// Runs a program as a rank.
///
/// # Errors
/// What the rank has found, or that its exit code is none.
///
/// # Safety
/// `main` is a program as `compute.h` wants it.
pub unsafe fn run(rank: &mut Rank<'_>, arguments: &str, main: Main) -> Result<u8, Error> {
    let arguments: Vec<u8> = arguments.bytes().chain([0]).collect();
    let mut handle = Handle::of(rank);
    // SAFETY: the caller's promise; the handle and the text live until it returns.
    let code = unsafe { main(&raw mut handle, arguments.as_ptr().cast()) };
    match handle.error {
        Some(error) => Err(error),
        None => u8::try_from(code).map_err(|_| Error::Program("an exit code is 0 to 255")),
    }
}

impl<'r, 'm> Handle<'r, 'm> {
    fn of(rank: &'r mut Rank<'m>) -> Self {
        Self {
            rank,
            error: None,
            is_running: false,
        }
    }

    /// Makes the steps of a program; see `compute_run`.
    ///
    /// # Safety
    /// As `compute.h` says.
    pub(crate) unsafe fn make_steps(
        &mut self,
        regions: &[CRegion],
        steps: u64,
        [begin, step]: [Body; 2],
        context: *mut c_void,
    ) -> Result<(), Error> {
        if self.is_running {
            return Err(Error::Program("compute_run is called once"));
        }
        self.is_running = true;
        // SAFETY: the caller's promise.
        let own = regions.iter().map(|it| unsafe { it.region() });
        let own = ByteRegions::new(own).ok_or(Error::Program("there are 1 to 6 regions"))?;
        let body = |rank: &mut Rank<'m>, body: Body, parts: &[CPart]| {
            let mut handle = Handle::of(rank);
            handle.is_running = true;
            // SAFETY: the caller's promise; the parts lie in what is lent to this step.
            let code = unsafe { body(&raw mut handle, parts.as_ptr(), context) };
            match (handle.error, code) {
                (Some(error), _) => Err(error),
                (None, 0) => Ok(()),
                (None, _) => Err(Error::Program("a step of the program has failed")),
            }
        };
        let mut job = self.rank.begin(own, steps, |rank, nexts| {
            let lent = nexts.map(|it| it.map(Lent::Next));
            write(lent, regions, &mut |parts| body(rank, begin, parts))
        })?;
        while job.committed() < steps {
            job.step(|rank, parts| {
                let lent = parts.map(|it| it.map(Lent::Part));
                write(lent, regions, &mut |parts| body(rank, step, parts))
            })?;
        }
        Ok(())
    }
}

impl CRegion {
    /// Returns the region.
    ///
    /// # Safety
    /// The name is a text that stays.
    unsafe fn region(&self) -> Region<u8> {
        // SAFETY: the caller's promise.
        let name: &'static CStr = unsafe { CStr::from_ptr(self.name) };
        // What is no UTF-8 is no name, either, which is told when the regions are offered as results.
        let name = name.to_str().unwrap_or("\u{fffd}");
        let checksum = match self.unchecked {
            0 => Checksum::Verified,
            _ => Checksum::Off,
        };
        Region::blocks(name, self.blocks, self.block_bytes).checksum(checksum)
    }
}

/// What is lent to a program of a region.
enum Lent<'s> {
    Next(Next<'s, u8>),
    Part(Part<'s, u8>),
}

type AllWritten<'s> = [Option<Written<'s, u8>>; REGIONS_MAX];

/// Lets `body` write all that is lent.
fn write<'s>(
    lent: [Option<Lent<'s>>; REGIONS_MAX],
    regions: &[CRegion],
    body: &mut dyn FnMut(&[CPart]) -> Result<(), Error>,
) -> Result<AllWritten<'s>, Error> {
    let mut written = [const { None }; REGIONS_MAX];
    let mut outcome = Ok(());
    let lent = lent.into_iter().flatten().zip(regions);
    let mut parts = Vec::with_capacity(REGIONS_MAX);
    write_next(lent, &mut written, &mut parts, &mut |parts| {
        outcome = body(parts);
    });
    outcome.map(|()| written)
}

/// Lends the next region, and the others behind it, so that all of them are lent when `body` is called.
fn write_next<'s, 'c>(
    mut lent: impl Iterator<Item = (Lent<'s>, &'c CRegion)>,
    written: &mut [Option<Written<'s, u8>>],
    parts: &mut Vec<CPart>,
    body: &mut dyn FnMut(&[CPart]),
) {
    let Some((own, region)) = lent.next() else {
        return body(parts);
    };
    let (place, rest) = written.split_first_mut().expect("one for each region");
    let (old, range) = match &own {
        Lent::Next(next) => (ptr::null(), next.range()),
        Lent::Part(part) => (part.old.as_ptr().cast(), part.next.range()),
    };
    let block_bytes = region.block_bytes.max(1);
    let change = |next: &mut [u8]| {
        parts.push(CPart {
            old,
            next: next.as_mut_ptr().cast(),
            first: range.start / block_bytes,
            count: range.len() / block_bytes,
        });
        // By reference, because a call by value would be of a new type each time.
        let lent: &mut dyn Iterator<Item = (Lent<'s>, &'c CRegion)> = &mut lent;
        write_next(lent, rest, parts, body);
    };
    *place = Some(match own {
        Lent::Next(next) => next.edit(0, change),
        Lent::Part(part) => part.edit(change),
    });
}
