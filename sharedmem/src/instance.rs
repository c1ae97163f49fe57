//! The two instances, their roles, and per-instance values.

use core::array;
use core::fmt;
use core::ops::{Index, IndexMut};

use crate::numbered::numbered;

numbered! {
    /// One of the two instances. They swap roles and keep their names.
    pub enum Instance {
        A = 0, "a", "the first primary";
        B = 1, "b", "the first backup";
    }
}

impl Instance {
    /// Returns the other instance.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Returns its index in an array of both.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Writes its name.
impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

numbered! {
    /// The role of an instance.
    pub enum Role {
        Primary = 1, "primary", "it serves, and owns the devices";
        Backup = 2, "backup", "it waits beside a primary";
    }
}

impl Role {
    /// Returns the instance that is loaded for this role at the machine's boot.
    pub const fn first_instance(self) -> Instance {
        match self {
            Self::Primary => Instance::A,
            Self::Backup => Instance::B,
        }
    }
}

/// A value for each instance.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerInstance<T>([T; Instance::COUNT]);

impl<T> PerInstance<T> {
    /// Makes one from the values of instance a and instance b.
    pub const fn new(a: T, b: T) -> Self {
        Self([a, b])
    }

    /// Makes one from a function of the instance.
    pub fn from_fn(mut of: impl FnMut(Instance) -> T) -> Self {
        Self(array::from_fn(|index| of(Instance::ALL[index])))
    }

    /// Iterates over the values and the instances they belong to.
    pub fn iter(&self) -> impl Iterator<Item = (Instance, &T)> {
        Instance::ALL.into_iter().zip(&self.0)
    }
}

impl<T> Index<Instance> for PerInstance<T> {
    type Output = T;

    fn index(&self, instance: Instance) -> &T {
        &self.0[instance.index()]
    }
}

impl<T> IndexMut<Instance> for PerInstance<T> {
    fn index_mut(&mut self, instance: Instance) -> &mut T {
        &mut self.0[instance.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_another_and_a_place_of_its_own() {
        for (index, instance) in Instance::ALL.into_iter().enumerate() {
            assert_eq!(instance.index(), index);
            assert_ne!(instance.other(), instance);
            assert_eq!(instance.other().other(), instance);
            assert_eq!(std::format!("{instance}"), instance.name());
        }
    }

    #[test]
    fn what_belongs_to_an_instance_is_found_by_it() {
        let mut letters = PerInstance::from_fn(Instance::name);
        assert_eq!(letters, PerInstance::new("a", "b"));
        letters[Instance::B] = "c";
        assert!(
            letters
                .iter()
                .eq([(Instance::A, &"a"), (Instance::B, &"c")])
        );
    }
}
