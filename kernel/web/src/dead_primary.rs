//! What a dead primary left in the shared region: its epitaph and the end of its log.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde_json::{Value, json};
use sharedmem::epitaph::EpitaphText;
use sharedmem::log_ring::LOG_BYTES;
use sharedmem::{Control, Instance};

use crate::text::{last_lines, printable};

/// Number of lines of its log that are shown.
const LOG_LINES: usize = 120;

/// The primary that died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadPrimary {
    pub(crate) instance: Instance,
    pub(crate) image: String,
    pub(crate) epitaph: Option<EpitaphText>,
    pub(crate) log: Vec<String>,
}

impl DeadPrimary {
    /// Describes `instance`, which was loaded from the file `image`. The caller has read its `epitaph` already: once
    /// the instance is loaded again, the one in the shared region is another.
    pub fn of(
        control: &Control,
        instance: Instance,
        image: &str,
        epitaph: Option<EpitaphText>,
    ) -> Self {
        let mut log = vec![0; LOG_BYTES];
        let log_bytes = control.instance_logs[instance].copy_tail(&mut log);
        Self {
            instance,
            image: image.into(),
            epitaph,
            log: last_lines(&log[..log_bytes], LOG_LINES),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "instance": self.instance.name(),
            "image": self.image,
            "epitaph": self.epitaph.as_ref().map(epitaph_json),
            "log": self.log,
        })
    }
}

fn epitaph_json(epitaph: &EpitaphText) -> Value {
    json!({
        "epoch": epitaph.epoch,
        "cause": cause_of(epitaph),
        "core": epitaph.core,
        "vector": epitaph.vector,
        "error_code": epitaph.error_code,
        "address": epitaph.address,
        "rip": epitaph.rip,
        "rsp": epitaph.rsp,
        "time_ns": epitaph.time_ns,
        "message": message_of(epitaph),
    })
}

/// Returns the cause of an epitaph, in a word.
pub(crate) fn cause_of(epitaph: &EpitaphText) -> &'static str {
    epitaph.cause.map_or("unknown", |cause| cause.name())
}

/// Returns the message of an epitaph, without control characters.
pub(crate) fn message_of(epitaph: &EpitaphText) -> String {
    String::from(printable(epitaph.message().as_bytes()).trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use core::fmt::Write;
    use sharedmem::epitaph::EpitaphCause;
    use std::boxed::Box;

    #[test]
    fn what_is_left_is_told_and_left_where_it_is() {
        let control = Box::<Control>::default();
        let mut epitaph = EpitaphText::new(3, EpitaphCause::BootFailed, 2);
        writeln!(epitaph, "no\x1bdevice").unwrap();
        for line in 0..1000 {
            control.instance_logs[Instance::A].write(format!("line {line}\n").as_bytes());
        }
        let dead = DeadPrimary::of(
            &control,
            Instance::A,
            "/boot/vmlinuz",
            Some(epitaph.clone()),
        );
        let json = dead.json();
        assert_eq!(json["epitaph"]["cause"], "boot-failed");
        assert_eq!(json["epitaph"]["message"], "no\u{fffd}device");
        assert_eq!(dead.log.len(), LOG_LINES);
        assert_eq!(dead.log[LOG_LINES - 1], "line 999");
        assert_eq!(
            dead,
            DeadPrimary::of(&control, Instance::A, "/boot/vmlinuz", Some(epitaph))
        );
    }

    #[test]
    fn who_left_nothing_is_told_of_all_the_same() {
        let control = Box::<Control>::default();
        let json = DeadPrimary::of(&control, Instance::B, "", None).json();
        assert!(json["epitaph"].is_null() && json["log"] == json!([]));
    }
}
