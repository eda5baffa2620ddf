use serde_json::json;

use crate::support::{Served, refusal, site};

fn with(rules: &str) -> Served {
    site(
        json!({ "_redirects": rules }),
        &["/index.html", "/a.html", "/b.html", "/users/id.html", "/new/page.html", "/x y.txt"],
    )
}

#[test]
fn rules_send_requests_elsewhere() {
    let site = with(
        "# comment\n\
         \u{feff}  /old /new\r\n\
         /permanent /new 301\n\
         /found /new 302\n\
         /other /new 303\n\
         /temporary /new 307\n\
         /preserved /new 308 # and a comment\n\
         /a /instead\n\
         no-slash /new\n\
         /query?dropped /new?own=1\n\
         /fragment /new#part\n\
         /both /new?own=1#part\n\
         /away https://other.example/x\n\
         /away-query https://other.example/x?own=1#part\n\
         /spaced%20out /new\n\
         /ümlaut /nü\n\
         /same /first\n\
         /same /second\n\
         /dots/../up /new\n",
    );
    let cases = [
        ("/old", "302 → /new"),
        ("/old?q=1", "302 → /new?q=1"),
        ("/old/", "404"),
        ("/permanent", "301 → /new"),
        ("/found", "302 → /new"),
        ("/other", "303 → /new"),
        ("/temporary", "307 → /new"),
        ("/preserved", "308 → /new"),
        // A rule comes before a file, and is of every method.
        ("/a", "302 → /instead"),
        ("POST /a", "302 → /instead"),
        ("HEAD /a", "302 → /instead"),
        ("/no-slash", "302 → /new"),
        ("/query", "302 → /new?own=1"),
        ("/query?q=2", "302 → /new?own=1"),
        ("/fragment", "302 → /new#part"),
        ("/fragment?q=1", "302 → /new?q=1#part"),
        ("/both?q=1", "302 → /new?own=1#part"),
        ("/away", "302 → https://other.example/x"),
        ("/away?q=1", "302 → https://other.example/x?q=1"),
        ("/away-query?q=1", "302 → https://other.example/x?own=1#part"),
        ("/spaced out", "302 → /new"),
        ("/ümlaut", "302 → /n%C3%BC"),
        ("/%C3%BCmlaut", "302 → /n%C3%BC"),
        ("/same", "302 → /first"),
        ("/up", "302 → /new"),
        ("/b", "200 /b.html"),
    ];
    for (request, expected) in cases {
        assert_eq!(site.directly(request), expected, "{request}");
    }
    // What a rule meets is there: code is not asked.
    assert_eq!(site.before_code("/old"), "302 → /new");
    assert_eq!(site.before_code("/elsewhere"), "code");
}

#[test]
fn placeholders_carry_what_stood_in_their_place() {
    let site = with(
        "/blog/* /news/:splat\n\
         /u/:name/posts/:id /people/:name?post=:id 301\n\
         /to/:host https://:host.example/:host/:unknown\n\
         /shop/*/end https://shop.example/:splat\n\
         /raw/* /:splat\n\
         /blog/never /unreached\n\
         /port/* https://other.example:8443/:splat\n",
    );
    let cases = [
        ("/blog/", "302 → /news/"),
        ("/blog/a/b", "302 → /news/a/b"),
        ("/blog/a%20b?q=1", "302 → /news/a%20b?q=1"),
        ("/blog", "404"),
        ("/blog/never", "302 → /news/never"),
        ("/u/ada/posts/7", "301 → /people/ada?post=7"),
        ("/u/ada/posts/7?q=1", "301 → /people/ada?post=7"),
        ("/u/ada/posts/7/8", "404"),
        ("/to/x", "302 → https://x.example/x/:unknown"),
        ("/shop/a/b/end", "302 → https://shop.example/a/b"),
        ("/port/a", "302 → https://other.example:8443/a"),
        // What a client writes stays a path of this site.
        ("/raw//evil.example/x", "302 → /evil.example/x"),
        ("/raw/%2F%2Fevil.example", "302 → /%2F%2Fevil.example"),
        ("/raw/\\\\evil.example", "302 → /evil.example"),
        ("/raw/https://evil.example", "302 → /https:/evil.example"),
        // A target that is no URL leads nowhere, and to no file either.
        ("/to/%20", "404"),
        ("/to/a%2Fb", "404"),
    ];
    for (request, expected) in cases {
        assert_eq!(site.directly(request), expected, "{request}");
    }
}

#[test]
fn static_rules_come_before_others_and_those_beneath_others_in_their_order() {
    let site = with(
        "/s /static\n\
         /d/* /dynamic\n\
         /d/x /too-late\n\
         /later /beneath\n\
         /s /twice\n",
    );
    for (request, expected) in
        [("/s", "302 → /static"), ("/d/x", "302 → /dynamic"), ("/later", "302 → /beneath"), ("/d", "404")]
    {
        assert_eq!(site.directly(request), expected, "{request}");
    }
}

#[test]
fn status_200_serves_another_path_of_the_site() {
    let site = with(
        "/users/:id /users/id 200\n\
         /renamed/* /new/:splat 200\n\
         /to-file /a.html 200\n\
         /nothing /not-there 200\n\
         /chain /old 200\n\
         /old /new 301\n\
         /query /a?x=1 200\n",
    );
    let cases = [
        ("/users/7", "200 /users/id.html"),
        ("/users/id", "200 /users/id.html"),
        ("/renamed/page", "200 /new/page.html"),
        ("/renamed/x", "404"),
        ("/to-file", "307 → /a"),
        ("/query", "200 /a.html"),
        ("POST /users/7", "405"),
        // One rule is all that a request meets.
        ("/chain", "404"),
    ];
    for (request, expected) in cases {
        assert_eq!(site.directly(request), expected, "{request}");
    }
    // A rule that says where a path is served leaves nothing for code.
    assert_eq!(site.before_code("/nothing"), "404");
    let spa = crate::support::site(
        json!({ "_redirects": "/x /not-there 200", "not_found_handling": "single-page-application" }),
        &["/index.html"],
    );
    assert_eq!(spa.directly("/x"), "200 /index.html");
}

#[test]
fn rules_that_cannot_be_are_told_with_their_lines() {
    let long = format!("/{} /b", "x".repeat(2000));
    let cases = [
        ("/a", "Line 1: a rule is a path, a target and perhaps a status; this has 1 words"),
        ("# fine\n\n/a /b 301 x", "Line 3: a rule is a path, a target and perhaps a status; this has 4 words"),
        ("/a /b 404", "Line 1: `404` is no status of a rule: 200, 301, 302, 303, 307 or 308"),
        ("/a /b 301!", "Line 1: `301!` is no status"),
        ("https://a.example/x /b", "`https://a.example/x` must be a path"),
        ("/a b", "`b` must begin with `/`, or with `https://` and a host"),
        ("/a http://b.example/", "must begin with `/`, or with `https://` and a host"),
        ("/a //b.example javascript:alert(1)", "`javascript:alert(1)` is no status"),
        ("/a javascript:alert(1)", "`javascript:alert(1)` must begin with"),
        ("/* /index.html 200", "Line 1: Infinite loop detected in this rule"),
        ("/* /index", "Infinite loop detected"),
        ("/app/* /app/index.html", "Infinite loop detected"),
        ("/ /index.html", "Infinite loop detected"),
        ("/a https://b.example/ 200", "status 200 serves a file of the Worker, and `https://b.example/` is elsewhere"),
        ("/*/* /b", "more than one wildcard"),
        ("/:a/:a /b", "the placeholder `:a` twice"),
        (long.as_str(), "Line 1: a line has at most 2000 characters"),
    ];
    for (rules, why) in cases {
        let refused = refusal(json!({ "_redirects": rules }));
        assert!(
            refused.starts_with("Invalid _redirects configuration:\nLine ") && refused.contains(why),
            "{rules}: {refused}"
        );
    }
    // Without `html_handling` nothing leads back from there.
    let none = site(json!({ "html_handling": "none", "_redirects": "/ /index.html" }), &["/index.html"]);
    assert_eq!(none.directly("/"), "302 → /index.html");
    assert_eq!(with("/* https://other.example/index.html").directly("/x"), "302 → https://other.example/index.html");
}

#[test]
fn all_faults_are_told_at_once() {
    let config = json!({ "_redirects": "/a\n/b /c\n/d /e 9", "_headers": "X: y", "run_worker_first": ["x"] });
    assert_eq!(
        refusal(config),
        "Invalid run_worker_first configuration:\n\
         Rule 1: `x` must begin with `/` or `!/`\n\
         Invalid _redirects configuration:\n\
         Line 1: a rule is a path, a target and perhaps a status; this has 1 words\n\
         Line 3: `9` is no status of a rule: 200, 301, 302, 303, 307 or 308\n\
         Invalid _headers configuration:\n\
         Line 1: a path must come before `X: y`"
    );
    let many = refusal(json!({ "_redirects": "/a\n".repeat(1000) }));
    assert_eq!((many.lines().count(), many.lines().last()), (22, Some("and 980 more")));
}

#[test]
fn there_are_two_thousand_rules_and_a_hundred_with_placeholders() {
    use std::fmt::Write as _;

    let mut rules = String::new();
    for index in 0..2000 {
        writeln!(rules, "/s{index} /t{index}").unwrap();
    }
    for index in 0..100 {
        writeln!(rules, "/d{index}/* /t{index}/:splat").unwrap();
    }
    let site = with(&rules);
    assert_eq!(site.directly("/s1999"), "302 → /t1999");
    assert_eq!(site.directly("/d99/x"), "302 → /t99/x");
    let refused = refusal(json!({ "_redirects": format!("{rules}/d100/* /x") }));
    assert!(refused.contains("Line 2101: there are at most 100 rules with placeholders"), "{refused}");
    let refused = refusal(json!({ "_redirects": format!("/s /t\n{rules}") }));
    assert!(refused.contains("Line 2001: there are at most 2000 rules without placeholders"), "{refused}");
}
