//! The shared structures' fields as data: for bindings in other languages, and for tests that no field is missing
//! there.

use crate::sync::{AtomicU8, AtomicU64};

/// The type of a field's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// A byte.
    U8,
    /// A 32-bit number.
    U32,
    /// A 64-bit number.
    U64,
    /// Another shared structure, by its name here.
    Structure(&'static str),
}

/// A field of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its offset, in bytes.
    pub offset_bytes: usize,
    /// Its length in bytes.
    pub size_bytes: usize,
    /// The type of its elements.
    pub element: Element,
    /// How many elements it has; `None` if it is not an array.
    pub count: Option<usize>,
}

/// A type that a field may have.
pub trait FieldType {
    /// The type of its elements.
    const ELEMENT: Element;
    /// How many elements it has, if it is an array.
    const COUNT: Option<usize> = None;
}

impl FieldType for AtomicU8 {
    const ELEMENT: Element = Element::U8;
}

impl FieldType for AtomicU64 {
    const ELEMENT: Element = Element::U64;
}

impl FieldType for u32 {
    const ELEMENT: Element = Element::U32;
}

impl FieldType for u64 {
    const ELEMENT: Element = Element::U64;
}

impl<T: FieldType, const N: usize> FieldType for [T; N] {
    const ELEMENT: Element = T::ELEMENT;
    const COUNT: Option<usize> = Some(N);
}

/// A structure whose fields are known as data.
pub trait Layout: Sized {
    /// Its name here.
    const NAME: &'static str;
    /// Its fields in order, without a gap.
    const FIELDS: &'static [Field];
}

/// Describes the field that `get` borrows.
pub const fn field<S, F: FieldType>(
    name: &'static str,
    offset_bytes: usize,
    _get: fn(&S) -> &F,
) -> Field {
    Field {
        name,
        offset_bytes,
        size_bytes: size_of::<F>(),
        element: F::ELEMENT,
        count: F::COUNT,
    }
}

/// Implements [`Layout`] for a structure by the names of its fields.
#[macro_export]
macro_rules! layout {
    ($structure:ident: $($field:ident),* $(,)?) => {
        impl $crate::layout::Layout for $structure {
            const NAME: &'static str = stringify!($structure);
            const FIELDS: &'static [$crate::layout::Field] = &[$(
                $crate::layout::field(
                    stringify!($field),
                    core::mem::offset_of!($structure, $field),
                    |structure: &$structure| &structure.$field,
                )
            ),*];
        }

        impl $crate::layout::FieldType for $structure {
            const ELEMENT: $crate::layout::Element =
                $crate::layout::Element::Structure(stringify!($structure));
        }
    };
}
pub use layout;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Header;
    use crate::device::DeviceInfo;
    use crate::epitaph::Epitaph;
    use crate::hand_off::PhysicalRange;
    use crate::keepalive::KeepaliveSlot;
    use crate::linux::{LinuxFunction, LinuxHandOff, PciRoot};
    use crate::log_ring::LogRing;
    use crate::resume_slot::ResumeSlot;
    use crate::timeline::Timeline;

    fn assert_whole<T: Layout>() {
        let end = T::FIELDS.iter().fold(0, |end, field| {
            assert_eq!(field.offset_bytes, end, "{}.{}", T::NAME, field.name);
            end + field.size_bytes
        });
        assert_eq!(end, size_of::<T>(), "{}", T::NAME);
    }

    #[test]
    fn no_field_is_forgotten_and_none_is_told_twice() {
        assert_whole::<Header>();
        assert_whole::<KeepaliveSlot>();
        assert_whole::<Epitaph>();
        assert_whole::<Timeline>();
        assert_whole::<LogRing>();
        assert_whole::<ResumeSlot>();
        assert_whole::<PhysicalRange>();
        assert_whole::<LinuxFunction>();
        assert_whole::<PciRoot>();
        assert_whole::<LinuxHandOff>();
        assert_whole::<DeviceInfo>();
    }

    #[test]
    fn a_field_is_told_as_it_is() {
        let progress = KeepaliveSlot::FIELDS.last().unwrap();
        assert_eq!(
            (progress.name, progress.offset_bytes, progress.size_bytes),
            ("progress", 40, 8 * crate::MAX_CORES)
        );
        assert_eq!(
            (progress.element, progress.count),
            (Element::U64, Some(crate::MAX_CORES))
        );
    }
}
