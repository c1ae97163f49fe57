//! Panics of the kernels' own code: told with their seed, not where they happen.

use std::any::Any;
use std::cell::RefCell;
use std::panic;

thread_local! {
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on panics are kept, not printed.
pub fn keep() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        PLACE.set(place.unwrap_or_default());
    }));
}

/// What a panic says, and where the newest one of this thread was.
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
