//! Sets of cores, as ranges.

use core::fmt;

use arrayvec::ArrayVec;

use super::{Form, RawValue, Value};

/// Maximum number of ranges, so that a line has an end. A machine's missing cores lie side by side as a rule.
const RANGES_MAX: usize = 32;

/// A set of cores by their numbers, rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreList {
    /// First and last core of each range.
    ranges: ArrayVec<(u32, u32), RANGES_MAX>,
    /// Number of further cores, for which there was no room.
    further: u32,
}

impl CoreList {
    /// Iterates over the cores, rising; without those for which there was no room.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// Returns how many cores are in the set, whether there was room to name them or not.
    pub fn count(&self) -> u32 {
        let named = self.ranges.iter().map(|(first, last)| last - first + 1);
        named.fold(self.further, u32::saturating_add)
    }
}

/// Takes rising numbers.
impl FromIterator<u32> for CoreList {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut list = Self::default();
        for number in numbers {
            let is_named = list.further == 0
                && match list.ranges.last_mut() {
                    Some((_, last)) if last.checked_add(1) == Some(number) => {
                        *last = number;
                        true
                    }
                    _ => list.ranges.try_push((number, number)).is_ok(),
                };
            if !is_named {
                list.further = list.further.saturating_add(1);
            }
        }
        list
    }
}

impl Value for CoreList {
    const FORM: Form = Form::Described("`1-3,7,+5`: cores 1 to 3, 7, 5 further ones; or `none`");
    const BYTES_MAX: usize = (2 * RANGES_MAX + 1) * (<u32 as Value>::BYTES_MAX + "-".len());

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ranges.is_empty() {
            return f.write_str("none");
        }
        for (index, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
        }
        match self.further {
            0 => Ok(()),
            further => write!(f, ",+{further}"),
        }
    }

    fn read(raw: RawValue<'_>) -> Option<Self> {
        let number = |text| u32::read(RawValue::Bare(text));
        let mut list = Self::default();
        let text = raw.bare()?;
        if text == "none" {
            return Some(list);
        }
        for part in text.split(',') {
            if list.further > 0 {
                return None;
            }
            if let Some(further) = part.strip_prefix('+') {
                list.further = number(further).filter(|it| *it > 0 && !list.ranges.is_empty())?;
                continue;
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            let before = list.ranges.last().map(|(_, last)| *last);
            if first > last || before.is_some_and(|before| before >= first) {
                return None;
            }
            list.ranges.try_push((first, last)).ok()?;
        }
        Some(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::MAX_CORES;
    use std::string::{String, ToString};
    use std::vec::Vec;

    struct Written<'a>(&'a CoreList);

    impl fmt::Display for Written<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.write(f)
        }
    }

    fn written(numbers: impl Iterator<Item = u32>) -> String {
        let list: CoreList = numbers.collect();
        let text = Written(&list).to_string();
        assert_eq!(CoreList::read(RawValue::Bare(&text)), Some(list));
        text
    }

    #[test]
    fn cores_are_written_as_ranges_and_none_is_dropped_without_a_word() {
        assert_eq!(written([].into_iter()), "none");
        assert_eq!(written([1, 2, 3, 7].into_iter()), "1-3,7");
        let all = 1..MAX_CORES as u32;
        assert_eq!(written(all.clone()), "1-511");
        let every_other: CoreList = all.clone().step_by(2).collect();
        assert!(Written(&every_other).to_string().ends_with("61,63,+224"));
        assert_eq!(every_other.count(), 256);
        assert!(every_other.iter().eq(all.step_by(2).take(RANGES_MAX)));
        written((1..MAX_CORES as u32).step_by(2));
    }

    #[test]
    fn what_no_list_writes_is_not_read() {
        let wrong: Vec<&str> = "|,|1,|3-2|1,1|2-4,3|+1|1,+0|1,+2,5|1--2|-1"
            .split('|')
            .collect();
        for text in wrong {
            assert_eq!(CoreList::read(RawValue::Bare(text)), None, "{text}");
        }
    }
}
