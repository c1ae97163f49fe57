//! Keeps a CPU in a virtual machine: the guest says once that it runs, and then jumps to where it is, for ever.

use std::convert::Infallible;
use std::process::ExitCode;

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{Error, Kvm, VcpuExit};

const PAGE_BYTES: usize = 4096;

/// Where the guest's only page is in its memory.
const CODE_AT: u64 = 0x1000;

/// The guest, in real mode: `out 0x80, al`, and a jump to itself.
const CODE: [u8; 4] = [0xe6, 0x80, 0xeb, 0xfe];

#[repr(C, align(4096))]
struct Page([u8; PAGE_BYTES]);

/// Makes the machine and lets it run.
fn run() -> Result<Infallible, Error> {
    let mut page = Box::new(Page([0; PAGE_BYTES]));
    page.0[..CODE.len()].copy_from_slice(&CODE);
    let page: &'static mut Page = Box::leak(page);
    let machine = Kvm::new()?.create_vm()?;
    let region = kvm_userspace_memory_region {
        guest_phys_addr: CODE_AT,
        memory_size: PAGE_BYTES as u64,
        userspace_addr: core::ptr::from_mut(page) as u64,
        ..Default::default()
    };
    // SAFETY: the page is aligned, is used by nobody else, and is never given back.
    unsafe { machine.set_user_memory_region(region)? };
    let mut cpu = machine.create_vcpu(0)?;
    let mut segments = cpu.get_sregs()?;
    (segments.cs.base, segments.cs.selector) = (0, 0);
    cpu.set_sregs(&segments)?;
    let mut registers = cpu.get_regs()?;
    // Bit 1 of the flags is always set.
    (registers.rip, registers.rflags) = (CODE_AT, 1 << 1);
    cpu.set_regs(&registers)?;
    loop {
        match cpu.run() {
            Ok(VcpuExit::IoOut(..)) => println!("kvm-loop: the guest runs"),
            Ok(other) => println!("kvm-loop: {other:?}"),
            Err(error) if error.errno() == libc::EINTR => {}
            Err(error) => return Err(error),
        }
    }
}

fn main() -> ExitCode {
    let Err(error) = run();
    eprintln!("kvm-loop: {error}");
    ExitCode::FAILURE
}
