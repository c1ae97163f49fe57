//! The module, reached through its device, `/dev/understudy`.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use nix::{ioctl_none, ioctl_read, ioctl_write_ptr};
use sharedmem::device::{DeviceInfo, DeviceRequest, REQUEST_TYPE};
use sharedmem::timeline::Edge;
use sharedmem::{Control, Revisions, SharedRegion};

use crate::module::{Module, Turn};
use crate::problem::{Problem, other_release};
use crate::region::{SpareSlot, map_control, map_whole};

const PATH: &str = "/dev/understudy";

const MODULE: &str = "understudy";

ioctl_read!(ioctl_info, REQUEST_TYPE, DeviceRequest::Info, DeviceInfo);
ioctl_write_ptr!(ioctl_stamp, REQUEST_TYPE, DeviceRequest::Stamp, u32);
ioctl_none!(ioctl_switchover, REQUEST_TYPE, DeviceRequest::Switchover);
ioctl_read!(
    ioctl_add_memory,
    REQUEST_TYPE,
    DeviceRequest::AddMemory,
    u64
);

/// The open device.
pub struct Device {
    file: File,
    control: &'static Control,
}

impl Device {
    /// Opens the device and maps the control block.
    ///
    /// # Errors
    /// Returns [`Problem::NotHere`] if there is none, or if it has another revision.
    pub fn open() -> Result<Self, Problem> {
        let file = File::options().read(true).write(true).open(PATH);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => Problem::with(format!("{PATH} (are you root?)"))(error),
            _ => Problem::NotHere(format!(
                "{PATH}: {error}; was this machine started by understudy, and is {MODULE}.ko loaded?"
            )),
        })?;
        let info = read_info(&file)?;
        let found = info.revisions();
        if found != Revisions::OWN {
            let own = Revisions::OWN;
            let what = format!("the module has {found}, this program has {own}");
            return Err(Problem::NotHere(other_release(what)));
        }
        let control = map_control(&file, info.shared_bytes)?;
        Ok(Self { file, control })
    }

    /// Opens the device like [`open`](Self::open), but has modprobe load the module if it is not loaded.
    ///
    /// # Errors
    /// Returns the errors of [`open`](Self::open).
    pub fn open_or_load() -> Result<Self, Problem> {
        let first = Self::open();
        if !matches!(first, Err(Problem::NotHere(_))) {
            return first;
        }
        let load = Command::new("modprobe")
            .arg(MODULE)
            .stdin(Stdio::null())
            .status();
        match load.is_ok_and(|status| status.success()) {
            true => Self::open(),
            false => first,
        }
    }

    /// Maps the whole shared region, with the journal's ring.
    ///
    /// # Errors
    /// Returns an error if the module refuses.
    pub fn region(&self) -> Result<SharedRegion, Problem> {
        map_whole(&self.file, self.info()?.shared_bytes)
    }
}

impl Module for Device {
    fn info(&self) -> Result<DeviceInfo, Problem> {
        read_info(&self.file)
    }

    fn control(&self) -> &Control {
        self.control
    }

    fn turn(&self) -> Result<Turn, Problem> {
        let what = format!("waiting for other programs that use {PATH}");
        let file = self.file.try_clone().map_err(Problem::with(&what))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive);
        lock.map(Some)
            .map_err(|(_, error)| Problem::with(what)(error))
    }

    fn stamp(&self, edge: Edge) -> Result<(), Problem> {
        let edge = edge.number() as u32;
        // SAFETY: the request reads a u32, and `edge` is one.
        let done = unsafe { ioctl_stamp(self.file.as_raw_fd(), &raw const edge) };
        done.map(drop)
            .map_err(Problem::with("stamping the timeline"))
    }

    fn add_memory(&self) -> Result<u64, Problem> {
        let mut added_bytes = 0_u64;
        // SAFETY: the request stores a u64, and `added_bytes` is one.
        let done = unsafe { ioctl_add_memory(self.file.as_raw_fd(), &raw mut added_bytes) };
        done.map(|_| added_bytes)
            .map_err(Problem::with("adding the pool's memory"))
    }

    fn switch_over(&self) -> Problem {
        // SAFETY: the request takes no argument.
        match unsafe { ioctl_switchover(self.file.as_raw_fd()) } {
            Ok(_) => {
                Problem::No("the module reports a switchover, but this kernel still runs".into())
            }
            Err(error) => Problem::with("switching over")(error),
        }
    }

    fn append(&self, payload: &[u8]) -> Result<(), Problem> {
        // One write makes one record.
        let what = format!(
            "appending a record of {} bytes to the journal",
            payload.len()
        );
        match (&self.file).write(payload) {
            Ok(written) if written == payload.len() => Ok(()),
            Ok(written) => Err(Problem::No(format!("{what}: only {written} were taken"))),
            Err(error) => Err(Problem::System(what, error)),
        }
    }

    fn stage(&self, parts: &[(u64, &[u8])]) -> Result<(), Problem> {
        let mut slot = SpareSlot::map(&self.file, self.info()?.spare_bytes)?;
        parts
            .iter()
            .try_for_each(|(offset, part)| slot.write(*offset, part))
    }
}

fn read_info(file: &File) -> Result<DeviceInfo, Problem> {
    let mut info = DeviceInfo::default();
    // SAFETY: the request fills in a structure of this layout and size, which consists of numbers.
    let done = unsafe { ioctl_info(file.as_raw_fd(), &raw mut info) };
    done.map(|_| info)
        .map_err(Problem::with("asking the module who this kernel is"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::{request_code_none, request_code_read, request_code_write};

    #[test]
    fn requests_have_the_numbers_of_the_header() {
        // _IOR(0xd6, 0, struct understudy_info), _IOW(0xd6, 1, __u32), _IO(0xd6, 5), _IOR(0xd6, 6, __u64).
        assert_eq!(size_of::<DeviceInfo>(), 112);
        assert_eq!(
            request_code_read!(REQUEST_TYPE, DeviceRequest::Info, size_of::<DeviceInfo>()),
            0x8070_d600
        );
        assert_eq!(
            request_code_write!(REQUEST_TYPE, DeviceRequest::Stamp, size_of::<u32>()),
            0x4004_d601
        );
        assert_eq!(
            request_code_none!(REQUEST_TYPE, DeviceRequest::Switchover),
            0xd605
        );
        assert_eq!(
            request_code_read!(REQUEST_TYPE, DeviceRequest::AddMemory, size_of::<u64>()),
            0x8008_d606
        );
    }

    #[test]
    fn where_there_is_no_module_that_is_said() {
        if !std::path::Path::new(PATH).exists() {
            let problem = Device::open().err().unwrap();
            assert_eq!(problem.exit_code(), 3);
            assert!(problem.to_string().contains("understudy.ko"), "{problem}");
        }
    }
}
