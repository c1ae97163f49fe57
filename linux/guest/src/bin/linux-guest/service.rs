//! Answers requests.
//!
//! | request | does |
//! |---|---|
//! | `GET /` | says which kernel this is, its role, and how long it is up |
//! | `POST /append?file=N` | adds the body as a line to `/data/N`; the answer comes when it is on the disk |
//! | `GET /file?file=N` | the whole of `/data/N` |
//! | `PUT /dax?at=OFFSET` | writes the body into `/dax/bytes` |
//! | `GET /dax?at=OFFSET&len=N` | reads from there |
//! | `POST /fault` | kills this kernel in the way the body names |
//! | `POST /order` | runs `understudyctl` with the words of the body, and tells the kernel's log how it went |
//! | `GET /order` | the exit code of the last order, and what it printed; 404 until it has ended |
//!
//! On a machine with several disks, file `N` is on disk `N` modulo their number: in `/data`, `/data1` and so on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::hooks;
use crate::http::{MAX_BODY_BYTES, Request, Response};
use crate::kexec;
use crate::order;
use crate::stamp::FirstReply;

/// This file holds the role of this kernel, one word; whoever changes the role writes it.
const ROLE_FILE: &str = "run/role";

/// The service over a root.
pub struct Service {
    data: Vec<PathBuf>,
    dax: PathBuf,
    role: PathBuf,
    fault: PathBuf,
    /// Notes every response that leaves.
    pub first_reply: FirstReply,
    is_mounted: fn(&Path) -> bool,
}

impl Service {
    /// Makes the service over `root`, which is `/` except in tests, on a machine with so many disks.
    pub fn at(root: &Path, disks: u32) -> Self {
        Self {
            data: (0..disks.max(1))
                .map(|disk| root.join(hooks::data_directory(disk)))
                .collect(),
            dax: root.join("dax"),
            role: root.join(ROLE_FILE),
            fault: root.join("dev/understudy-fault"),
            first_reply: FirstReply::through(&root.join("dev/understudy")),
            is_mounted: is_mount_point,
        }
    }

    /// Answers a request.
    pub fn answer(&self, request: &Request<'_>) -> Response {
        let number = |key| request.number(key).ok_or_else(|| bad(key));
        let reply = match (request.method, request.path) {
            ("GET", "/") => Ok(Response::ok(self.identity())),
            ("POST", "/append") => number("file").and_then(|file| self.append(file, request.body)),
            ("GET", "/file") => number("file").and_then(|file| self.file(file)),
            ("PUT", "/dax") => number("at").and_then(|at| self.put(at, request.body)),
            ("GET", "/dax") => number("at")
                .and_then(|at| Ok((at, number("len")?)))
                .and_then(|(at, length)| self.get(at, length)),
            ("POST", "/fault") => self.die(request.body),
            ("POST", "/order") => order::begin(request.body)
                .map(|()| Response::ok("begun\n"))
                .map_err(failed),
            ("GET", "/order") => order::last()
                .map(Response::ok)
                .ok_or_else(|| Response::text(404, "no order has ended")),
            _ => Err(Response::text(
                404,
                "there is GET /, POST /append, GET /file, PUT /dax, GET /dax, POST /fault, POST /order, GET /order",
            )),
        };
        reply.unwrap_or_else(|refusal| refusal)
    }

    /// Kills this kernel. Returns only if that did not work.
    fn die(&self, way: &[u8]) -> Result<Response, Response> {
        match way {
            b"reboot" => order::end("reboot").map_err(failed)?,
            b"halt" => order::end("halt").map_err(failed)?,
            b"poweroff" => order::end("poweroff").map_err(failed)?,
            b"kexec" => kexec::execute().map_err(failed)?,
            way => fs::write(&self.fault, way).map_err(failed)?,
        }
        Err(Response::text(500, "still here"))
    }

    fn identity(&self) -> String {
        let word = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let uptime = word("/proc/uptime".as_ref());
        format!(
            "{{\"kernel\":\"{}\",\"boot_id\":\"{}\",\"role\":\"{}\",\"uptime_s\":{}}}\n",
            word("/proc/sys/kernel/osrelease".as_ref()).trim(),
            word("/proc/sys/kernel/random/boot_id".as_ref()).trim(),
            word(&self.role).trim(),
            uptime
                .split(' ')
                .next()
                .filter(|text| !text.is_empty())
                .unwrap_or("0")
        )
    }

    fn append(&self, number: u64, line: &[u8]) -> Result<Response, Response> {
        if line.contains(&b'\n') {
            return Err(Response::text(400, "the body is one line, without its end"));
        }
        let directory = self.mounted(self.data_of(number))?;
        let write = || {
            let path = directory.join(number.to_string());
            let (mut file, is_new) = match OpenOptions::new().append(true).open(&path) {
                Ok(file) => (file, false),
                Err(error) if error.kind() == ErrorKind::NotFound => (File::create(&path)?, true),
                Err(error) => return Err(error),
            };
            file.write_all(&[line, b"\n"].concat())?;
            file.sync_all()?;
            if is_new {
                // The file is on the disk; its name is in another place.
                File::open(directory)?.sync_all()?;
            }
            Ok(Response::ok("kept\n"))
        };
        write().map_err(failed)
    }

    /// Returns the directory that a file is in.
    fn data_of(&self, number: u64) -> &Path {
        &self.data[(number % self.data.len() as u64) as usize]
    }

    fn file(&self, number: u64) -> Result<Response, Response> {
        let path = self.mounted(self.data_of(number))?.join(number.to_string());
        fs::read(path).map(Response::ok).map_err(failed)
    }

    fn put(&self, at: u64, bytes: &[u8]) -> Result<Response, Response> {
        let path = self.mounted(&self.dax)?.join("bytes");
        let write = || {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path)?;
            file.write_all_at(bytes, at)?;
            file.sync_all()
        };
        write().map(|()| Response::ok("kept\n")).map_err(failed)
    }

    fn get(&self, at: u64, length: u64) -> Result<Response, Response> {
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_BODY_BYTES)
            .ok_or_else(|| Response::text(400, "len= is at most 1048576"))?;
        let path = self.mounted(&self.dax)?.join("bytes");
        let mut bytes = vec![0; length];
        File::open(path)
            .and_then(|file| file.read_exact_at(&mut bytes, at))
            .map(|()| Response::ok(bytes))
            .map_err(failed)
    }

    /// Returns a directory if a file system is mounted on it: a write into the bare directory would be acknowledged and
    /// lost.
    fn mounted<'p>(&self, directory: &'p Path) -> Result<&'p Path, Response> {
        match (self.is_mounted)(directory) {
            true => Ok(directory),
            false => Err(Response::text(
                503,
                &format!("{} is not mounted", directory.display()),
            )),
        }
    }
}

fn bad(key: &str) -> Response {
    Response::text(400, &format!("the query wants {key}= with a whole number"))
}

fn failed(error: io::Error) -> Response {
    let status = match error.kind() {
        ErrorKind::NotFound => 404,
        ErrorKind::UnexpectedEof => 416,
        _ => 500,
    };
    Response::text(status, &error.to_string())
}

/// Says whether a file system is mounted on a directory.
fn is_mount_point(directory: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|data| data.dev()).ok();
    let devices = (device(directory), device(&directory.join("..")));
    matches!(devices, (Some(own), Some(outer)) if own != outer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{self, Parsed};

    struct Guest {
        service: Service,
        root: tempfile::TempDir,
    }

    fn guest(directories: &[&str]) -> Guest {
        guest_with_disks(1, directories)
    }

    fn guest_with_disks(disks: u32, directories: &[&str]) -> Guest {
        let root = tempfile::tempdir().unwrap();
        for directory in directories {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        // Tests cannot mount.
        let service = Service {
            is_mounted: Path::exists,
            ..Service::at(root.path(), disks)
        };
        Guest { service, root }
    }

    impl Guest {
        fn ask(&self, method: &str, target: &str, body: &str) -> (u16, String) {
            let text = format!(
                "{method} {target} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let Parsed::Whole(request) = http::parse(text.as_bytes()) else {
                panic!("{text}")
            };
            let reply = self.service.answer(&request);
            (reply.status, String::from_utf8(reply.body).unwrap())
        }
    }

    #[test]
    fn it_says_who_it_is() {
        let guest = guest(&["run"]);
        let (status, text) = guest.ask("GET", "/", "");
        assert!(status == 200 && text.contains("\"role\":\"\""), "{text}");
        fs::write(guest.root.path().join("run/role"), "primary\n").unwrap();
        let (_, text) = guest.ask("GET", "/", "");
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let kernel = format!("{{\"kernel\":\"{}\",\"boot_id\":\"", release.trim());
        assert!(text.starts_with(&kernel), "{text}");
        assert!(
            text.contains("\",\"role\":\"primary\",\"uptime_s\":"),
            "{text}"
        );
    }

    #[test]
    fn lines_are_added() {
        let guest = guest(&["data"]);
        assert_eq!(guest.ask("GET", "/file?file=3", "").0, 404);
        assert_eq!(guest.ask("POST", "/append?file=3", "one").0, 200);
        assert_eq!(guest.ask("POST", "/append?file=3", "two").0, 200);
        assert_eq!(
            guest.ask("GET", "/file?file=3", ""),
            (200, "one\ntwo\n".into())
        );
        assert_eq!(guest.ask("POST", "/append?file=3", "two\nlines").0, 400);
        for target in [
            "/append",
            "/append?file=../x",
            "/append?file=",
            "/append?file=-3",
        ] {
            assert_eq!(guest.ask("POST", target, "x").0, 400, "{target}");
        }
        assert_eq!(guest.ask("POST", "/elsewhere", "").0, 404);
    }

    #[test]
    fn each_disk_has_its_files() {
        let guest = guest_with_disks(3, &["data", "data1"]);
        for (file, status) in [("3", 200), ("4", 200), ("5", 503)] {
            let target = format!("/append?file={file}");
            assert_eq!(guest.ask("POST", &target, "x").0, status, "{file}");
        }
        let root = guest.root.path();
        assert!(root.join("data1/4").exists() && root.join("data/3").exists());
    }

    #[test]
    fn bytes_are_put_where_they_belong() {
        let guest = guest(&["dax"]);
        assert_eq!(guest.ask("PUT", "/dax?at=4096", "bytes").0, 200);
        assert_eq!(guest.ask("PUT", "/dax?at=4098", "TES").0, 200);
        assert_eq!(
            guest.ask("GET", "/dax?at=4096&len=5", ""),
            (200, "byTES".into())
        );
        assert_eq!(guest.ask("GET", "/dax?at=4096&len=6", "").0, 416);
        assert_eq!(guest.ask("GET", "/dax?at=0&len=1048577", "").0, 400);
        assert_eq!(guest.ask("GET", "/dax?at=0", "").0, 400);
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_mounted() {
        let mut guest = guest(&["data", "dax"]);
        guest.service.is_mounted = is_mount_point;
        for (method, target) in [
            ("POST", "/append?file=1"),
            ("GET", "/file?file=1"),
            ("PUT", "/dax?at=0"),
            ("GET", "/dax?at=0&len=1"),
        ] {
            let (status, text) = guest.ask(method, target, "x");
            assert!(
                status == 503 && text.contains("is not mounted"),
                "{target}: {status} {text}"
            );
        }
        assert!(is_mount_point("/proc".as_ref()) && !is_mount_point("/proc/self/none".as_ref()));
    }
}
