//! Panics in the kernels' code: they are kept, and reported with the seed.

use std::any::Any;
use std::cell::RefCell;
use std::panic;

thread_local! {
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the place of each panic from now on, and prints nothing.
pub fn keep() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        PLACE.set(place.unwrap_or_default());
    }));
}

/// Returns the message of a panic, and the place of the last panic on this thread.
pub fn describe(payload: &(dyn Any + Send)) -> String {
    let message = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "of unknown kind",
    };
    PLACE.with_borrow(|place| format!("panic at {place}: {message}"))
}
