//! CPU lists as in Linux's `isolcpus=`: `0`, `0-2,5`, and with a stride `0-7:1/2` (the first of every two). `N` is the
//! machine's last CPU, `all` is `0-N` (Documentation/admin-guide/kernel-parameters.rst, "cpu lists").

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use crate::refusal::ValueError;

/// CPU numbers are below this; it bounds what a list can ask for (Linux' largest `NR_CPUS`).
pub const CPU_NUMBERS: u32 = 8192;

/// A set of CPU numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuList {
    numbers: BTreeSet<u32>,
    /// Parts that depend on the machine's last CPU.
    relative: Vec<Part>,
}

/// One part between commas: of each `group` CPUs from `first` to `last` the first `used` ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// `None` is the machine's last CPU.
    first: Option<u32>,
    last: Option<u32>,
    used: u32,
    group: u32,
}

impl Part {
    /// Returns its numbers on a machine with this last CPU. A part that begins behind it has its first number, which is
    /// then found to be none of the machine's.
    fn numbers(self, machine_last: u32) -> impl Iterator<Item = u32> {
        let first = self.first.unwrap_or(machine_last);
        let last = self.last.unwrap_or(machine_last).max(first);
        (first..=last).filter(move |number| (number - first) % self.group < self.used)
    }
}

impl CpuList {
    /// Reads a list.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let mut list = Self::default();
        for text in text.split(',') {
            let part = parse_part(text)?;
            match part.first.and(part.last) {
                Some(last) => list.numbers.extend(part.numbers(last)),
                None => list.relative.push(part),
            }
        }
        Ok(list)
    }

    /// Returns the list on a machine with `count` CPUs: in numbers only.
    pub fn on(&self, count: u32) -> Self {
        let machine_last = count.saturating_sub(1);
        let relative = self.relative.iter();
        let more = relative.flat_map(|part| part.numbers(machine_last));
        self.iter().chain(more).collect()
    }

    /// Returns whether the CPU is in the list, by its number.
    pub fn contains(&self, number: u32) -> bool {
        self.numbers.contains(&number)
    }

    /// Returns how many numbers are in it.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.relative.is_empty()
    }

    /// Returns the numbers, rising. Parts with `N` or `all` have none before [`on`](Self::on).
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.numbers.iter().copied()
    }
}

impl FromIterator<u32> for CpuList {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self {
            numbers: numbers.into_iter().collect(),
            relative: Vec::new(),
        }
    }
}

/// Parses one part between commas.
fn parse_part(part: &str) -> Result<Part, ValueError> {
    let (range, stride) = match part.split_once(':') {
        Some((range, stride)) => (range, Some(stride)),
        None => (part, None),
    };
    let (first, last) = match range.split_once('-') {
        _ if range.eq_ignore_ascii_case("all") => (Some(0), None),
        Some((first, last)) => (parse_bound(first, part)?, parse_bound(last, part)?),
        None if stride.is_some() => return Err(not_a_list(part)),
        None => (parse_bound(range, part)?, parse_bound(range, part)?),
    };
    let is_backwards = match (first, last) {
        (Some(first), Some(last)) => first > last,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    if is_backwards {
        let text = |bound: Option<u32>| bound.map_or("N".into(), |number| number.to_string());
        let (first, last) = (text(first), text(last));
        return Err(ValueError::new(
            format!("`{part}` runs backwards"),
            format!("{last}-{first}"),
        ));
    }
    let Some(stride) = stride else {
        return Ok(Part {
            first,
            last,
            used: 1,
            group: 1,
        });
    };
    let (used, group) = stride.split_once('/').ok_or_else(|| not_a_list(part))?;
    let (used, group) = (parse_cpu(used, part)?, parse_cpu(group, part)?);
    if used == 0 || used > group {
        return Err(ValueError::new(
            format!("`{part}` takes {used} CPUs of every {group}"),
            "a stride like 1/2",
        ));
    }
    Ok(Part {
        first,
        last,
        used,
        group,
    })
}

/// Parses one end of a range; `None` is the machine's last CPU.
fn parse_bound(text: &str, part: &str) -> Result<Option<u32>, ValueError> {
    match text {
        "N" => Ok(None),
        _ => parse_cpu(text, part).map(Some),
    }
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
        for part in &self.relative {
            match part.first {
                Some(first) => write!(f, "{separator}{first}-N:{}/{}", part.used, part.group)?,
                None => write!(f, "{separator}N")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn the_last_cpu_and_all_depend_on_the_machine() {
        let on = |text: &str, count| CpuList::parse(text).unwrap().on(count).to_string();
        assert_eq!(on("0,N", 8), "0,7");
        assert_eq!(on("0,6-N", 8), "0,6-7");
        assert_eq!(on("all:1/2", 8), "0,2,4,6");
        assert_eq!(
            [on("all", 8), on("ALL", 1), on("0-N", 8)],
            ["0-7", "0", "0-7"]
        );
        assert_eq!(on("0-2,5", 2), "0-2,5");
        // Told as a CPU that is not there.
        assert_eq!(on("9-N", 4), "9");
        assert_eq!(CpuList::parse("N-3").unwrap_err().would_work, "3-N");
        for text in ["0,N", "all", "1-N:2/3,4"] {
            let list = CpuList::parse(text).unwrap();
            assert_eq!(CpuList::parse(&list.to_string()), Ok(list));
        }
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
        fn any_text_gets_an_answer(text in "[0-9N,:/-]{0,20}") {
            let _ = CpuList::parse(&text);
        }
    }
}
