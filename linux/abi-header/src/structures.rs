//! The structures of the header, with a check of every offset.

use sharedmem::condemned::Condemned;
use sharedmem::control::Header;
use sharedmem::epitaph::Epitaph;
use sharedmem::hand_off::PhysicalRange;
use sharedmem::keepalive::KeepaliveSlot;
use sharedmem::layout::{Element, Field, Layout};
use sharedmem::linux::{LinuxFunction, LinuxHandOff, PciRoot};
use sharedmem::log_ring::LogRing;
use sharedmem::resume_slot::ResumeSlot;
use sharedmem::timeline::Timeline;

use crate::snake;

/// Returns all structures, each before those that contain it.
pub fn all() -> [String; 11] {
    [
        structure::<Header>(),
        structure::<KeepaliveSlot>(),
        structure::<Epitaph>(),
        structure::<Timeline>(),
        structure::<LogRing>(),
        structure::<ResumeSlot>(),
        structure::<Condemned>(),
        structure::<PhysicalRange>(),
        structure::<LinuxFunction>(),
        structure::<PciRoot>(),
        structure::<LinuxHandOff>(),
    ]
}

fn structure<T: Layout>() -> String {
    let name = format!("struct {}", c_name(T::NAME));
    let members: String = T::FIELDS.iter().map(member).collect();
    let checks: String = T::FIELDS.iter().map(|field| check(&name, field)).collect();
    let size_bytes = size_of::<T>();
    format!("{name} {{\n{members}}};\n{checks}static_assert(sizeof({name}) == {size_bytes});\n")
}

fn member(field: &Field) -> String {
    let element = match field.element {
        Element::U8 => "u8".to_string(),
        Element::U32 => "u32".to_string(),
        Element::U64 => "u64".to_string(),
        Element::Structure(name) => format!("struct {}", c_name(name)),
    };
    let count = field
        .count
        .map_or(String::new(), |count| format!("[{count}]"));
    format!("\t{element} {}{count};\n", field.name)
}

fn check(structure: &str, field: &Field) -> String {
    let Field {
        name, offset_bytes, ..
    } = field;
    format!("static_assert(offsetof({structure}, {name}) == {offset_bytes});\n")
}

/// Turns `KeepaliveSlot` into `us_keepalive_slot`.
fn c_name(name: &str) -> String {
    format!("us_{}", snake(name))
}
