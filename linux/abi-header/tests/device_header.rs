//! `linux/module/understudy.h`, which is written by hand, agrees with `sharedmem::device`.

use sharedmem::Role;
use sharedmem::device::{
    DeviceFlag, DeviceInfo, DeviceRequest, RECORD_BYTES_MAX, REQUEST_TYPE, SHARED_OFFSET,
    SPARE_OFFSET,
};
use sharedmem::layout::{Element, Layout};
use sharedmem::numbered::List;

const HEADER: &str = include_str!("../../module/understudy.h");

/// Returns what follows `#define NAME`, up to the end of the line and of its continuation lines.
fn definition(name: &str) -> String {
    let text = HEADER.replace("\\\n", " ");
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define "));
    let mut values = lines.filter_map(|line| {
        let (found, value) = line.split_once(char::is_whitespace)?;
        (found == name).then(|| {
            value
                .split("/*")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
    });
    values
        .next()
        .unwrap_or_else(|| panic!("{name} is not defined"))
}

/// Returns the value of a C constant: a number, or `1 << n` in parentheses.
fn number(name: &str) -> u64 {
    let text = definition(name);
    let plain = |text: &str| {
        let digits = text.trim().trim_end_matches(['U', 'L']);
        let (digits, radix) = digits
            .strip_prefix("0x")
            .map_or((digits, 10), |rest| (rest, 16));
        u64::from_str_radix(digits, radix).unwrap_or_else(|_| panic!("{name}: {text}"))
    };
    match text.trim_matches(['(', ')']).split_once("<<") {
        Some((one, shift)) => plain(one) << plain(shift),
        None => plain(&text),
    }
}

/// Returns the name in C: `keepalive-start` becomes `PREFIX_KEEPALIVE_START`.
fn c_name(prefix: &str, name: &str) -> String {
    format!("{prefix}_{}", name.replace('-', "_").to_ascii_uppercase())
}

fn assert_numbers(prefix: &str, list: List) {
    for entry in list.entries {
        assert_eq!(
            number(&c_name(prefix, entry.name)),
            entry.number,
            "{entry:?}"
        );
    }
}

#[test]
fn constants_are_the_same() {
    assert_numbers("UNDERSTUDY_ROLE", Role::LIST);
    assert_numbers("UNDERSTUDY_FLAG", DeviceFlag::LIST);
    assert_eq!(number("UNDERSTUDY_IOC"), REQUEST_TYPE.into());
    assert_eq!(number("UNDERSTUDY_MMAP_SHARED"), SHARED_OFFSET);
    assert_eq!(number("UNDERSTUDY_MMAP_SPARE"), SPARE_OFFSET);
    assert_eq!(number("UNDERSTUDY_RECORD_MAX"), RECORD_BYTES_MAX as u64);
}

#[test]
fn requests_have_the_same_numbers() {
    for request in DeviceRequest::ALL {
        let text = definition(&c_name("UNDERSTUDY", request.name()));
        let number = format!("(UNDERSTUDY_IOC, {}", request.number());
        assert!(text.contains(&number), "{request:?} is {text}");
    }
}

#[test]
fn the_structure_has_the_same_fields() {
    let (_, body) = HEADER
        .split_once("struct understudy_info {\n")
        .expect("the structure");
    let (body, _) = body.split_once("\n};").expect("its end");
    let found: Vec<&str> = body.lines().map(str::trim).collect();
    let expected: Vec<String> = DeviceInfo::FIELDS
        .iter()
        .map(|field| match field.element {
            Element::U32 => format!("__u32 {};", field.name),
            Element::U64 => format!("__u64 {};", field.name),
            element => panic!("{element:?}"),
        })
        .collect();
    assert_eq!(found, expected);
}
