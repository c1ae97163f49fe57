//! What a build decides: the default of `failover_timeout=`, by the variable `FAILOVER_TIMEOUT_MS`.

/// The time-out for builds that do not set `FAILOVER_TIMEOUT_MS`.
pub(super) const FAILOVER_TIMEOUT: &str = match option_env!("FAILOVER_TIMEOUT_MS") {
    Some(text) => text,
    None => "10ms",
};

// A build with a bad time-out would refuse every boot that does not give one; so would one with a time-out above the
// default of failover_boot_timeout, 5 s.
const _: () = if let Some(text) = option_env!("FAILOVER_TIMEOUT_MS") {
    match whole_number(text) {
        Some(2..=5_000) => {}
        _ => panic!("FAILOVER_TIMEOUT_MS is a whole number of milliseconds from 2 to 5000"),
    }
};

const fn whole_number(text: &str) -> Option<u64> {
    let digits = text.as_bytes();
    let (mut value, mut place) = (0, 0);
    while place < digits.len() {
        if !digits[place].is_ascii_digit() || place > 8 {
            return None;
        }
        value = value * 10 + (digits[place] - b'0') as u64;
        place += 1;
    }
    if digits.is_empty() { None } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use super::whole_number;

    #[test]
    fn the_build_reads_whole_numbers_only() {
        assert_eq!(whole_number("60000"), Some(60_000));
        assert_eq!(whole_number("0"), Some(0));
        for text in ["", "10ms", "-1", "1.5", " 1", "9999999999"] {
            assert_eq!(whole_number(text), None, "{text:?}");
        }
    }
}
