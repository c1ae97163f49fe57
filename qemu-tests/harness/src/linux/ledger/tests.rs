use super::*;

/// A store in memory, whose content a test can spoil.
#[derive(Clone, Default)]
struct Memory {
    files: BTreeMap<u64, Vec<u8>>,
    ram: Vec<u8>,
}

impl FileStore for Memory {
    fn file(&mut self, number: u64) -> Result<Option<Vec<u8>>, Problem> {
        Ok(self.files.get(&number).cloned())
    }

    fn bytes(&mut self, at: u64, length: usize) -> Result<Option<Vec<u8>>, Problem> {
        let at = at as usize;
        Ok(self.ram.get(at..at + length).map(<[u8]>::to_vec))
    }
}

impl Memory {
    fn append(&mut self, file: u64, text: &str) {
        let file = self.files.entry(file).or_default();
        file.extend(text.as_bytes());
    }

    fn put(&mut self, number: u64, bytes: &[u8]) {
        let at = place(number) as usize;
        self.ram.resize(self.ram.len().max(at + bytes.len()), 0);
        self.ram[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// Makes three files of two lines and two blocks that were written twice: all acknowledged, and all there.
fn settled() -> (FileLedger, Memory) {
    let (mut ledger, mut store) = (FileLedger::default(), Memory::default());
    for _ in 0..2 {
        for file in 0..3 {
            let line = ledger.append(file).unwrap();
            store.append(file, &format!("{line}\n"));
            ledger.appended(file);
        }
        for number in 0..2 {
            let bytes = ledger.put(number).unwrap();
            store.put(number, &bytes);
            ledger.has_put(number);
        }
    }
    (ledger, store)
}

#[test]
fn what_was_acknowledged_and_is_there_is_clean() {
    let (ledger, mut store) = settled();
    let audit = ledger.audit(&mut store).unwrap();
    let expected = FileAudit {
        files_acked: 3,
        lines_acked: 6,
        ram_bytes_acked: 20_000,
        ..FileAudit::default()
    };
    assert_eq!(audit, expected);
    assert!(audit.is_clean());
}

#[test]
fn what_is_missing_or_wrong_is_lost() {
    let (ledger, store) = settled();
    let first = line(1, 0) + "\n";
    let second = line(1, 1) + "\n";
    let damaged = second.replace('/', "-");
    for content in [
        None,
        Some(String::new()),
        Some(first.clone()),
        Some(format!("{second}{first}")),
        Some(format!("{first}{damaged}")),
        Some(format!("{first}{}", second.trim_end())),
    ] {
        let mut store = store.clone();
        store.files.remove(&1);
        if let Some(content) = &content {
            store.append(1, content);
        }
        let audit = ledger.audit(&mut store).unwrap();
        assert_eq!(
            (audit.files_lost, audit.is_clean()),
            (1, false),
            "{content:?}"
        );
        assert!(
            audit
                .to_string()
                .contains("file 1: of 2 acknowledged lines")
        );
    }
}

#[test]
fn bytes_of_the_ram_disk_are_counted_one_by_one() {
    let (ledger, store) = settled();
    let lost = |spoil: fn(&mut Vec<u8>)| {
        let mut store = store.clone();
        spoil(&mut store.ram);
        let audit = ledger.audit(&mut store).unwrap();
        assert_eq!(audit.is_clean(), audit.ram_bytes_lost == 0);
        audit.ram_bytes_lost
    };
    assert_eq!(lost(|ram| ram[3] ^= 1), 1);
    assert_eq!(lost(|ram| ram.truncate(19_999)), 10_000);
    assert_eq!(lost(Vec::clear), 20_000);
    // An earlier version is no longer what was promised.
    assert!(lost(|ram| ram[..BLOCK_BYTES].copy_from_slice(&block(0, 0))) > 9_900);
}

#[test]
fn what_is_in_doubt_may_be_there_or_not_and_is_left_alone() {
    let (mut ledger, store) = settled();
    let line = ledger.append(2).unwrap() + "\n";
    let bytes = ledger.put(1).unwrap();
    assert_eq!((ledger.append(2), ledger.put(1)), (None, None));
    for length in [0, 1, 10, line.len()] {
        let mut store = store.clone();
        store.append(2, &line[..length]);
        store.put(1, &bytes[..length]);
        assert!(ledger.audit(&mut store).unwrap().is_clean(), "{length}");
    }
    // A file of which nothing was acknowledged need not be there.
    assert!(ledger.append(7).is_some());
    let audit = ledger.audit(&mut store.clone()).unwrap();
    assert!(audit.is_clean() && audit.files_acked == 3);
}

#[test]
fn what_nobody_sent_is_invented() {
    let (mut ledger, store) = settled();
    let spoiled = |ledger: &FileLedger, text: &str| {
        let mut store = store.clone();
        store.append(0, text);
        let audit = ledger.audit(&mut store).unwrap();
        assert_eq!(audit.files_lost, 0);
        assert_eq!(audit.is_clean(), audit.files_invented == 0);
        audit.files_invented
    };
    // Nothing of it is in doubt, so not even its next line may be there.
    assert_eq!(spoiled(&ledger, &line(0, 2)), 1);
    let next = ledger.append(0).unwrap();
    assert_eq!(spoiled(&ledger, &next), 0);
    assert_eq!(spoiled(&ledger, &format!("{next}\n{next}\n")), 1);
    assert_eq!(spoiled(&ledger, "x"), 1);
}

#[test]
fn findings_add_up() {
    let (ledger, mut store) = settled();
    let clean = ledger.audit(&mut store).unwrap();
    let gone = ledger.audit(&mut Memory::default()).unwrap();
    assert_eq!((gone.files_lost, gone.ram_bytes_lost), (3, 20_000));
    let both = clean.and(gone.clone()).and(gone);
    assert_eq!(
        (both.files_acked, both.files_lost, both.lines_acked),
        (9, 6, 18)
    );
    assert_eq!(
        (both.ram_bytes_acked, both.ram_bytes_lost),
        (60_000, 40_000)
    );
    assert_eq!(both.examples.len(), EXAMPLES_MAX);
}
