//! Fixed hardware: the PM timer and the reset register of the FADT (5.2.9), and the HPET's address.

use crate::physical::{Block, InputError, Problem};

/// FADT flags.
const TIMER_IS_32_BITS: u32 = 1 << 8;
const RESET_REGISTER_SUPPORTED: u32 = 1 << 10;
const HARDWARE_REDUCED: u32 = 1 << 20;

/// Offsets in the FADT.
const PM_TIMER_PORT: usize = 76;
const FLAGS: usize = 112;
const RESET_REGISTER: usize = 116;
const RESET_VALUE: usize = 128;
const X_PM_TIMER: usize = 208;

/// Offset of the base address in the HPET table.
const HPET_BASE: usize = 40;

/// The power management timer: a port that counts at 3.579545 MHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmTimer {
    /// I/O port, read with 32 bits.
    pub port: u16,
    /// Bits that count: 24 or 32.
    pub width_bits: u8,
}

/// Where a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// An I/O port.
    Port(u16),
    /// A physical address.
    Memory(u64),
}

/// The register that resets the machine (4.8.3.6): write the byte there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetRegister {
    /// Where it is; 8 bits wide.
    pub register: Register,
    /// What to write.
    pub value: u8,
}

/// Returns the PM timer. The extended field, where it is filled in, counts (5.2.9: it supersedes the old one); a
/// machine with reduced hardware has no other. Whether the timer runs, its measurement tells.
pub(super) fn pm_timer(fadt: &Block) -> Result<Option<PmTimer>, InputError> {
    let flags = fadt.u32(FLAGS, "flags")?;
    let width_bits = if flags & TIMER_IS_32_BITS != 0 {
        32
    } else {
        24
    };
    let port = match generic_address(fadt, X_PM_TIMER, "X_PM_TMR_BLK") {
        Ok(Some(Register::Port(port))) => port,
        _ if flags & HARDWARE_REDUCED != 0 => return Ok(None),
        // An old, short FADT, or one that leaves the extended field empty; a timer in memory is unknown on x86. The
        // length beside the port is not looked at, nor does Linux.
        _ => match fadt.u32(PM_TIMER_PORT, "PM_TMR_BLK")? {
            0 => return Ok(None),
            old_port => u16::try_from(old_port).map_err(|_| {
                fadt.error("PM_TMR_BLK", Problem::Value(old_port.into(), "an I/O port"))
            })?,
        },
    };
    Ok(Some(PmTimer { port, width_bits }))
}

/// Returns the reset register, if the flags say that there is one. A register in PCI configuration space is not used.
pub(super) fn reset_register(fadt: &Block) -> Result<Option<ResetRegister>, InputError> {
    if fadt.u32(FLAGS, "flags")? & RESET_REGISTER_SUPPORTED == 0 {
        return Ok(None);
    }
    let register = generic_address(fadt, RESET_REGISTER, "RESET_REG")?;
    let value = fadt.u8(RESET_VALUE, "RESET_VALUE")?;
    Ok(register.map(|register| ResetRegister { register, value }))
}

/// Returns the base of the HPET's registers; it is of no use if it is not memory.
pub(super) fn hpet(table: &Block) -> Result<Option<u64>, InputError> {
    match generic_address(table, HPET_BASE, "base address")? {
        Some(Register::Memory(address)) if address % 8 == 0 => Ok(Some(address)),
        Some(Register::Memory(address)) => {
            Err(table.error("base address", Problem::Value(address, "a multiple of 8")))
        }
        _ => Ok(None),
    }
}

/// Reads a generic address structure (5.2.3.2): space, width, offset, access size, address. None if it is empty or in
/// another space.
pub(super) fn generic_address(
    table: &Block,
    offset: usize,
    field: &'static str,
) -> Result<Option<Register>, InputError> {
    let address = table.u64(offset + 4, field)?;
    if address == 0 {
        return Ok(None);
    }
    match table.u8(offset, field)? {
        0 => Ok(Some(Register::Memory(address))),
        1 => u16::try_from(address)
            .map(|port| Some(Register::Port(port)))
            .map_err(|_| table.error(field, Problem::Value(address, "an I/O port"))),
        _ => Ok(None),
    }
}
