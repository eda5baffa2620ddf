use serde_json::json;

use crate::support::{Served, header, refusal, site};

fn with(rules: &str) -> Served {
    site(
        json!({ "_headers": rules, "_redirects": "/old /new", "not_found_handling": "404-page" }),
        &["/index.html", "/a.html", "/img/x.png", "/blog/post.html", "/404.html"],
    )
}

#[test]
fn rules_set_and_take_away_headers_of_the_answers_they_meet() {
    let site = with(
        "# comment\n\
         /*\n\
         \u{20} X-All: yes\n\
         \u{20} X-Twice: one\n\
         /a\n\
         \u{20} Cache-Control: max-age=60\n\
         \u{20} x-twice: two\n\
         \u{20} X-Joined: 1\n\
         \u{20} X-Joined: 2\n\
         \u{20} X-Colons: a:b: c\n\
         /img/*\n\
         \u{20} ! Content-Type\n\
         \u{20} ! X-All\n\
         /blog/:slug\n\
         \u{20} X-Slug: :slug of :other\n\
         https://site.example/\n\
         \u{20} X-Host: this\n\
         https://:sub.site.example/*\n\
         \u{20} X-Sub: :sub :splat\n",
    );
    let cases: &[(&str, &str, Option<&str>)] = &[
        ("/", "x-all", Some("yes")),
        ("/", "x-twice", Some("one")),
        ("/", "cache-control", Some("public, max-age=0, must-revalidate")),
        ("/", "x-host", Some("this")),
        ("/a", "cache-control", Some("max-age=60")),
        ("/a", "x-twice", Some("one, two")),
        ("/a", "x-joined", Some("1, 2")),
        ("/a", "x-colons", Some("a:b: c")),
        ("/a", "x-host", None),
        ("/a", "etag", Some("\"h/a.html\"")),
        ("/a?q", "x-joined", Some("1, 2")),
        ("/img/x.png", "content-type", None),
        ("/img/x.png", "x-all", None),
        ("/img/x.png", "x-twice", Some("one")),
        ("/blog/post", "x-slug", Some("post of :other")),
        ("/blog/post/", "x-slug", None),
        // Redirects, errors and pages that stand in for others are answers, too.
        ("/old", "x-all", Some("yes")),
        ("/old", "location", Some("/new")),
        ("/blog/missing", "x-slug", Some("missing of :other")),
        ("POST /a", "x-joined", Some("1, 2")),
        ("/index.html", "x-all", Some("yes")),
        ("http://other.example/", "x-host", None),
        ("http://site.example:8787/", "x-host", Some("this")),
        ("https://site.example/", "x-host", Some("this")),
        ("http://eu.site.example/a", "x-sub", Some("eu a")),
        ("http://eu.west.site.example/a", "x-sub", None),
    ];
    for (request, name, expected) in cases {
        assert_eq!(header(&site.response(request, &[]), name), *expected, "{request}: {name}");
    }
    let not_modified = site.response("/a", &[("if-none-match", "\"h/a.html\"")]);
    assert_eq!((not_modified.status, header(&not_modified, "x-joined")), (304, Some("1, 2")));
}

#[test]
fn cookies_are_never_joined() {
    let site = with("/a\n Set-Cookie: a=1\n Set-Cookie: b=2\n/*\n Set-Cookie: c=3");
    let response = site.response("/a", &[]);
    let cookies: Vec<_> =
        response.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, v)| v.as_str()).collect();
    assert_eq!(cookies, ["a=1", "b=2", "c=3"]);
}

#[test]
fn a_later_rule_takes_away_what_an_earlier_one_set_and_may_set_it_again() {
    let site = with("/*\n X: one\n/a\n ! X\n/b*\n ! X\n X: two");
    assert_eq!(header(&site.response("/a", &[]), "x"), None);
    assert_eq!(header(&site.response("/b", &[]), "x"), Some("two"));
}

#[test]
fn no_rule_says_where_an_answer_ends() {
    let site = with("/*\n Content-Length: 3\n Transfer-Encoding: chunked\n Connection: close\n X: kept");
    let response = site.response("/a", &[]);
    for name in ["content-length", "transfer-encoding", "connection"] {
        assert_eq!(header(&response, name), None, "{name}");
    }
    assert_eq!(header(&response, "x"), Some("kept"));
}

#[test]
fn rules_that_cannot_be_are_told_with_their_lines() {
    let long = format!("/a\n X: {}", "x".repeat(2000));
    let cases = [
        ("X-Header: value", "Line 1: a path must come before `X-Header: value`"),
        ("/a", "Line 1: there is no header beneath this path"),
        ("/a\n/b\n X: y", "Line 1: there is no header beneath this path"),
        ("/a\n X", "Line 2: `X` is neither `NAME: VALUE` nor `! NAME`"),
        ("/a\n X Y: z", "Line 2: `X Y` is no name of a header"),
        ("/a\n : z", "Line 2: `` is no name of a header"),
        ("/a\n X:", "Line 2: the header `x` has no value"),
        ("/a\n X\u{e9}: z", "is no name of a header"),
        ("/a\n ! X Y", "Line 2: `X Y` is no name of a header"),
        ("/a\n X: a\u{0}b", "Line 2: the value of the header `x` holds a control character"),
        ("/a\n X: a\rY: b", "Line 2: the value of the header `x` holds a control character"),
        ("http://a.example/\n X: y", "Line 1: `http://a.example/` must begin with `/`, or with `https://` and a host"),
        ("https://a.example:80/\n X: y", "Line 1: `https://a.example:80/` must not name a port"),
        ("/*/*\n X: y", "Line 1: `/*/*` has more than one wildcard"),
        ("/*/:splat\n X: y", "more than one wildcard"),
        ("/:a/:a\n X: y", "the placeholder `:a` twice"),
        (long.as_str(), "Line 2: a line has at most 2000 characters"),
    ];
    for (rules, why) in cases {
        let refused = refusal(json!({ "_headers": rules }));
        assert!(
            refused.starts_with("Invalid _headers configuration:\nLine ") && refused.contains(why),
            "{rules}: {refused}"
        );
    }
    // Beneath a path that cannot be there is nothing else to say.
    assert_eq!(refusal(json!({ "_headers": "/*/*\n X: y\n nonsense\n/a\n X: y" })).lines().count(), 2);
}

#[test]
fn there_are_a_hundred_rules() {
    let rule = |index: usize| format!("/{index}\n X: {index}\n");
    let hundred: String = (0..100).map(rule).collect();
    assert_eq!(header(&with(&hundred).response("/99", &[]), "x"), Some("99"));
    let refused = refusal(json!({ "_headers": hundred + &rule(100) }));
    assert!(refused.contains("Line 201: there are at most 100 rules"), "{refused}");
}
