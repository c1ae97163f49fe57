//! Symbolic links of the boot's files: from a path to the path that it leads to.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Linux gives up after as many (`MAXSYMLINKS`).
const HOPS_MAX: usize = 40;

/// Symbolic links, by path, with their targets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links(Vec<(String, String)>);

impl Links {
    pub fn add(&mut self, path: &str, target: &str) {
        self.0.push((path.to_string(), target.to_string()));
    }

    pub fn extend(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    /// Returns the links, each as people write it.
    pub fn texts(&self) -> impl Iterator<Item = String> + '_ {
        let links = self.0.iter();
        links.map(|(path, target)| format!("{path} -> {target}"))
    }

    /// Returns where `path` leads to; `None` if it goes round in circles.
    pub fn resolve(&self, path: &str) -> Option<String> {
        let mut path = normal(path);
        for _ in 0..HOPS_MAX {
            let Some(next) = self.follow(&path) else {
                return Some(path);
            };
            path = next;
        }
        None
    }

    /// Follows the first link in `path`, be it a folder's or the file's own.
    fn follow(&self, path: &str) -> Option<String> {
        let ends = path.match_indices('/').map(|(end, _)| end);
        ends.chain([path.len()]).find_map(|end| {
            let (prefix, rest) = path.split_at(end);
            // Of two links at one path the later counts.
            let (_, target) = self.0.iter().rev().find(|(link, _)| link == prefix)?;
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            Some(normal(&match target.starts_with('/') {
                true => format!("{target}{rest}"),
                false => format!("{folder}/{target}{rest}"),
            }))
        })
    }
}

/// Returns the path from the root on, without a leading `/`, `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_paths() {
        let mut links = Links::default();
        for (path, target) in [
            ("boot/a", "a-1.0"),
            ("b", "/boot/a"),
            ("vm", "boot/../boot/./a"),
            ("kernels", "boot"),
            ("round", "about"),
            ("about", "round"),
        ] {
            links.add(path, target);
        }
        for path in ["/boot/a", "b", "vm", "kernels/a", "./boot/a-1.0"] {
            assert_eq!(links.resolve(path).as_deref(), Some("boot/a-1.0"), "{path}");
        }
        assert_eq!(links.resolve("../x").as_deref(), Some("x"));
        assert_eq!(links.resolve("round"), None);
    }
}
