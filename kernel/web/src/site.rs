//! The paths of the site.
//!
//! | path | what |
//! |---|---|
//! | `/` | the page for people |
//! | `/status.json` | the same for programs |
//! | `/metrics` | the same for Prometheus and what reads its format |
//! | `/journal` | records of programs, a line of JSON each; with `?raw` as they are |

use alloc::format;

use journal::RecentRecords;

use crate::html;
use crate::metrics;
use crate::records::Form;
use crate::reply::{Code, Reply};
use crate::request::{Parsed, Request, parse};
use crate::status::PrimaryStatus;

const PATHS: [&str; 4] = ["/", "/status.json", "/metrics", "/journal"];

/// Answers what a client has sent so far. Returns `None` while the request is incomplete. `status` is called only if
/// the reply needs it.
pub fn answer(
    bytes: &[u8],
    records: &RecentRecords,
    status: impl FnOnce() -> PrimaryStatus,
) -> Option<Reply> {
    match parse(bytes) {
        Parsed::Partial => None,
        Parsed::Refused(code, reason) => Some(Reply::text(code, reason)),
        Parsed::Whole(request) => Some(reply(&request, records, status)),
    }
}

fn reply(
    request: &Request<'_>,
    records: &RecentRecords,
    status: impl FnOnce() -> PrimaryStatus,
) -> Reply {
    let reply = match (request.method, request.path) {
        (_, path) if !PATHS.contains(&path) => Reply::text(
            Code::NotFound,
            &format!("not found; the paths are {}", PATHS.join(", ")),
        ),
        ("GET" | "HEAD", "/") => Reply::of(
            Code::Ok,
            "text/html; charset=utf-8",
            html::page(&status(), records).as_bytes(),
        ),
        ("GET" | "HEAD", "/status.json") => {
            let text = format!("{}\n", status().json(records));
            Reply::of(Code::Ok, "application/json", text.as_bytes())
        }
        ("GET" | "HEAD", "/metrics") => {
            let text = metrics::exposition(&status(), records);
            Reply::of(Code::Ok, metrics::MEDIA_TYPE, text.as_bytes())
        }
        ("GET" | "HEAD", _) if request.has("raw") => Reply::records(Form::Raw),
        ("GET" | "HEAD", _) => Reply::records(Form::Json),
        _ => Reply::text(Code::MethodNotAllowed, "only GET and HEAD are allowed"),
    };
    match request.method {
        "HEAD" => reply.without_body(),
        _ => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::sent;
    use crate::status::tests::after;
    use alloc::string::String;
    use serde_json::Value;

    fn ask(method: &str, target: &str) -> (String, String) {
        let mut records = RecentRecords::new(1 << 16);
        records.keep(0, 1, b"one");
        records.keep(32, 1, b"two");
        let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        let status = || after("Oops", b"");
        let reply = answer(request.as_bytes(), &records, status).unwrap();
        let (head, body) = sent(reply, &records, 100);
        (head, String::from_utf8(body).unwrap())
    }

    #[test]
    fn every_path_has_its_answer() {
        let (head, body) = ask("GET", "/");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"));
        assert!(body.contains("<h1>") && body.ends_with("</html>\n"));
        let (head, body) = ask("GET", "/status.json");
        assert!(head.contains("Content-Type: application/json\r\n"));
        let json: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(json["records"]["kept"], 2);
        let (head, body) = ask("GET", "/metrics");
        assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"));
        assert!(body.contains("\nunderstudy_records_kept 2\n") && body.ends_with("# EOF\n"));
        assert_eq!(
            ask("GET", "/journal").1,
            "{\"epoch\":1,\"position\":0,\"text\":\"one\"}\n{\"epoch\":1,\"position\":32,\"text\":\"two\"}\n"
        );
        assert_eq!(ask("GET", "/journal?raw").1, "one\ntwo\n");
    }

    #[test]
    fn head_is_get_without_the_body() {
        for target in [
            "/",
            "/status.json",
            "/metrics",
            "/journal",
            "/journal?raw",
            "/none",
        ] {
            let (head, _) = ask("GET", target);
            assert_eq!(ask("HEAD", target), (head, String::new()), "{target}");
        }
    }

    #[test]
    fn what_there_is_not_and_what_cannot_be_done_is_said() {
        assert!(ask("GET", "/etc/passwd").0.starts_with("HTTP/1.1 404 "));
        assert!(ask("DELETE", "/none").0.starts_with("HTTP/1.1 404 "));
        for method in ["POST", "DELETE", "get"] {
            let (head, _) = ask(method, "/journal");
            assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("\r\nAllow: GET, HEAD\r\n"));
        }
    }

    #[test]
    fn what_is_not_whole_is_waited_for_and_what_is_no_request_is_answered() {
        let records = RecentRecords::default();
        let ask = |bytes| {
            answer(bytes, &records, || {
                unreachable!("the reply does not need it")
            })
        };
        assert!(ask(b"GET / HTT").is_none());
        let (head, _) = sent(ask(b"\0\0\r\n").unwrap(), &records, 9);
        assert!(head.starts_with("HTTP/1.1 400 "));
    }
}
