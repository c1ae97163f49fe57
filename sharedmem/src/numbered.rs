//! Lists of numbered values: everything that crosses a boundary as a number and has a name.
//!
//! An entry is one line: the variant, its number, its name for programs, and its meaning. Whoever shows or parses such
//! a value iterates over the list, so an entry is added in one place.

/// One value of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its variant in Rust, in camel case.
    pub variant: &'static str,
    /// Its number in memory, which is never given to another value.
    pub number: u64,
    /// Its name for programs, in lower case with hyphens: in logs, JSON and on command lines.
    pub name: &'static str,
    /// Its meaning, for people.
    pub text: &'static str,
}

/// A list, for consumers that treat all lists alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    /// The name of its type.
    pub name: &'static str,
    /// Its values, in their order.
    pub entries: &'static [Entry],
}

/// Defines an enum whose values have a number, a name and a meaning.
macro_rules! numbered {
    (
        $(#[$about:meta])*
        pub enum $list:ident {
            $( $(#[$detail:meta])* $variant:ident = $number:literal, $name:literal, $text:literal; )+
        }
    ) => {
        $(#[$about])*
        #[repr(u64)]
        #[derive(Clone, Copy, core::fmt::Debug, PartialEq, Eq)]
        pub enum $list {
            $(
                #[doc = concat!("`", $name, "`: ", $text, ".")]
                $(#[$detail])*
                $variant = $number,
            )+
        }

        impl $list {
            /// Number of values.
            pub const COUNT: usize = [$(stringify!($variant)),+].len();

            /// All values, in their order.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant),+];

            /// The list as data.
            pub const LIST: $crate::numbered::List = $crate::numbered::List {
                name: stringify!($list),
                entries: &[$(
                    $crate::numbered::Entry {
                        variant: stringify!($variant),
                        number: $number,
                        name: $name,
                        text: $text,
                    },
                )+],
            };

            /// Returns its number.
            pub const fn number(self) -> u64 {
                self as u64
            }

            /// Returns the value with this number; `None` if there is none.
            pub const fn from_number(number: u64) -> Option<Self> {
                match number {
                    $( $number => Some(Self::$variant), )+
                    _ => None,
                }
            }

            /// Returns its name for programs.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )+
                }
            }

            /// Returns its meaning, for people.
            pub const fn text(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }
        }
    };
}
pub(crate) use numbered;

#[cfg(test)]
mod tests {
    numbered! {
        /// A list.
        pub enum Fruit {
            Pear = 3, "pear", "a pear";
            BloodOrange = 1, "blood-orange", "an orange that is red inside";
        }
    }

    #[test]
    fn a_value_has_a_number_a_name_and_a_meaning() {
        assert_eq!(Fruit::ALL, [Fruit::Pear, Fruit::BloodOrange]);
        assert_eq!(Fruit::from_number(1), Some(Fruit::BloodOrange));
        assert_eq!(Fruit::from_number(2), None);
        let pear = Fruit::Pear;
        assert_eq!(
            (pear.number(), pear.name(), pear.text()),
            (3, "pear", "a pear")
        );
        let entry = Fruit::LIST.entries[1];
        assert_eq!(
            (Fruit::LIST.name, entry.variant, entry.number),
            ("Fruit", "BloodOrange", 1)
        );
    }
}
