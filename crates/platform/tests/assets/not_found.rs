use serde_json::json;

use crate::support::{Served, at_date, header, site};

#[test]
fn a_404_page_is_the_nearest_one_up_the_tree() {
    let site = site(
        json!({ "not_found_handling": "404-page" }),
        &["/404.html", "/docs/404.html", "/docs/a/b/404.html", "/page.html"],
    );
    let cases = [
        ("/missing", "404 /404.html"),
        ("/missing/", "404 /404.html"),
        ("/", "404 /404.html"),
        ("/docs", "404 /404.html"),
        ("/docs/", "404 /docs/404.html"),
        ("/docs/x", "404 /docs/404.html"),
        ("/docs/a/x", "404 /docs/404.html"),
        ("/docs/a/b/c/d", "404 /docs/a/b/404.html"),
        ("/docs/a/b/c/d?q", "404 /docs/a/b/404.html"),
        ("/page", "200 /page.html"),
        // The page is a page, too.
        ("/404", "200 /404.html"),
        ("/404.html", "307 → /404"),
        // The one form of a path comes first, even of one that is not found.
        ("/a[b", "307 → /a%5Bb"),
        ("//missing", "307 → /missing"),
        ("/a%5Bb", "404 /404.html"),
    ];
    for (path, expected) in cases {
        assert_eq!(site.directly(path), expected, "{path}");
    }
}

#[test]
fn a_404_page_that_is_not_there_is_an_empty_404() {
    let site = site(json!({ "not_found_handling": "404-page" }), &["/docs/404.html"]);
    assert_eq!(site.directly("/missing"), "404");
    assert_eq!(site.directly("/docs/x"), "404 /docs/404.html");
}

#[test]
fn a_single_page_application_is_at_every_path_without_a_file() {
    let spa =
        site(json!({ "not_found_handling": "single-page-application" }), &["/index.html", "/app.js", "/about.html"]);
    let cases = [
        ("/", "200 /index.html"),
        ("/any/path", "200 /index.html"),
        ("/any/path/", "200 /index.html"),
        ("/index.html", "307 → /"),
        ("/index", "307 → /"),
        ("/any/index.html", "200 /index.html"),
        ("/app.js", "200 /app.js"),
        ("/app2.js", "200 /index.html"),
        ("/about", "200 /about.html"),
        ("/any[path", "307 → /any%5Bpath"),
        ("//evil.example/x", "307 → /evil.example/x"),
        ("/%2F%2Fevil.example", "307 → /evil.example"),
    ];
    for (path, expected) in cases {
        assert_eq!(spa.directly(path), expected, "{path}");
    }
    let without = site(json!({ "not_found_handling": "single-page-application" }), &["/app.js"]);
    assert_eq!(without.directly("/any"), "404");
}

#[test]
fn code_answers_what_is_not_found_whatever_else_would() {
    for handling in ["none", "404-page", "single-page-application"] {
        let site = site(json!({ "not_found_handling": handling }), &["/index.html", "/404.html", "/a.txt"]);
        let cases = [
            ("/", "200 /index.html"),
            ("/a.txt", "200 /a.txt"),
            ("/index.html", "307 → /"),
            ("/api", "code"),
            ("POST /api", "code"),
            ("/a[b", "code"),
            ("/404", "200 /404.html"),
        ];
        for (request, expected) in cases {
            assert_eq!(site.before_code(request), expected, "{handling}: {request}");
        }
    }
}

#[test]
fn a_browser_that_navigates_is_given_the_page_before_code_since_april_2025() {
    let files = &["/index.html", "/404.html", "/a.txt"][..];
    let asked = |site: &Served| (site.before_code_navigating("/api"), site.before_code("/api"));
    let config = json!({ "not_found_handling": "single-page-application" });
    let enable = &["assets_navigation_prefers_asset_serving"][..];
    let disable = &["assets_navigation_has_no_effect"][..];
    let cases = [
        ("2025-03-31", &[][..], "code"),
        ("2025-03-31", enable, "200 /index.html"),
        ("2025-04-01", &[][..], "200 /index.html"),
        ("2026-01-01", &[][..], "200 /index.html"),
        ("2026-01-01", disable, "code"),
    ];
    for (date, flags, navigating) in cases {
        let site = at_date(date, flags, config.clone(), files);
        assert_eq!(asked(&site), (navigating.to_owned(), "code".to_owned()), "{date} {flags:?}");
    }
    let with_page = at_date("2026-01-01", &[], json!({ "not_found_handling": "404-page" }), files);
    assert_eq!(asked(&with_page), ("404 /404.html".to_owned(), "code".to_owned()));
    let with_nothing = at_date("2026-01-01", &[], json!({}), files);
    assert_eq!(asked(&with_nothing), ("code".to_owned(), "code".to_owned()));
}

#[test]
fn what_is_not_found_has_no_body_and_no_headers() {
    let response = site(json!({}), &["/a"]).response("/b", &[]);
    assert_eq!((response.status, response.headers.len()), (404, 0));
    let page = site(json!({ "not_found_handling": "404-page" }), &["/404.html"]).response("/b", &[]);
    assert_eq!(header(&page, "content-type"), Some("text/html"));
    assert_eq!(header(&page, "etag"), Some("\"h/404.html\""));
}
