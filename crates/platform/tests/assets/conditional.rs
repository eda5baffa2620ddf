use serde_json::json;
use tidegate_platform::assets::{Answer, Asked, File};

use crate::support::{file, header, site, words};

const TAG: &str = "\"h/a.txt\"";

type Headers = &'static [(&'static str, &'static str)];

#[test]
fn a_client_that_has_the_file_is_told_so_and_one_that_wants_a_part_is_given_that() {
    let site = site(json!({ "not_found_handling": "404-page" }), &["/a.txt", "/404.html"]);
    let cases: &[(&str, Headers, &str)] = &[
        ("/a.txt", &[("if-none-match", TAG)], "304"),
        ("/a.txt", &[("if-none-match", "W/\"h/a.txt\"")], "304"),
        ("/a.txt", &[("if-none-match", "\"x\", \"h/a.txt\"")], "304"),
        ("/a.txt", &[("if-none-match", "*")], "304"),
        ("/a.txt", &[("if-none-match", "\"x\"")], "200 /a.txt"),
        ("HEAD /a.txt", &[("if-none-match", TAG)], "304"),
        ("/missing", &[("if-none-match", "\"h/404.html\"")], "304"),
        ("/a.txt", &[("range", "bytes=2-4")], "206 /a.txt 2..5"),
        ("/a.txt", &[("range", "bytes=-1")], "206 /a.txt 9..10"),
        ("/a.txt", &[("range", "bytes=10-")], "416"),
        ("/a.txt", &[("range", "bytes=0-1,3-4")], "200 /a.txt"),
        ("/a.txt", &[("range", "nonsense")], "200 /a.txt"),
        ("HEAD /a.txt", &[("range", "bytes=2-4")], "200 /a.txt"),
        ("/a.txt", &[("range", "bytes=2-4"), ("if-range", TAG)], "206 /a.txt 2..5"),
        ("/a.txt", &[("range", "bytes=2-4"), ("if-range", "\"x\"")], "200 /a.txt"),
        ("/a.txt", &[("range", "bytes=10-"), ("if-range", "\"x\"")], "200 /a.txt"),
        // Who has the file needs no part of it.
        ("/a.txt", &[("range", "bytes=2-4"), ("if-none-match", TAG)], "304"),
        ("/a.txt", &[("range", "bytes=10-"), ("if-none-match", TAG)], "304"),
        // There is no part of what is not there.
        ("/missing", &[("range", "bytes=2-4")], "404 /404.html"),
        ("POST /a.txt", &[("range", "bytes=2-4")], "405"),
    ];
    for (request, headers, expected) in cases {
        assert_eq!(words(&site.ask(Asked::Directly, request, headers)), *expected, "{request} {headers:?}");
        if !request.ends_with("/missing") {
            assert_eq!(words(&site.ask(Asked::BeforeCode, request, headers)), *expected, "{request} {headers:?}");
        }
    }
}

#[test]
fn each_answer_says_what_it_is() {
    let site = site(json!({}), &["/a.txt"]);
    let names = |headers: &[(&str, &str)]| {
        let response = site.response("/a.txt", headers);
        let of = |name: &str| header(&response, name).unwrap_or("none").to_owned();
        (response.status, ["etag", "content-type", "cache-control", "accept-ranges", "content-range"].map(of))
    };
    let (tag, kind, cache) = (TAG, "text/html", "public, max-age=0, must-revalidate");
    let cases: &[(Headers, u16, [&str; 5])] = &[
        (&[], 200, [tag, kind, cache, "bytes", "none"]),
        (&[("if-none-match", TAG)], 304, [tag, kind, cache, "none", "none"]),
        (&[("range", "bytes=2-4")], 206, [tag, kind, "none", "bytes", "bytes 2-4/10"]),
        (&[("range", "bytes=10-")], 416, ["none", "none", "none", "bytes", "bytes */10"]),
        // What is for one client is no matter of caches.
        (&[("authorization", "Bearer x")], 200, [tag, kind, "none", "bytes", "none"]),
    ];
    for (headers, status, expected) in cases {
        assert_eq!(names(headers), (*status, expected.map(str::to_owned)), "{headers:?}");
    }
}

#[test]
fn a_file_is_of_the_type_that_it_was_uploaded_with_or_of_none() {
    let with_charset = File { content_type: Some("text/css; charset=shift_jis".to_owned()), ..file("/a.css", "1", 1) };
    let without = File { content_type: None, ..file("/b", "2", 1) };
    let site = site(json!({}), &[]).with(with_charset).with(without);
    assert_eq!(header(&site.response("/a.css", &[]), "content-type"), Some("text/css; charset=shift_jis"));
    assert_eq!(header(&site.response("/b", &[]), "content-type"), None);
}

#[test]
fn an_empty_file_is_served_and_has_no_parts() {
    let site = site(json!({}), &[]).with(file("/empty", "e", 0));
    for (range, expected) in [("bytes=0-", "416"), ("bytes=-1", "200 /empty"), ("bytes=-0", "416")] {
        let answer = Answer::Response(site.response("/empty", &[("range", range)]));
        assert_eq!(words(&answer), expected, "{range}");
    }
    assert_eq!(site.directly("/empty"), "200 /empty");
}
