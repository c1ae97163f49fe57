//! The serial console of a kernel that waits.
//!
//! A serial port interrupts by a line of the I/O APIC, which a backup does not have when it takes over. Without its
//! interrupt, a port prints what its buffer holds and then blocks its writers, and the init of a whole distribution is
//! one of them. So before the kernel parks, the port is set to be polled by a timer.

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

/// The name of a PC's serial port.
const NAME: &str = "ttyS";

/// `struct serial_struct` of include/uapi/linux/serial.h. Only the interrupt is used here.
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

/// Sets the serial consoles to be polled by a timer from now on. Logs what fails, because the takeover does not depend
/// on it.
pub fn poll_consoles(root: &Root) {
    for (name, outcome) in consoles(root) {
        match outcome.and_then(|file| poll(&file)) {
            Ok(()) => root.log(ConsolePolled {
                name: name.as_str().into(),
            }),
            Err(error) => {
                let problem = Problem::with(format!(
                    "{name}: it may fall silent after a takeover, because it waits for an interrupt"
                ))(error);
                root.log(&problem);
            }
        }
    }
}

/// Opens the serial consoles. If this program's input is one, uses that, because opening it a second time would make
/// this program one of several users of the port.
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
    // SAFETY: as above. Except for the interrupt, the kernel reads what it wrote itself.
    unsafe { set_settings(port.as_raw_fd(), &raw const settings) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::tests::root_of;

    #[test]
    fn a_console_that_is_no_serial_port_is_left_alone_and_one_that_does_not_listen_is_log() {
        let (_directory, root) = root_of(&[
            (ACTIVE, "tty0 ttyS0\n"),
            ("dev/ttyS0", ""),
            ("dev/kmsg", ""),
        ]);
        poll_consoles(&root);
        let log = root.text("dev/kmsg").unwrap();
        assert!(log.contains("ttyS0: it may fall silent"), "{log}");
        assert!(!log.contains("tty0:"), "{log}");
    }
}
