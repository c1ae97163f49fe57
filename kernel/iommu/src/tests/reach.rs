//! What tables reach, whatever their shape.

use proptest::prelude::*;

use super::*;

/// Walks through tables with nothing but the entry's own bits.
fn reaches(memory: &mut FakeMemory, domain: &Domain, address: u64) -> bool {
    let Shape { format, levels, .. } = domain.shape();
    if address >= domain.shape().end() {
        return false;
    }
    let mut table = domain.top();
    for level in (1..=levels).rev() {
        let shift = 12 + 9 * (level - 1);
        let entry = memory.read(table + (address >> shift & 511) * 8);
        let place = entry & 0x000f_ffff_ffff_f000;
        let (is_present, is_page) = match format {
            Format::Intel => (entry & 0b11 == 0b11, level == 1 || entry & 1 << 7 != 0),
            Format::Amd => (entry & 1 != 0, entry >> 9 & 7 == 0),
        };
        if !is_present {
            return false;
        }
        if is_page {
            assert_eq!(place, address >> shift << shift);
            return true;
        }
        table = place;
    }
    false
}

fn any_shape() -> impl Strategy<Value = Shape> {
    (any::<bool>(), 3u32..=4, 1u32..=3).prop_map(|(is_intel, levels, page_level)| Shape {
        format: if is_intel { Format::Intel } else { Format::Amd },
        levels,
        page_level,
        is_coherent: true,
    })
}

/// Ranges of whole pages, near each other and near the borders of tables.
fn any_ranges() -> impl Strategy<Value = Vec<Range<u64>>> {
    let base = prop_oneof![
        Just(0u64),
        Just(512 << 20),
        Just((1 << 30) - (4 << 20)),
        Just(511 << 30)
    ];
    let range = (base, 0u64..2048, 1u64..1500).prop_map(|(base, start, pages)| {
        let start = base + start * 4096;
        start..(start + pages * 4096).min(1 << 39)
    });
    proptest::collection::vec(range, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_owner_reaches_its_pages_and_no_others_and_takes_no_more_tables_than_said(
        shape in any_shape(), owners in proptest::collection::vec(any_ranges(), 2..3),
    ) {
        let mut memory = FakeMemory::new(true, false);
        let most: u64 = owners.iter().map(|it| shape.tables_max(it)).sum();
        let mut frames = Frames::new(TABLES, TABLES + (3 + most) * PAGE_BYTES);
        let domain = Domain::new(&mut memory, &mut frames, shape, &owners).unwrap();
        let is_in = |ranges: &[Range<u64>], page: u64| ranges.iter().any(|it| it.contains(&page));
        let ends = owners.iter().flatten().flat_map(|it| [it.start, it.end]);
        let near = ends.flat_map(|end| [end.saturating_sub(4096), end, end + 4096, end + (2 << 20), end ^ (1 << 30)]);
        let pages: Vec<u64> = near.chain([0, 1 << 39, 1 << 47]).collect();
        for (number, ranges) in owners.iter().enumerate() {
            domain.grant(&mut memory, number);
            for page in &pages {
                prop_assert_eq!(reaches(&mut memory, &domain, *page), is_in(ranges, *page), "{:#x}", page);
            }
            domain.deny(&mut memory);
            for page in &pages {
                prop_assert!(!reaches(&mut memory, &domain, *page));
            }
        }
    }
}

#[test]
fn a_machine_of_4_tib_takes_a_page_of_tables_for_each_gib_at_most() {
    let shape = Shape {
        format: Format::Intel,
        levels: 4,
        page_level: 2,
        is_coherent: true,
    };
    let memory = 0..(4u64 << 40);
    assert_eq!(shape.tables_max(from_ref(&memory)), 4096 + 8 + 2);
    let bytes = bytes_max(shape, 1, 4, 2, from_ref(&memory), 16);
    assert!(bytes < 40 << 20, "{bytes}");
}
