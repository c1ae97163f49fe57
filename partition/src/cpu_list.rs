//! CPU lists as in Linux's `isolcpus=`: `0`, `0-2,5`, and with a stride `0-7:1/2` (the first of every two).

use alloc::collections::BTreeSet;
use alloc::format;
use core::fmt;

use crate::refusal::ValueError;

/// CPU numbers are below this; it bounds what a list can ask for (Linux' largest `NR_CPUS`).
pub const CPU_NUMBERS: u32 = 8192;

/// A set of CPU numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuList(BTreeSet<u32>);

impl CpuList {
    /// Reads a list.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let mut numbers = BTreeSet::new();
        for part in text.split(',') {
            let (first, last, used, group) = parse_part(part)?;
            numbers.extend((first..=last).filter(|number| (number - first) % group < used));
        }
        Ok(Self(numbers))
    }

    /// Returns whether the CPU is in the list.
    pub fn contains(&self, number: u32) -> bool {
        self.0.contains(&number)
    }

    /// Returns the numbers, rising.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Returns how many CPUs are in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<u32> for CpuList {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

/// Parses one part between commas: `(first, last, used, group)`.
fn parse_part(part: &str) -> Result<(u32, u32, u32, u32), ValueError> {
    let (range, stride) = match part.split_once(':') {
        Some((range, stride)) => (range, Some(stride)),
        None => (part, None),
    };
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (parse_cpu(first, part)?, parse_cpu(last, part)?),
        None if stride.is_some() => return Err(not_a_list(part)),
        None => (parse_cpu(range, part)?, parse_cpu(range, part)?),
    };
    if first > last {
        return Err(ValueError::new(
            format!("`{part}` runs backwards"),
            format!("{last}-{first}"),
        ));
    }
    let Some(stride) = stride else {
        return Ok((first, last, 1, 1));
    };
    let (used, group) = stride.split_once('/').ok_or_else(|| not_a_list(part))?;
    let (used, group) = (parse_cpu(used, part)?, parse_cpu(group, part)?);
    if used == 0 || used > group {
        return Err(ValueError::new(
            format!("`{part}` takes {used} CPUs of every {group}"),
            "a stride like 1/2",
        ));
    }
    Ok((first, last, used, group))
}

fn parse_cpu(text: &str, part: &str) -> Result<u32, ValueError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_a_list(part));
    }
    text.parse()
        .ok()
        .filter(|number| *number < CPU_NUMBERS)
        .ok_or_else(|| {
            ValueError::new(
                format!("there is no CPU `{text}`"),
                format!("a CPU number below {CPU_NUMBERS}"),
            )
        })
}

fn not_a_list(part: &str) -> ValueError {
    ValueError::new(
        format!("`{part}` is not part of a CPU list"),
        "a list like 0 or 0-2,5 or 0-7:1/2",
    )
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if_eq(&last.saturating_add(1)) {
                last = next;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn numbers(text: &str) -> Vec<u32> {
        CpuList::parse(text).unwrap().iter().collect()
    }

    #[test]
    fn lists_are_read_as_linux_reads_them() {
        assert_eq!(numbers("0"), [0]);
        assert_eq!(numbers("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(numbers("5,0,5"), [0, 5]);
        assert_eq!(numbers("0-7:1/2"), [0, 2, 4, 6]);
        assert_eq!(numbers("1-9:2/4"), [1, 2, 5, 6, 9]);
        assert_eq!(CpuList::parse("3,2,1,7").unwrap().to_string(), "1-3,7");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "",
            ",",
            "0,",
            "a",
            "-1",
            "1-",
            "3-1",
            "0-7:",
            "0-7:1",
            "0-7:0/2",
            "0-7:3/2",
            "0-7:1/0",
            "0:1/2",
            "8192",
            "99999999999",
            "0-4294967295",
            "+1",
        ] {
            assert!(CpuList::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(CpuList::parse("3-1").unwrap_err().would_work, "1-3");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(set in proptest::collection::btree_set(0..CPU_NUMBERS, 1..40)) {
            let list: CpuList = set.into_iter().collect();
            prop_assert_eq!(CpuList::parse(&list.to_string()), Ok(list));
        }

        #[test]
        fn any_text_gets_an_answer(text in "[0-9,:/-]{0,20}") {
            let _ = CpuList::parse(&text);
        }
    }
}
