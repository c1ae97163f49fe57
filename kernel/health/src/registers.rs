//! Checks of single registers.

use crate::fault::Fault;

/// PCI command: the function answers at its memory addresses (PCI 3.0, 6.2.2).
const MEMORY: u16 = 1 << 1;
/// PCI command: the function may access memory.
const BUS_MASTER: u16 = 1 << 2;
/// What the status of a virtio device is while it works, and all of it: ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK
/// (virtio 1.2, 2.1).
const WORKING: u8 = 0x0f;

/// Checks the command register of a PCI function that is in use.
///
/// # Errors
/// The function is gone, or cannot work.
pub fn check_command(command: u16) -> Result<(), Fault> {
    match command {
        0xffff => Err(Fault::Gone),
        _ if command & MEMORY == 0 => Err(Fault::MemoryOff),
        _ if command & BUS_MASTER == 0 => Err(Fault::BusMasterOff),
        _ => Ok(()),
    }
}

/// Checks the status of a virtio device that is in use. Reset, failed, in need of a reset, and bits that do not exist
/// are all wrong.
///
/// # Errors
/// The device does not work.
pub fn check_virtio_status(found: u8) -> Result<(), Fault> {
    (found == WORKING)
        .then_some(())
        .ok_or(Fault::Status { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_register_must_let_the_card_answer_and_read() {
        assert_eq!(check_command(0x0406), Ok(()));
        assert_eq!(check_command(0x0007), Ok(()));
        assert_eq!(check_command(0xffff), Err(Fault::Gone));
        assert_eq!(check_command(0x0404), Err(Fault::MemoryOff));
        assert_eq!(check_command(0x0402), Err(Fault::BusMasterOff));
        assert_eq!(check_command(0), Err(Fault::MemoryOff));
    }

    #[test]
    fn of_all_statuses_one_is_right() {
        let right = (0..=u8::MAX).filter(|status| check_virtio_status(*status).is_ok());
        assert!(right.eq([0x0f]));
    }
}
