use proptest::prelude::*;

use super::*;

fn feed(bytes: &[u8]) -> (usize, Option<u16>, u64) {
    let mut scanner = Scanner::new(1024, 16);
    let passed = scanner.feed(bytes);
    (passed.bytes, passed.refusal.map(Refusal::status), scanner.heads())
}

fn check(text: &str, status: u16) {
    assert_eq!(feed(text.as_bytes()).1, Some(status), "{text:?}");
}

#[test]
fn sound_requests_pass_whole() {
    for (text, heads) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1),
        ("\r\nGET / HTTP/1.0\r\n\r\n", 1),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            2,
        ),
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n", 2),
    ] {
        assert_eq!(feed(text.as_bytes()), (text.len(), None, heads), "{text:?}");
    }
}

#[test]
fn ambiguous_requests_are_refused() {
    let post = |headers: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Content-Length : 5",
        " folded: yes",
        "X: a\r\n b",
        "X: a\rb",
        "X: a\nContent-Length: 5",
        "X: a\0b",
        "no colon",
        ": no name",
        "Transfer\tEncoding: chunked",
        "Transfer-Encoding: \x0bchunked",
    ] {
        check(&post(headers), 400);
    }
    check("GET / HTTP/1.1\nHost: a\n\n", 400);
    check("GET  / HTTP/1.1\r\n\r\n", 400);
    check("GET /a b HTTP/1.1\r\n\r\n", 400);
    check("GET /\r\n\r\n", 400);
    for target in ["", "a/", "?a", "a:b:c", "/a#b", "http://"] {
        check(&format!("GET {target} HTTP/1.1\r\n\r\n"), 400);
    }
    check("\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400);
    check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    check("GET / HTTP/1.2\r\n\r\n", 505);
    check(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(2000)), 414);
    check(&format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(2000)), 431);
    // The same whether the end of the line is there yet or not, and whatever it is.
    check(&format!("GET /{}\n", "a".repeat(2000)), 414);
    check(&format!("GET / HTTP/1.1\r\nX: {}\n", "a".repeat(2000)), 431);
    check(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(17)), 431);
}

#[test]
fn bad_chunks_are_refused() {
    let chunked = |body: &str| format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for body in [
        "5\nhello",
        "5;a\nb\r\nhello",
        "5\r\nhelloX",
        "5\r\nhello\n0\r\n\r\n",
        "\r\n",
        "-5\r\n",
        "0x5\r\nhello",
        " 5\r\nhello",
        "5 \r\nhello",
        "ffffffffffffffff\r\n",
        "0\r\n folded\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\n: no name\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: \x7f\r\n\r\n",
    ] {
        check(&chunked(body), 400);
    }
    check(&chunked(&format!("5;{}\r\n", "a".repeat(300))), 400);
    check(&chunked(&format!("0\r\n{}\r\n", "X: y\r\n".repeat(17))), 431);
}

#[test]
fn an_earlier_request_passes_before_a_refused_one() {
    let sound = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = format!("{sound}GET / HTTP/1.1\nHost: a\r\n\r\n");
    assert_eq!(feed(both.as_bytes()), (sound.len(), Some(400), 1));
}

#[test]
fn bytes_after_an_upgrade_pass_unseen_until_it_is_declined() {
    let mut scanner = Scanner::new(1024, 16);
    let head = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(scanner.feed(head), Passed { bytes: head.len(), refusal: None });
    assert!(scanner.is_opaque());
    assert_eq!(scanner.feed(b"\n\n\0"), Passed { bytes: 3, refusal: None });
    assert!(scanner.is_blind());
    scanner.resume();
    assert_eq!(scanner.feed(b"GET / HTTP/1.1\r\n\r\n").bytes, 18);
}

proptest! {
    /// It makes no difference how the bytes are cut, and no bytes make it panic.
    #[test]
    fn cuts_make_no_difference(
        parts in proptest::collection::vec(prop_oneof![
            Just("GET / HTTP/1.1\r\n"), Just("POST / HTTP/1.1\r\n"), Just("Host: a\r\n"), Just("\r\n"),
            Just("Content-Length: 3\r\n"), Just("Transfer-Encoding: chunked\r\n"), Just("abc"), Just("3\r\n"),
            Just("0\r\n"), Just("\n"), Just("X: y\r\n"), Just("\r"), Just(";e"),
        ], 0..24),
        cuts in proptest::collection::vec(1..9_usize, 1..40),
    ) {
        let text = parts.concat().into_bytes();
        let mut whole = Scanner::new(120, 8);
        let at_once = whole.feed(&text);
        let mut cut = Scanner::new(120, 8);
        let (mut from, mut to, mut refusal) = (0, 0, None);
        for step in cuts.iter().cycle() {
            if to == text.len() || refusal.is_some() {
                break;
            }
            to = (to + step).min(text.len());
            let passed = cut.feed(&text[from..to]);
            from += passed.bytes;
            refusal = passed.refusal;
        }
        // Of a line that is refused, its beginning may have passed with an earlier piece.
        prop_assert!(from == at_once.bytes || (refusal.is_some() && from > at_once.bytes));
        prop_assert_eq!(refusal, at_once.refusal);
        prop_assert_eq!(cut.heads(), whole.heads());
    }
}
