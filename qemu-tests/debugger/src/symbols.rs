//! Addresses of an image's functions and statics, by parts of their names.

use elf::ElfBytes;
use elf::abi::{STT_FUNC, STT_OBJECT};
use elf::endian::LittleEndian;

use harness::files;
use harness::images;
use harness::problem::Problem;

/// The symbols of one image.
pub struct Symbols {
    list: Vec<Symbol>,
}

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// Text.
    Function,
    /// Data.
    Static,
}

/// One function or static.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// What it is.
    pub kind: SymbolKind,
    /// Its name, as the linker has it.
    pub name: String,
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
}

impl Symbol {
    /// Returns the name as people read it, without the hash.
    pub fn path(&self) -> String {
        format!("{:#}", rustc_demangle::demangle(&self.name))
    }
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

    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let broken = |error| Problem::of_host("ELF file", error);
        let elf = ElfBytes::<LittleEndian>::minimal_parse(bytes).map_err(broken)?;
        let Some((table, names)) = elf.symbol_table().map_err(broken)? else {
            return Err(Problem::BrokenSetUp("the image has no symbols".into()));
        };
        let list = table.iter().filter(|symbol| symbol.st_size > 0);
        let list = list.filter_map(|symbol| {
            let kind = match symbol.st_symtype() {
                STT_FUNC => SymbolKind::Function,
                STT_OBJECT => SymbolKind::Static,
                _ => return None,
            };
            Some(Symbol {
                kind,
                name: names.get(symbol.st_name as usize).ok()?.to_owned(),
                address: symbol.st_value,
                size_bytes: symbol.st_size,
            })
        });
        Ok(Self {
            list: list.collect(),
        })
    }

    /// Returns the symbol whose path is `path`, as people read it; a name that is not mangled is its own path.
    ///
    /// # Errors
    /// There is none.
    pub fn named(&self, path: &str) -> Result<Symbol, Problem> {
        let symbol = self.list.iter().find(|symbol| symbol.path() == path);
        symbol
            .cloned()
            .ok_or_else(|| Problem::BrokenSetUp(format!("the image has no {path}")))
    }

    /// Returns the function that has the byte at `address`.
    pub fn at(&self, address: u64) -> Option<Symbol> {
        let has_it = |symbol: &&Symbol| {
            let offset = address.checked_sub(symbol.address);
            symbol.kind == SymbolKind::Function && offset.is_some_and(|it| it < symbol.size_bytes)
        };
        self.list.iter().find(has_it).cloned()
    }

    /// Returns the byte number `number` of all that symbols of this kind name, one symbol behind the other, modulo
    /// their number: the symbol, and the offset in it.
    ///
    /// # Errors
    /// There is no such symbol.
    pub fn byte(&self, kind: SymbolKind, number: u64) -> Result<(Symbol, u64), Problem> {
        let of_kind = || self.list.iter().filter(|symbol| symbol.kind == kind);
        let sum: u64 = of_kind().map(|symbol| symbol.size_bytes).sum();
        let none = || Problem::BrokenSetUp(format!("the image has no {kind:?}"));
        let mut left = number.checked_rem(sum).ok_or_else(none)?;
        for symbol in of_kind() {
            match left.checked_sub(symbol.size_bytes) {
                Some(rest) => left = rest,
                None => return Ok((symbol.clone(), left)),
            }
        }
        Err(none())
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
            kind: SymbolKind::Function,
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
    fn every_byte_of_a_kind_has_a_number() {
        let some = symbols(&["first", "second"]);
        let byte = |number| {
            let (symbol, offset) = some.byte(SymbolKind::Function, number).unwrap();
            (symbol.name, offset)
        };
        assert_eq!(byte(1), ("first".into(), 1));
        assert_eq!(byte(2), ("second".into(), 0));
        assert_eq!(byte(4), byte(0));
        assert!(some.byte(SymbolKind::Static, 0).is_err());
        assert_eq!(some.at(2).map(|it| it.name), Some("first".into()));
        assert_eq!(some.at(3), None);
    }

    #[test]
    fn a_file_without_symbols_is_refused() {
        assert!(Symbols::parse(b"no ELF file").is_err());
    }
}
