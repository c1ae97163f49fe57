//! Addresses of an image's functions and statics, by parts of their names.

use elf::ElfBytes;
use elf::endian::LittleEndian;

use crate::files;
use crate::images;
use crate::problem::Problem;

/// The symbols of one image.
pub struct Symbols {
    list: Vec<Symbol>,
}

/// One function or static.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, as the linker has it.
    pub name: String,
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
}

impl Symbols {
    /// Reads the symbols of the monitor, as it was built last.
    ///
    /// # Errors
    /// It was not built, or has no symbols.
    pub fn of_monitor() -> Result<Self, Problem> {
        Self::parse(&files::read(&images::built().join("understudy"))?)
    }

    /// Reads the symbols of the instance's image, as it was built last.
    ///
    /// # Errors
    /// As [`of_monitor`](Self::of_monitor).
    pub fn of_instance() -> Result<Self, Problem> {
        Self::parse(&files::read(&images::built().join("instance"))?)
    }

    /// Reads the symbols of the kernel of compute slices, as it was built last.
    ///
    /// # Errors
    /// As [`of_monitor`](Self::of_monitor).
    pub fn of_compute_node() -> Result<Self, Problem> {
        Self::parse(&files::read(&images::built().join("compute-node"))?)
    }

    /// Returns the symbol of exactly this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(&self, name: &str) -> Result<Symbol, Problem> {
        let found = self.list.iter().find(|symbol| symbol.name == name);
        found
            .cloned()
            .ok_or_else(|| Problem::BrokenSetUp(format!("the image has no {name}")))
    }

    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let broken = |error| Problem::of_host("ELF file", error);
        let elf = ElfBytes::<LittleEndian>::minimal_parse(bytes).map_err(broken)?;
        let Some((table, names)) = elf.symbol_table().map_err(broken)? else {
            return Err(Problem::BrokenSetUp("the image has no symbols".into()));
        };
        let list = table.iter().filter(|symbol| symbol.st_size > 0);
        let list = list.filter_map(|symbol| {
            Some(Symbol {
                name: names.get(symbol.st_name as usize).ok()?.to_owned(),
                address: symbol.st_value,
                size_bytes: symbol.st_size,
            })
        });
        Ok(Self {
            list: list.collect(),
        })
    }

    /// Returns the one symbol whose path has `parts` as its last names, in this order: `["Service", "apply"]`.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn find(&self, parts: &[&str]) -> Result<Symbol, Problem> {
        let wanted: String = parts
            .iter()
            .map(|part| format!("{}{part}", part.len()))
            .collect();
        // A hash of 16 digits ends the name.
        let is_wanted = |symbol: &&Symbol| symbol.name.contains(&format!("{wanted}17h"));
        let mut found = self.list.iter().filter(is_wanted);
        match (found.next(), found.next()) {
            (Some(symbol), None) => Ok(symbol.clone()),
            (None, _) => Err(Problem::BrokenSetUp(format!("the image has no {parts:?}"))),
            _ => Err(Problem::BrokenSetUp(format!(
                "the image has several {parts:?}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(names: &[&str]) -> Symbols {
        let symbol = |name: &&str| Symbol {
            name: (*name).to_owned(),
            address: 1,
            size_bytes: 2,
        };
        Symbols {
            list: names.iter().map(symbol).collect(),
        }
    }

    #[test]
    fn a_symbol_is_found_by_the_end_of_its_path_if_it_is_the_only_one() {
        let some = symbols(&[
            "_ZN7service7service7Service5apply17he579961a872c7e6bE",
            "_ZN7network5flows5Flows5apply17h23579d4424c27b05E",
            "_ZN7service7service7Service10apply_fact17h23579d4424c27b05E",
        ]);
        assert!(
            some.find(&["Service", "apply"])
                .unwrap()
                .name
                .contains("he579")
        );
        assert!(some.find(&["apply"]).is_err());
        assert!(some.find(&["Service"]).is_err());
    }

    #[test]
    fn a_file_without_symbols_is_refused() {
        assert!(Symbols::parse(b"no ELF file").is_err());
        assert!(Symbols::parse(&crate::elf_image::tests::instance(&[])).is_err());
    }
}
