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

/// Returns the address of the card's common registers.
pub fn common_registers(context: &Context) -> Option<u64> {
    with_registers(context, |registers| registers.common.ptr().addr() as u64)
}

/// Returns the address of the words that notify the card.
pub fn notify_registers(context: &Context) -> Option<u64> {
    with_registers(context, |registers| {
        registers.notify.ptr().cast::<u16>().addr() as u64
    })
}

/// Returns the address at which the card says what it has received.
pub fn receive_area(context: &Context) -> Option<u64> {
    with_registers(context, |registers| {
        field!(registers.common, queue_select).write(0);
        virt_of(field_shared!(registers.common, queue_device).read())
    })
}

fn with_registers<T>(context: &Context, work: impl FnOnce(&mut Registers) -> T) -> Option<T> {
    let mut function = Function::adopt(network_function(context)?);
    let mut registers = Registers::map(&mut function).ok()?;
    Some(work(&mut registers))
}
