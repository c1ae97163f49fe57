//! The door to the module: `/dev/understudy`, its requests and its memory. The interface is `linux/module/understudy.h`. But
//! for the killing of a hook, what is unsafe in this program is here.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr;

use sharedmem::abi::CONTROL_BYTES;
use sharedmem::{ABI_REVISION, Control};

use crate::problem::Problem;

const PATH: &str = "/dev/understudy";

/// Offset at which the spare slot is mapped.
const MMAP_SPARE: i64 = 1 << 40;

const IOC: u64 = 0xd6;
const READ: u64 = 2;
const WRITE: u64 = 1;

/// Number of a request, as `_IOC` of Linux' `asm-generic/ioctl.h` makes it.
const fn request(direction: u64, number: u64, size: usize) -> u64 {
    direction << 30 | (size as u64) << 16 | IOC << 8 | number
}

const INFO: u64 = request(READ, 0, size_of::<Info>());
const STAMP: u64 = request(WRITE, 1, size_of::<u32>());
const SWITCHOVER: u64 = request(0, 5, 0);
const ADD_MEMORY: u64 = request(READ, 6, size_of::<u64>());

/// Role of this kernel.
pub const ROLE_PRIMARY: u32 = 1;

/// Flags of [`Info`].
pub const FLAG_RESUMED: u32 = 1 << 1;
/// failover_rearm=auto.
pub const FLAG_REARM_AUTO: u32 = 1 << 2;

/// `struct understudy_info`: who this kernel is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// ABI revision of monitor and module.
    pub abi_revision: u32,
    /// Journal revision of both.
    pub journal_revision: u32,
    /// 0 or 1.
    pub instance: u32,
    /// [`ROLE_PRIMARY`], or 2.
    pub role: u32,
    /// `FLAG_*`.
    pub flags: u32,
    /// The CPU that sends the keepalives.
    pub lead_cpu: u32,
    /// The epoch in which this kernel became the primary.
    pub epoch: u64,
    /// Physical address and length of the shared region.
    pub shared: [u64; 2],
    /// Of the memory offered as a disk.
    pub pmem: [u64; 2],
    /// Of this instance's slot.
    pub slot: [u64; 2],
    /// Of the next backup's.
    pub spare: [u64; 2],
    /// Memory that comes with the role, in bytes.
    pub pool_bytes: u64,
    /// How much of it was added.
    pub added_bytes: u64,
}

/// The open device.
pub struct Device {
    file: File,
    /// Who this kernel is.
    pub info: Info,
    control: &'static Control,
}

impl Device {
    /// Opens the device and maps the shared region.
    ///
    /// # Errors
    /// [`Problem::NotHere`] where there is none; the revision, if it is another.
    pub fn open() -> Result<Self, Problem> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(PATH)
            .map_err(|error| {
                Problem::NotHere(format!(
                    "{PATH}: {error}; was this machine started by understudy, is understudy.ko loaded, and are you root?"
                ))
            })?;
        let mut info = Info::default();
        // SAFETY: the request fills in a structure of this layout and size.
        if unsafe { libc::ioctl(file.as_raw_fd(), INFO, &raw mut info) } != 0 {
            return Err(Problem::last("asking the module who this kernel is"));
        }
        if info.abi_revision != ABI_REVISION {
            return Err(Problem::NotHere(format!(
                "the module speaks ABI revision {}, this program {ABI_REVISION}: take the one of the same release",
                info.abi_revision
            )));
        }
        let control = map(&file, CONTROL_BYTES, 0)?;
        // SAFETY: the control block is mapped for as long as the program runs, page aligned and CONTROL_BYTES long; it consists of atomics, for
        // which every bit pattern is valid and other writers are allowed.
        let control = unsafe { &*control.cast::<Control>() };
        Ok(Self {
            file,
            info,
            control,
        })
    }

    /// Asks again who this kernel is.
    ///
    /// # Errors
    /// The module refuses.
    pub fn fresh_info(&self) -> Result<Info, Problem> {
        let mut info = Info::default();
        // SAFETY: as in `open`.
        match unsafe { libc::ioctl(self.file.as_raw_fd(), INFO, &raw mut info) } {
            0 => Ok(info),
            _ => Err(Problem::last("asking the module who this kernel is")),
        }
    }

    /// The control block of the shared region. What is in it is a claim.
    pub fn control(&self) -> &Control {
        self.control
    }

    /// Stamps an edge of the timeline of the takeover that made this kernel the primary.
    ///
    /// # Errors
    /// There is no such edge, or this kernel did not take over.
    pub fn stamp(&self, edge: u32) -> Result<(), Problem> {
        // SAFETY: the request reads a u32.
        match unsafe { libc::ioctl(self.file.as_raw_fd(), STAMP, &raw const edge) } {
            0 => Ok(()),
            _ => Err(Problem::last("stamping the timeline")),
        }
    }

    /// Adds the memory that comes with the role. Returns the bytes added up to now.
    ///
    /// # Errors
    /// Linux refuses.
    pub fn add_memory(&self) -> Result<u64, Problem> {
        let mut added_bytes = 0_u64;
        // SAFETY: the request stores a u64.
        match unsafe { libc::ioctl(self.file.as_raw_fd(), ADD_MEMORY, &raw mut added_bytes) } {
            0 => Ok(added_bytes),
            _ => Err(Problem::last("adding the pool's memory")),
        }
    }

    /// Hands over. Returns only if that did not happen.
    pub fn switch_over(&self) -> Problem {
        // SAFETY: the request takes no argument.
        unsafe { libc::ioctl(self.file.as_raw_fd(), SWITCHOVER) };
        Problem::last("handing over")
    }

    /// Writes `parts` into the spare slot, the first one at byte `offset`, each on a page of its own. Returns physical start and length of each.
    ///
    /// # Errors
    /// They do not fit, or the slot cannot be mapped.
    pub fn stage<const N: usize>(
        &self,
        offset: u64,
        parts: [&[u8]; N],
    ) -> Result<[[u64; 2]; N], Problem> {
        const PAGE: u64 = 4096;
        let [start, bytes] = self.info.spare;
        let mut places = [[0; 2]; N];
        let mut at = offset;
        for (place, part) in places.iter_mut().zip(&parts) {
            *place = [start + at, part.len() as u64];
            at = (at + part.len() as u64).next_multiple_of(PAGE);
        }
        if at > bytes {
            return Err(Problem::No(format!(
                "the image needs {} MiB in the spare slot, which has {} MiB",
                at >> 20,
                bytes >> 20
            )));
        }
        let slot = map(&self.file, bytes as usize, MMAP_SPARE)?;
        for (place, part) in places.iter().zip(&parts) {
            let target = slot.wrapping_add((place[0] - start) as usize);
            // SAFETY: the part ends inside the mapping, as was checked above; nobody else uses the slot while no backup is loaded.
            unsafe { ptr::copy_nonoverlapping(part.as_ptr(), target, part.len()) };
        }
        // SAFETY: it is the mapping made above, and nothing refers to it any more.
        unsafe { libc::munmap(slot.cast(), bytes as usize) };
        Ok(places)
    }
}

fn map(file: &File, bytes: usize, offset: i64) -> Result<*mut u8, Problem> {
    // SAFETY: a new mapping at an address of the kernel's choice.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            offset,
        )
    };
    match address == libc::MAP_FAILED {
        true => Err(Problem::last("mapping the shared memory")),
        false => Ok(address.cast()),
    }
}

/// Lets everything that was written reach the disks.
pub fn sync() {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::sync() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_numbers_of_the_header() {
        // _IOR(0xd6, 0, struct understudy_info), _IOW(0xd6, 1, __u32), _IO(0xd6, 5), _IOR(0xd6, 6, __u64).
        assert_eq!(size_of::<Info>(), 112);
        assert_eq!(INFO, 0x8070_d600);
        assert_eq!(STAMP, 0x4004_d601);
        assert_eq!(SWITCHOVER, 0xd605);
        assert_eq!(ADD_MEMORY, 0x8008_d606);
    }
}
