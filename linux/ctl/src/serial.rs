//! The serial console of a kernel that waits.
//!
//! A serial port interrupts by a line of the I/O APIC, which a backup does not have when it takes over. A port whose interrupt does not come
//! prints what its buffer holds, and then blocks whoever writes: the first program of a whole distribution is one of them. So the port is
//! told, before its kernel parks, to be looked after by a timer.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::{ioctl_read_bad, ioctl_write_ptr_bad};

use sharedmem::event::ConsolePolled;

use crate::problem::Problem;
use crate::root::Root;

/// The consoles that Linux prints to.
const ACTIVE: &str = "sys/class/tty/console/active";

/// A serial port of a PC.
const NAME: &str = "ttyS";

/// `struct serial_struct` of include/uapi/linux/serial.h, of which only the interrupt is of interest here.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Settings {
    kind: i32,
    line: i32,
    port: u32,
    irq: i32,
    rest: [u64; 7],
}

const _: () = assert!(size_of::<Settings>() == 72);

// TIOCGSERIAL and TIOCSSERIAL of include/uapi/asm-generic/ioctls.h.
ioctl_read_bad!(get_settings, 0x541e, Settings);
ioctl_write_ptr_bad!(set_settings, 0x541f, Settings);

/// Has the serial consoles looked after by a timer from now on. What does not work is told: the takeover does not depend on it.
pub fn poll_consoles(root: &Root) {
    for (name, outcome) in consoles(root) {
        match outcome.and_then(|file| poll(&file)) {
            Ok(()) => root.tell(ConsolePolled {
                name: name.as_str().into(),
            }),
            Err(error) => {
                let problem = Problem::with(format!(
                    "{name}: it may fall silent after a takeover, as it waits for an interrupt"
                ))(error);
                root.tell(&problem);
            }
        }
    }
}

/// The open serial consoles. That of this program's own input need not be opened a second time, which would make it one of several users.
fn consoles(root: &Root) -> Vec<(String, io::Result<File>)> {
    let stdin = io::stdin();
    if read(&stdin).is_ok() {
        let own = stdin.as_fd().try_clone_to_owned().map(File::from);
        return vec![("stdin".into(), own)];
    }
    let active = root.text(ACTIVE).unwrap_or_default();
    let names = active
        .split_whitespace()
        .filter(|name| name.starts_with(NAME));
    let flags = (OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits();
    names
        .map(|name| {
            let path = root.path(format!("dev/{name}"));
            let file = File::options()
                .read(true)
                .write(true)
                .custom_flags(flags)
                .open(path);
            (name.to_owned(), file)
        })
        .collect()
}

fn read(port: &impl AsRawFd) -> io::Result<Settings> {
    let mut settings = Settings::default();
    // SAFETY: the descriptor is open, and the structure is as long as the kernel's.
    unsafe { get_settings(port.as_raw_fd(), &raw mut settings) }?;
    Ok(settings)
}

fn poll(port: &impl AsRawFd) -> io::Result<()> {
    let mut settings = read(port)?;
    settings.irq = 0;
    // SAFETY: as above; the kernel reads what it has written but for the interrupt.
    unsafe { set_settings(port.as_raw_fd(), &raw const settings) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::tests::root_of;

    #[test]
    fn a_console_that_is_no_serial_port_is_left_alone_and_one_that_does_not_listen_is_told() {
        let (_directory, root) = root_of(&[
            (ACTIVE, "tty0 ttyS0\n"),
            ("dev/ttyS0", ""),
            ("dev/kmsg", ""),
        ]);
        poll_consoles(&root);
        let told = root.text("dev/kmsg").unwrap();
        assert!(told.contains("ttyS0: it may fall silent"), "{told}");
        assert!(!told.contains("tty0:"), "{told}");
    }
}
