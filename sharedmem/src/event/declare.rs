//! The macro that turns the table's declarations into types.

/// Declares the events of some writers. Makes a struct for each, its lines and its entry in the table; and `GROUP`,
/// which lists them.
macro_rules! events {
    (
        $(#[doc = $writers:literal])+
        $(
            event $type:ident = $name:literal: $(#[doc = $says:literal])+
            { $( $(#[doc = $field_says:literal])+ $field:ident: $field_type:ty, )* }
        )+
    ) => {
        $(
            $(#[doc = $says])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $type {
                $( $(#[doc = $field_says])+ pub $field: $field_type, )*
            }

            impl $crate::event::Event for $type {
                const SPEC: $crate::event::Spec = $crate::event::Spec {
                    name: $name,
                    type_name: stringify!($type),
                    says: concat!($($says),+),
                    fields: &[$( $crate::event::FieldSpec {
                        key: stringify!($field),
                        form: <$field_type as $crate::event::Field>::FORM,
                        says: concat!($($field_says),+),
                        bytes_max: " =".len() + stringify!($field).len()
                            + <$field_type as $crate::event::Field>::BYTES_MAX,
                    }, )*],
                    check: |line| <Self as $crate::event::Event>::parse(line).map(drop),
                };

                fn parse(line: &str) -> Result<Self, $crate::event::ParseError> {
                    #[allow(unused_mut, reason = "an event may have no fields")]
                    let mut fields = $crate::event::Fields::of(line, $name)?;
                    let event = Self {
                        $( $field: $crate::event::Field::take(stringify!($field), &mut fields)?, )*
                    };
                    fields.end(&event, line)?;
                    Ok(event)
                }
            }

            impl core::fmt::Display for $type {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str(concat!("event=", $name))?;
                    $( $crate::event::Field::write(&self.$field, stringify!($field), f)?; )*
                    f.write_str($crate::event::END)
                }
            }

            #[cfg(test)]
            impl proptest::arbitrary::Arbitrary for $type {
                type Parameters = ();
                type Strategy = proptest::strategy::BoxedStrategy<Self>;

                fn arbitrary_with((): ()) -> Self::Strategy {
                    use proptest::strategy::Strategy;
                    let fields = (
                        proptest::strategy::Just(()),
                        $(proptest::arbitrary::any::<$field_type>(),)*
                    );
                    fields.prop_map(|((), $($field,)*)| Self { $($field,)* }).boxed()
                }
            }
        )+

        /// This part of the table.
        pub(super) const GROUP: $crate::event::Group = $crate::event::Group {
            writers: concat!($($writers),+),
            events: &[$(<$type as $crate::event::Event>::SPEC),+],
        };

        #[cfg(test)]
        pub(crate) fn check_round_trips() {
            $( $crate::event::tests::check_round_trip::<$type>(); )+
        }
    };
}

pub(super) use events;
