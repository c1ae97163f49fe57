//! Prints records that programs appended to the journal, and appends some.

use std::io::{BufRead, Read, Write};
use std::thread;
use std::time::Duration;

use journal::{Journal, Next, Reader, Record};
use serde_json::json;
use sharedmem::crc32c::Crc32c;
use sharedmem::device::RECORD_BYTES_MAX;
use sharedmem::protection::ProtectionState;
use sharedmem::{Control, RecordKind, Words};

use crate::log;
use crate::module::Module;
use crate::problem::Problem;

/// How often to look for new records.
const FOLLOW_POLL: Duration = Duration::from_millis(20);

/// How records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are, with a line end after each.
    Raw,
    /// The same, without control characters that a terminal would obey.
    Printable,
    /// A line of JSON each: position, epoch, and the text, or bytes that are not UTF-8 in hexadecimal digits.
    Json,
}

/// How to print the records.
pub struct Request {
    /// The form in which they are printed.
    pub form: Form,
    /// Continue with records that are appended later.
    pub follow: bool,
    /// Free the room of the printed records.
    pub consume: bool,
}

/// Prints the records that were not consumed yet, in order. Names damage on `errors`. Returns whether there was none.
///
/// # Errors
/// Returns an error if the ring is too small, if another kernel consumes the journal, or if `out` fails.
pub fn print<W: Words + Copy>(
    control: &Control,
    words: W,
    request: &Request,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> Result<bool, Problem> {
    let salt = control
        .header
        .journal_salt
        .load(std::sync::atomic::Ordering::Relaxed);
    let journal = Journal::salted(words, &control.journal, salt, Crc32c::detect())
        .map_err(|error| Problem::No(error.to_string()))?;
    let mut reader = Reader::new(journal, journal.cursors().consumed);
    let mut buffer = Vec::new();
    let mut is_whole = true;
    loop {
        match reader.next(control.epoch.current(), &mut buffer) {
            Next::Record(record) => {
                if record.kind.known() == Some(RecordKind::Application) {
                    write(&record, request.form, out).map_err(Problem::with("writing a record"))?;
                }
            }
            Next::Finding(finding) => {
                is_whole = false;
                let _ = writeln!(errors, "understudyctl: {}", finding);
            }
            Next::Searching => {}
            Next::End => {
                out.flush().map_err(Problem::with("writing a record"))?;
                if request.consume {
                    may_consume(control)?;
                    journal.mark_consumed(reader.position());
                }
                if !request.follow {
                    return Ok(is_whole);
                }
                thread::sleep(FOLLOW_POLL);
            }
        }
    }
}

/// Checks that this program may consume records. A backup that reads the journal consumes it itself; a parked Linux
/// reads none.
fn may_consume(control: &Control) -> Result<(), Problem> {
    let is_parked = control
        .resume_slots
        .iter()
        .any(|(_, slot)| slot.ticket().is_some());
    match control.protection.state() == ProtectionState::NoBackup || is_parked {
        true => Ok(()),
        false => Err(Problem::No(
            "the backup consumes the journal itself; omit --consume".into(),
        )),
    }
}

fn write(record: &Record<'_>, form: Form, out: &mut dyn Write) -> std::io::Result<()> {
    match form {
        Form::Raw => {
            out.write_all(record.payload)?;
            match record.payload.ends_with(b"\n") {
                true => Ok(()),
                false => out.write_all(b"\n"),
            }
        }
        Form::Printable => writeln!(
            out,
            "{}",
            log::printable(record.payload).trim_end_matches('\n')
        ),
        Form::Json => {
            let mut line = json!({"position": record.position, "epoch": record.epoch});
            match str::from_utf8(record.payload) {
                Ok(text) => line["text"] = text.into(),
                Err(_) => line["hex"] = hex(record.payload).into(),
            }
            writeln!(out, "{line}")
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Appends each line of `input`, or all of it as one record. Returns the number of records.
///
/// # Errors
/// Returns an error if this is not the primary, if a record is too long or empty, or if there is no room.
pub fn append(module: &dyn Module, mut input: impl BufRead, whole: bool) -> Result<u64, Problem> {
    if !module.info()?.is_primary() {
        return Err(Problem::No(
            "only the primary can append to the journal".into(),
        ));
    }
    let mut count = 0;
    loop {
        let mut record = Vec::new();
        // One byte more than the maximum shows that a record is too long.
        let mut limited = input.by_ref().take(RECORD_BYTES_MAX as u64 + 2);
        let read = match whole {
            true => limited.read_to_end(&mut record),
            false => limited.read_until(b'\n', &mut record),
        };
        if read.map_err(Problem::with("standard input"))? == 0 {
            return Ok(count);
        }
        if !whole && record.ends_with(b"\n") {
            record.pop();
        }
        if record.is_empty() || record.len() > RECORD_BYTES_MAX {
            return Err(Problem::Usage(format!(
                "record {} is {}: a record has 1 to {RECORD_BYTES_MAX} bytes; {count} records were appended",
                count + 1,
                if record.is_empty() {
                    "empty"
                } else {
                    "too long"
                },
            )));
        }
        module.append(&record)?;
        count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeModule;
    use sharedmem::Instance;
    use sharedmem::resume_slot::Ticket;
    use sharedmem::sync::{AtomicU64, Ordering};

    const SALT: u64 = 0x1234_5678_9abc_def0;

    struct Fixture {
        control: Box<Control>,
        ring: Vec<AtomicU64>,
    }

    impl Fixture {
        fn new() -> Self {
            let control = Box::<Control>::default();
            control.header.initialise(0, 0, SALT);
            control.epoch.reset(2);
            let ring = (0..512).map(|_| AtomicU64::new(0)).collect();
            Self { control, ring }
        }

        fn append(&self, kind: RecordKind, text: &[u8]) -> u64 {
            let ring = &self.ring[..];
            let journal = Journal::salted(ring, &self.control.journal, SALT, Crc32c::detect());
            let journal = journal.unwrap();
            let record = journal.append(2, kind.into(), &[text]).unwrap();
            journal.mark_applied(record.end);
            record.position
        }

        fn print(&self, form: Form, consume: bool) -> (Result<bool, Problem>, String, String) {
            let (mut out, mut errors) = (Vec::new(), Vec::new());
            let request = Request {
                form,
                consume,
                follow: false,
            };
            let result = print(
                &self.control,
                &self.ring[..],
                &request,
                &mut out,
                &mut errors,
            );
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (result, text(out), text(errors))
        }
    }

    #[test]
    fn programs_records_are_printed_in_order_and_others_are_not() {
        let fixture = Fixture::new();
        fixture.append(RecordKind::Application, b"one");
        fixture.append(RecordKind::Input, b"of the service");
        fixture.append(RecordKind::Application, b"two\x1b[2J\n");
        let (whole, out, errors) = fixture.print(Form::Raw, false);
        assert!(whole.unwrap());
        assert_eq!((out.as_str(), errors.as_str()), ("one\ntwo\x1b[2J\n", ""));
        assert_eq!(
            fixture.print(Form::Printable, false).1,
            "one\ntwo\u{fffd}[2J\n"
        );
        let json = fixture.print(Form::Json, false).1;
        assert!(
            json.starts_with("{\"epoch\":2,\"position\":0,\"text\":\"one\"}\n"),
            "{json}"
        );
        fixture.append(RecordKind::Application, b"\xff\x01");
        assert!(
            fixture
                .print(Form::Json, false)
                .1
                .ends_with("\"hex\":\"ff01\",\"position\":104}\n")
        );
    }

    #[test]
    fn damage_is_named_and_what_is_behind_it_is_printed() {
        let fixture = Fixture::new();
        fixture.append(RecordKind::Application, b"one");
        let at = fixture.append(RecordKind::Application, b"two");
        fixture.append(RecordKind::Application, b"three");
        fixture.ring[at as usize / 8 + 3].fetch_xor(1, Ordering::Relaxed);
        let (whole, out, errors) = fixture.print(Form::Raw, false);
        assert!(!whole.unwrap());
        assert_eq!(out, "one\nthree\n");
        assert!(errors.contains("checksum does not match"), "{errors}");
    }

    #[test]
    fn what_was_consumed_is_gone_unless_the_backup_does_it() {
        let fixture = Fixture::new();
        fixture.append(RecordKind::Application, b"one");
        assert_eq!(fixture.print(Form::Raw, true).1, "one\n");
        assert_eq!(fixture.print(Form::Raw, true).1, "");
        fixture.append(RecordKind::Application, b"two");
        fixture.control.protection.arm();
        assert!(fixture.print(Form::Raw, true).0.is_err());
        fixture.control.resume_slots[Instance::B].park(Ticket {
            page_table: 0,
            entry: 0,
            stack: 0,
            apic_id: 0,
        });
        assert_eq!(fixture.print(Form::Raw, true).1, "two\n");
        assert_eq!(fixture.print(Form::Raw, true).1, "");
    }

    #[test]
    fn lines_become_records() {
        let module = FakeModule::primary();
        assert_eq!(append(&module, &b"one\ntwo"[..], false).unwrap(), 2);
        assert_eq!(append(&module, &b"a\nb\n"[..], true).unwrap(), 1);
        assert_eq!(*module.records.borrow(), [&b"one"[..], b"two", b"a\nb\n"]);
        let longest = vec![b'x'; RECORD_BYTES_MAX];
        assert_eq!(append(&module, &longest[..], true).unwrap(), 1);
        let line = [&longest[..], b"\n"].concat();
        assert_eq!(append(&module, &line[..], false).unwrap(), 1);
        let long = vec![b'x'; RECORD_BYTES_MAX + 1];
        for (input, whole) in [
            (&long[..], true),
            (&long[..], false),
            (&b"a\n\nb\n"[..], false),
        ] {
            assert_eq!(append(&module, input, whole).unwrap_err().exit_code(), 2);
        }
    }
}
