//! Loads a crash kernel: what `kexec -s -p` does, in one program that needs no libraries.
//!
//! `crash-load KERNEL INITRD COMMAND-LINE`

use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_ulong};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

/// Loads into the memory that `crashkernel=` has set aside.
fn load(kernel: &File, initrd: &File, command_line: &CStr) -> io::Result<()> {
    let (kernel_fd, initrd_fd): (c_int, c_int) = (kernel.as_raw_fd(), initrd.as_raw_fd());
    let bytes = command_line.to_bytes_with_nul().len() as c_ulong;
    let text: *const c_char = command_line.as_ptr();
    let flags = libc::KEXEC_FILE_ON_CRASH as c_ulong;
    // SAFETY: the arguments have the types of kexec_file_load(2); `text` points at `bytes` bytes, the last of them
    // zero, which outlive the call.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            kernel_fd,
            initrd_fd,
            bytes,
            text,
            flags,
        )
    };
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn run(kernel: &str, initrd: &str, command_line: &str) -> io::Result<()> {
    let open = |path: &str| {
        File::open(path).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
    };
    load(&open(kernel)?, &open(initrd)?, &CString::new(command_line)?)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [kernel, initrd, command_line] = arguments.as_slice() else {
        eprintln!("usage: crash-load KERNEL INITRD COMMAND-LINE");
        return ExitCode::from(2);
    };
    match run(kernel, initrd, command_line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crash-load: {error}");
            ExitCode::FAILURE
        }
    }
}
