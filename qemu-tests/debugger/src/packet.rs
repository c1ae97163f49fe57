//! The packets of GDB's remote serial protocol: `$` body `#` checksum. What comes from the other side is checked.
//!
//! Source: "Debugging with GDB", appendix E.1. Of its replies, run-length encoding and escapes are read, too.

use std::io::{self, Read, Write};

/// The longest packet that is taken, in bytes. QEMU sends 4 KiB and less.
const BODY_BYTES_MAX: usize = 1 << 16;
/// Bytes that are passed over between two packets: acknowledgements, and little else.
const NOISE_BYTES_MAX: usize = 64;

/// Writes one packet.
///
/// # Errors
/// The stream does not take it.
pub fn write(stream: &mut impl Write, body: &str) -> io::Result<()> {
    let packet = format!("${body}#{:02x}", checksum(body.as_bytes()));
    stream.write_all(packet.as_bytes())?;
    stream.flush()
}

/// Reads one packet, acknowledges it, and returns its body.
///
/// # Errors
/// The stream ends or is late, or what comes is no packet with the right checksum.
pub fn read(stream: &mut (impl Read + Write)) -> io::Result<Vec<u8>> {
    let mut noise = 0;
    while byte(stream)? != b'$' {
        noise += 1;
        if noise > NOISE_BYTES_MAX {
            return Err(bad("no packet begins"));
        }
    }
    let mut raw = Vec::new();
    loop {
        match byte(stream)? {
            b'#' => break,
            _ if raw.len() == BODY_BYTES_MAX => return Err(bad("a packet does not end")),
            next => raw.push(next),
        }
    }
    let digits = [byte(stream)?, byte(stream)?];
    let claimed = std::str::from_utf8(&digits)
        .ok()
        .and_then(|digits| u8::from_str_radix(digits, 16).ok());
    if claimed != Some(checksum(&raw)) {
        return Err(bad("a packet's checksum does not match"));
    }
    stream.write_all(b"+")?;
    unpack(&raw)
}

/// Undoes escapes and run-length encoding.
fn unpack(raw: &[u8]) -> io::Result<Vec<u8>> {
    /// The count of a run is a printable character, this one for 0.
    const COUNT_BASE: u8 = 29;
    let mut body = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(&next) = rest.next() {
        let follower = || bad("a packet ends in the middle of a code");
        match next {
            b'}' => body.push(rest.next().ok_or_else(follower)? ^ 0x20),
            b'*' => {
                let count = rest.next().and_then(|count| count.checked_sub(COUNT_BASE));
                let (count, last) = (count.ok_or_else(follower)?, body.last().copied());
                let last = last.ok_or_else(|| bad("a run of nothing"))?;
                body.extend(std::iter::repeat_n(last, count.into()));
            }
            plain => body.push(plain),
        }
    }
    Ok(body)
}

/// Returns bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads hexadecimal digits; `None` if they are none, or half a byte is missing.
pub fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

fn byte(stream: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A stream that reads `bytes`, and takes whatever is written.
    struct Stream(Cursor<Vec<u8>>);

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read_from(bytes: &[u8]) -> io::Result<Vec<u8>> {
        read(&mut Stream(Cursor::new(bytes.to_vec())))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut bytes = Vec::new();
        write(&mut bytes, "m0,8").unwrap();
        assert_eq!(bytes, b"$m0,8#01");
        assert_eq!(read_from(&bytes).unwrap(), b"m0,8");
        assert_eq!(read_from(b"++$OK#9a").unwrap(), b"OK");
        assert_eq!(read_from(b"$#00").unwrap(), b"");
    }

    #[test]
    fn runs_and_escapes_are_undone() {
        let packet =
            |body: &[u8]| [b"$", body, format!("#{:02x}", checksum(body)).as_bytes()].concat();
        assert_eq!(read_from(&packet(b"0* ")).unwrap(), b"0000");
        assert_eq!(read_from(&packet(b"}\x03")).unwrap(), b"#");
        for half in [&b"*!"[..], b"a*", b"}", b"a*\x01"] {
            assert!(read_from(&packet(half)).is_err(), "{half:?}");
        }
    }

    #[test]
    fn a_hostile_stub_gets_an_error_and_no_more_memory() {
        let endless = [&b"$"[..], &[b'a'; 2 * BODY_BYTES_MAX]].concat();
        let noise = vec![b'+'; 1000];
        for bytes in [
            &b"$OK#9b"[..],
            b"$OK#zz",
            b"$OK#",
            b"$OK",
            b"",
            &endless,
            &noise,
        ] {
            assert!(read_from(bytes).is_err());
        }
    }

    #[test]
    fn digits_are_bytes_or_nothing() {
        assert_eq!(
            from_hex(to_hex(b"\x00\xfe\x7f").as_bytes()).unwrap(),
            b"\x00\xfe\x7f"
        );
        assert_eq!(from_hex(b"0"), None);
        assert_eq!(from_hex(b"0g"), None);
        assert_eq!(from_hex(b"E14"), None);
    }
}
