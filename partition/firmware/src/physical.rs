//! Reading what firmware and boot loader left in physical memory, none of which is trusted.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Physical memory, as somebody else maps it.
pub trait PhysicalMemory {
    /// Fills `buffer` with the bytes from `address` on. Returns false, with the buffer in any state, if not all of them
    /// can be read; no address and no length may make it panic.
    fn read(&self, address: u64, buffer: &mut [u8]) -> bool;
}

/// What is wrong with something that firmware or boot loader left: the table or block, the field, and the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The table or block: `MADT`, `hvm_start_info`, ...
    pub block: &'static str,
    /// The field in it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The memory at this address cannot be read.
    Unreadable(u64),
    /// A value that cannot be: found, and what it should be.
    Value(u64, &'static str),
    /// The bytes do not sum up to 0.
    Checksum,
    /// It is not there.
    Missing,
    /// It is there twice; the value, or 0 where there is none.
    Duplicate(u64),
    /// It ends before it should: bytes there are.
    TooShort(u64),
    /// It is longer than anything sensible: the limit, in bytes or entries.
    TooLong(u64),
    /// Text that is not UTF-8.
    NotUtf8,
}

impl InputError {
    pub(crate) fn new(block: &'static str, field: &'static str, problem: Problem) -> Self {
        Self {
            block,
            field,
            problem,
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.block, self.field)?;
        match &self.problem {
            Problem::Unreadable(address) => write!(f, "nothing can be read at {address:#x}"),
            Problem::Value(found, expected) => write!(f, "is {found:#x}, should be {expected}"),
            Problem::Checksum => f.write_str("the bytes do not sum up to 0"),
            Problem::Missing => f.write_str("missing"),
            Problem::Duplicate(value) => write!(f, "there twice ({value:#x})"),
            Problem::TooShort(length) => write!(f, "cut off after {length} bytes"),
            Problem::TooLong(limit) => write!(f, "longer than the limit of {limit}"),
            Problem::NotUtf8 => f.write_str("not UTF-8"),
        }
    }
}

impl core::error::Error for InputError {}

/// A block of bytes with a name, whose fields are read with their bounds checked; little endian.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

impl Block {
    /// Copies a block out of memory. The caller has bounded `size_bytes`.
    pub fn read(
        memory: &dyn PhysicalMemory,
        address: u64,
        size_bytes: usize,
        name: &'static str,
    ) -> Result<Self, InputError> {
        let mut bytes = vec![0; size_bytes];
        if address.checked_add(size_bytes as u64).is_none() || !memory.read(address, &mut bytes) {
            return Err(InputError::new(
                name,
                "address",
                Problem::Unreadable(address),
            ));
        }
        Ok(Self { name, bytes })
    }

    pub fn error(&self, field: &'static str, problem: Problem) -> InputError {
        InputError::new(self.name, field, problem)
    }

    fn array<const N: usize>(
        &self,
        offset: usize,
        field: &'static str,
    ) -> Result<[u8; N], InputError> {
        self.bytes
            .get(offset..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .ok_or_else(|| self.error(field, Problem::TooShort(self.bytes.len() as u64)))
    }

    pub fn u8(&self, offset: usize, field: &'static str) -> Result<u8, InputError> {
        self.array::<1>(offset, field).map(|[byte]| byte)
    }

    pub fn u16(&self, offset: usize, field: &'static str) -> Result<u16, InputError> {
        self.array(offset, field).map(u16::from_le_bytes)
    }

    pub fn u32(&self, offset: usize, field: &'static str) -> Result<u32, InputError> {
        self.array(offset, field).map(u32::from_le_bytes)
    }

    pub fn u64(&self, offset: usize, field: &'static str) -> Result<u64, InputError> {
        self.array(offset, field).map(u64::from_le_bytes)
    }
}

/// Reads text that ends with a zero byte. Byte by byte, since the byte behind the text may not be readable.
pub(crate) fn read_text(
    memory: &dyn PhysicalMemory,
    address: u64,
    limit_bytes: usize,
    block: &'static str,
    field: &'static str,
) -> Result<String, InputError> {
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        let at = address.saturating_add(text.len() as u64);
        if !memory.read(at, &mut byte) {
            return Err(InputError::new(block, field, Problem::Unreadable(at)));
        }
        match byte[0] {
            0 => break,
            _ if text.len() == limit_bytes => {
                return Err(InputError::new(
                    block,
                    field,
                    Problem::TooLong(limit_bytes as u64),
                ));
            }
            byte => text.push(byte),
        }
    }
    String::from_utf8(text).map_err(|_| InputError::new(block, field, Problem::NotUtf8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeMemory;
    use alloc::string::ToString;

    #[test]
    fn text_ends_at_its_zero_or_is_refused() {
        let mut memory = FakeMemory::default();
        memory.put(100, b"hello\0");
        memory.put(200, b"no end");
        memory.put(300, b"\xff\0");
        let read = |address, limit| read_text(&memory, address, limit, "block", "text");
        assert_eq!(read(100, 5).unwrap(), "hello");
        assert_eq!(read(100, 4).unwrap_err().problem, Problem::TooLong(4));
        assert_eq!(read(200, 99).unwrap_err().problem, Problem::Unreadable(206));
        assert_eq!(read(300, 99).unwrap_err().problem, Problem::NotUtf8);
        assert!(read(u64::MAX, 99).is_err());
    }

    #[test]
    fn fields_are_inside_their_block() {
        let mut memory = FakeMemory::default();
        memory.put(16, &[1, 2, 3, 4, 5, 6, 7, 8]);
        let block = Block::read(&memory, 16, 8, "thing").unwrap();
        assert_eq!(block.u32(4, "last"), Ok(0x0807_0605));
        assert_eq!(
            block.u32(5, "past").unwrap_err().to_string(),
            "thing: past: cut off after 8 bytes"
        );
        assert!(block.u8(usize::MAX, "far").is_err());
        assert!(Block::read(&memory, u64::MAX, 8, "thing").is_err());
    }
}
