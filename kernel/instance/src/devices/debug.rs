//! How the network card is broken from outside of its driver, for `DEBUG BREAK`.

use core::ptr;

use safe_mmio::{field, field_shared};

use super::function::Function;
use super::network_function;
use super::virtio::structures::Registers;
use crate::context::Context;
use crate::memory::virt_of;

/// Bytes from the beginning of a device area to the used index.
const USED_INDEX_OFFSET: u64 = 2;

/// Writes 0 to the card's status: a reset that nobody has asked for.
pub fn reset(context: &Context) {
    with_registers(context, |registers| {
        field!(registers.common, device_status).write(0);
    });
}

/// Moves the used index of a queue.
pub fn move_used_index(context: &Context, queue: u16, by: u16) {
    with_registers(context, |registers| {
        field!(registers.common, queue_select).write(queue);
        let area = field_shared!(registers.common, queue_device).read();
        let index = virt_of(area + USED_INDEX_OFFSET) as usize;
        let index = ptr::with_exposed_provenance_mut::<u16>(index);
        // SAFETY: none; the test is that the damage is found. The area is memory of the driver.
        unsafe { index.write_volatile(index.read_volatile().wrapping_add(by)) };
    });
}

fn with_registers(context: &Context, work: impl FnOnce(&mut Registers)) {
    let Some(function) = network_function(context) else {
        return;
    };
    if let Ok(mut registers) = Registers::map(&mut Function::adopt(function)) {
        work(&mut registers);
    }
}
