//! `compute=`: cores and memory for a computation, which belong to neither primary nor backup.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::value::duration_in;
use compute_slice::SliceArguments;

use crate::cpu_list::CpuList;
use crate::duration::DurationText;
use crate::refusal::{Refusal, ValueError};
use crate::size::SizeAt;

/// The name of the option.
pub const COMPUTE: &str = "compute";

/// Maximum number of slices.
pub const COMPUTE_SLICES_MAX: usize = 8;

/// Maximum length of a slice's name, in bytes.
pub const COMPUTE_NAME_BYTES_MAX: usize = 16;

/// A rank that makes no step for so long ends its slice, if the boot line does not say for how long.
const STALL_NS: u64 = 1_000_000_000;
const STALL_NS_MIN: u64 = 1_000_000;
const STALL_NS_MAX: u64 = 3_600_000_000_000;

/// What a clause looks like.
pub(super) const SYNTAX: &str =
    "NAME:[PATH],cpus=LIST,mem=SIZE[@ADDRESS][,stall=DURATION][,args=TEXT]";
const EXAMPLE: &str = "a:/boot/solver,cpus=2-3,mem=64M";

/// One slice, as the boot line asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputeClause {
    /// Its name.
    pub name: String,
    /// Path of its image; empty if it is loaded later.
    pub image: String,
    /// Its CPUs: each runs one rank.
    pub cpus: CpuList,
    /// Its memory, and where.
    pub mem: SizeAt,
    /// A rank that makes no step for so long, in ns, ends the slice.
    pub stall_ns: u64,
    /// What it computes, as text: everything behind `args=`, to the end.
    pub arguments: String,
}

impl ComputeClause {
    /// Reads `NAME:[PATH],cpus=LIST,mem=SIZE[@ADDRESS][,stall=DURATION][,args=TEXT]`. A list of CPUs has commas in it:
    /// what has no `=` goes on with what stands before it.
    pub(super) fn parse(text: &str) -> Result<Self, ValueError> {
        let malformed = |reason: String| ValueError::new(reason, format!("a value like {EXAMPLE}"));
        let (text, arguments) = text.split_once(",args=").unwrap_or((text, ""));
        let (head, rest) = text.split_once(',').unwrap_or((text, ""));
        let (name, image) = head
            .split_once(':')
            .ok_or_else(|| malformed(format!("`{head}` is not NAME:PATH or NAME:")))?;
        check_name(name)?;
        let mut clause = Self {
            name: name.into(),
            image: image.into(),
            cpus: CpuList::default(),
            mem: SizeAt::default(),
            stall_ns: STALL_NS,
            arguments: arguments.into(),
        };
        if !SliceArguments::fits(arguments) {
            let reason = format!(
                "args= has more than {} bytes, or other than printable ASCII",
                SliceArguments::BYTES
            );
            return Err(malformed(reason));
        }
        let mut items: Vec<(&str, String)> = Vec::new();
        for part in rest.split(',').filter(|part| !part.is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                let (_, value) = items
                    .last_mut()
                    .ok_or_else(|| malformed(format!("`{part}` is not NAME=VALUE")))?;
                value.push(',');
                value.push_str(part);
                continue;
            };
            if items.iter().any(|(other, _)| *other == key) {
                return Err(malformed(format!("{key}= is in it twice")));
            }
            items.push((key, value.into()));
        }
        for (key, value) in &items {
            match *key {
                "cpus" => clause.cpus = CpuList::parse(value).map_err(|it| it.of(key))?,
                "mem" => clause.mem = SizeAt::parse(value).map_err(|it| it.of(key))?,
                "stall" => {
                    let range = STALL_NS_MIN..=STALL_NS_MAX;
                    clause.stall_ns = duration_in(value, range).map_err(|it| it.of(key))?;
                }
                _ => {
                    let reason =
                        format!("a slice has no {key}=; it has cpus=, mem=, stall= and args=");
                    return Err(malformed(reason));
                }
            }
        }
        for key in ["cpus", "mem"] {
            if !items.iter().any(|(other, _)| *other == key) {
                return Err(malformed(format!("{key}= is missing")));
            }
        }
        Ok(clause)
    }

    /// Refuses this clause.
    pub fn refuse(&self, reason: impl Into<String>, would_work: impl Into<String>) -> Refusal {
        Refusal::new(COMPUTE, format!("{self}"), reason, would_work)
    }

    /// Refuses this clause. The `other` one would work; without one, to leave it out.
    pub fn refuse_for(&self, reason: impl Into<String>, other: Option<Self>) -> Refusal {
        let would_work = other.map_or("to leave it out".into(), |other| format!("{other}"));
        self.refuse(reason, would_work)
    }
}

impl fmt::Display for ComputeClause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            image,
            cpus,
            mem,
            stall_ns,
            arguments,
        } = self;
        write!(f, "{name}:{image},cpus={cpus},mem={mem}")?;
        if *stall_ns != STALL_NS {
            write!(f, ",stall={}", DurationText(*stall_ns))?;
        }
        match arguments.as_str() {
            "" => Ok(()),
            arguments => write!(f, ",args={arguments}"),
        }
    }
}

/// Checks that a name can stand in a log, in a command and in a file's name.
fn check_name(name: &str) -> Result<(), ValueError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let mut plain: String = name
        .chars()
        .filter(|it| u8::try_from(*it).is_ok_and(is_plain))
        .take(COMPUTE_NAME_BYTES_MAX)
        .collect();
    if plain == name && !name.is_empty() {
        return Ok(());
    }
    if plain.is_empty() {
        plain = "a".into();
    }
    let reason = format!(
        "`{name}` is not a name: 1 to {COMPUTE_NAME_BYTES_MAX} letters, digits, `-` and `_`"
    );
    Err(ValueError::new(reason, format!("a name like {plain}")))
}

/// Checks what clauses say of each other.
pub(super) fn check(clauses: &[ComputeClause]) -> Result<(), Refusal> {
    for (index, clause) in clauses.iter().enumerate() {
        if index >= COMPUTE_SLICES_MAX {
            let reason = format!("there are at most {COMPUTE_SLICES_MAX} slices");
            return Err(clause.refuse_for(reason, None));
        }
        let before = &clauses[..index];
        let is_taken = |name: &str| clauses.iter().any(|it| it.name == name);
        if before.iter().any(|it| it.name == clause.name) {
            // One of so many names is free.
            let free = (0..=clauses.len()).map(|number| format!("{}", number + 2));
            let name = free
                .map(|number| {
                    let kept = COMPUTE_NAME_BYTES_MAX - number.len();
                    let stem: String = clause.name.chars().take(kept).collect();
                    stem + &number
                })
                .find(|name| !is_taken(name));
            let reason = format!("there is a slice `{}` already", clause.name);
            let other = name.map(|name| ComputeClause {
                name,
                ..clause.clone()
            });
            return Err(clause.refuse_for(reason, other));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn options(clauses: &[&str]) -> Result<Options, Refusal> {
        let words = clauses.iter().map(|it| format!(" compute={it}"));
        Options::parse(&format!(
            "primary_kernel=/a failover_kernel=/b{}",
            words.collect::<String>()
        ))
    }

    #[test]
    fn a_clause_is_read_with_commas_in_its_list() {
        let clause = ComputeClause::parse("cg:/boot/cg,cpus=2-3,5,mem=64M@4G,stall=20ms").unwrap();
        assert_eq!(
            (clause.name.as_str(), clause.image.as_str()),
            ("cg", "/boot/cg")
        );
        assert_eq!(clause.cpus.to_string(), "2-3,5");
        assert_eq!(
            (clause.mem.size_bytes, clause.mem.address),
            (64 << 20, Some(4 << 30))
        );
        assert_eq!(clause.stall_ns, 20_000_000);
        let job = "cg:/boot/cg,cpus=2,mem=64M,args=cg n=32,steps=50";
        assert_eq!(
            ComputeClause::parse(job).unwrap().arguments,
            "cg n=32,steps=50"
        );
        let later = ComputeClause::parse("x:,mem=2G,cpus=0-7:1/2").unwrap();
        assert_eq!(later.to_string(), "x:,cpus=0,2,4,6,mem=2G");
    }

    #[test]
    fn each_clause_counts() {
        let options = options(&["a:,cpus=1,mem=4M", "b:,cpus=2,mem=4M"]).unwrap();
        let names: Vec<&str> = options.compute.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(
            options.as_given("compute"),
            "a:,cpus=1,mem=4M compute=b:,cpus=2,mem=4M"
        );
    }

    #[test]
    fn what_is_no_clause_is_refused_by_name_with_what_would_work() {
        for (text, reason) in [
            ("a", "`a` is not NAME:PATH or NAME:"),
            ("a:/x", "cpus= is missing"),
            ("a:/x,cpus=1", "mem= is missing"),
            ("a:/x,7,cpus=1,mem=1M", "`7` is not NAME=VALUE"),
            ("a:/x,cpus=1,cpus=2,mem=1M", "cpus= is in it twice"),
            (
                "a:/x,cpus=1,mem=1M,ranks=2",
                "a slice has no ranks=; it has cpus=, mem=, stall= and args=",
            ),
            ("a:/x,cpus=3-1,mem=1M", "cpus=: `3-1` runs backwards"),
            (
                "a:/x,cpus=1,mem=1Q",
                "mem=: `1Q` is not a size: a number, then K, M, G or T",
            ),
            ("a:/x,cpus=1,mem=1M,stall=1ns", "stall=: shorter than 1ms"),
            (
                ":/x,cpus=1,mem=1M",
                "`` is not a name: 1 to 16 letters, digits, `-` and `_`",
            ),
            (
                "a/b:/x,cpus=1,mem=1M",
                "`a/b` is not a name: 1 to 16 letters, digits, `-` and `_`",
            ),
        ] {
            let refusal = options(&[text]).unwrap_err();
            assert_eq!(
                (refusal.option.as_str(), refusal.reason.as_str()),
                ("compute", reason)
            );
            assert!(!refusal.would_work.is_empty(), "{refusal}");
        }
        let long = options(&["abcdefghijklmnopq:,cpus=1,mem=4M"]).unwrap_err();
        assert_eq!(long.would_work, "a name like abcdefghijklmnop");
    }

    #[test]
    fn a_name_is_given_once_and_there_are_eight() {
        let twice = options(&["a:,cpus=1,mem=4M", "a:,cpus=2,mem=4M", "a2:,cpus=3,mem=4M"]);
        assert_eq!(
            twice.unwrap_err().to_string(),
            "compute=a:,cpus=2,mem=4M: there is a slice `a` already; a3:,cpus=2,mem=4M would work"
        );
        let nine: Vec<String> = (1..10)
            .map(|it| format!("n{it}:,cpus={it},mem=4M"))
            .collect();
        let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
        assert!(options(&nine[..8]).is_ok());
        assert_eq!(
            options(&nine).unwrap_err().to_string(),
            "compute=n9:,cpus=9,mem=4M: there are at most 8 slices; to leave it out would work"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in "[A-Za-z0-9_-]{1,16}", image in "(/[a-z.]{1,9}){0,3}",
            cpus in proptest::collection::btree_set(0u32..100, 1..9), arguments in "([a-z]=[0-9,]{1,3}){0,3}",
            size_bytes: u64, address: Option<u64>, stall_ms in 1u64..3_600_000,
        ) {
            let clause = ComputeClause {
                name, image, cpus: cpus.into_iter().collect(), mem: SizeAt { size_bytes, address },
                stall_ns: stall_ms * 1_000_000, arguments,
            };
            prop_assert_eq!(ComputeClause::parse(&clause.to_string()), Ok(clause));
        }

        #[test]
        fn any_text_gets_an_answer(text in "[a:/,=cpusmem0-9@-]{0,40}") {
            let _ = ComputeClause::parse(&text);
        }
    }
}
