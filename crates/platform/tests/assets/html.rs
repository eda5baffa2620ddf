use serde_json::json;

use crate::support::site;

/// A page as a file, a page as a folder, one as both, one that a file without suffix hides, and files that are no pages.
const FILES: &[&str] = &[
    "/index.html",
    "/file.html",
    "/folder/index.html",
    "/both.html",
    "/both/index.html",
    "/plain",
    "/plain.html",
    "/deep/er/page.html",
    "/app.js",
    "/named/index",
    "/[slug].html",
    "/ü b.html",
    "/%5Bx%5D.txt",
];

/// A path; what answers it in the modes `auto-trailing-slash`, `force-trailing-slash`, `drop-trailing-slash`, `none`.
const CASES: &[(&str, [&str; 4])] = &[
    ("/", ["200 /index.html", "200 /index.html", "200 /index.html", "404"]),
    ("/index", ["307 → /", "307 → /", "307 → /", "404"]),
    ("/index.html", ["307 → /", "307 → /", "307 → /", "200 /index.html"]),
    ("/index/", ["307 → /index", "200 /index.html", "307 → /index", "404"]),
    ("/file", ["200 /file.html", "307 → /file/", "200 /file.html", "404"]),
    ("/file/", ["307 → /file", "200 /file.html", "307 → /file", "404"]),
    ("/file.html", ["307 → /file", "307 → /file/", "307 → /file", "200 /file.html"]),
    ("/file/index", ["307 → /file", "307 → /file/", "307 → /file", "404"]),
    ("/file/index.html", ["307 → /file", "307 → /file/", "307 → /file", "404"]),
    ("/folder", ["307 → /folder/", "307 → /folder/", "200 /folder/index.html", "404"]),
    ("/folder/", ["200 /folder/index.html", "200 /folder/index.html", "307 → /folder", "404"]),
    ("/folder.html", ["307 → /folder/", "307 → /folder/", "307 → /folder", "404"]),
    ("/folder/index", ["307 → /folder/", "307 → /folder/", "307 → /folder", "404"]),
    ("/folder/index.html", ["307 → /folder/", "307 → /folder/", "307 → /folder", "200 /folder/index.html"]),
    ("/both", ["200 /both.html", "307 → /both/", "200 /both.html", "404"]),
    ("/both/", ["200 /both/index.html", "200 /both/index.html", "307 → /both", "404"]),
    ("/both.html", ["307 → /both", "200 /both.html", "307 → /both", "200 /both.html"]),
    ("/both/index", ["307 → /both/", "307 → /both/", "307 → /both", "404"]),
    ("/both/index.html", ["307 → /both/", "307 → /both/", "200 /both/index.html", "200 /both/index.html"]),
    ("/plain", ["200 /plain", "200 /plain", "200 /plain", "200 /plain"]),
    ("/plain/", ["404", "200 /plain.html", "404", "404"]),
    ("/plain.html", ["200 /plain.html", "307 → /plain/", "200 /plain.html", "200 /plain.html"]),
    ("/app.js", ["200 /app.js", "200 /app.js", "200 /app.js", "200 /app.js"]),
    ("/app.js/", ["404", "404", "404", "404"]),
    ("/app", ["404", "404", "404", "404"]),
    ("/APP.js", ["404", "404", "404", "404"]),
    ("/named/index", ["200 /named/index", "200 /named/index", "200 /named/index", "200 /named/index"]),
    ("/named/", ["404", "404", "404", "404"]),
    ("/deep/er", ["404", "404", "404", "404"]),
    ("/deep/er/page?q=1", ["200 /deep/er/page.html", "307 → /deep/er/page/?q=1", "200 /deep/er/page.html", "404"]),
    ("/deep/er/page/?q=1", ["307 → /deep/er/page?q=1", "200 /deep/er/page.html", "307 → /deep/er/page?q=1", "404"]),
    // A path that a URL may write in several ways is served in one of them.
    ("/%5Bslug%5D", ["200 /[slug].html", "307 → /%5Bslug%5D/", "200 /[slug].html", "404"]),
    ("/[slug]", ["307 → /%5Bslug%5D", "307 → /%5Bslug%5D/", "307 → /%5Bslug%5D", "404"]),
    ("/[slug]?a", ["307 → /%5Bslug%5D?a", "307 → /%5Bslug%5D/?a", "307 → /%5Bslug%5D?a", "404"]),
    ("/[slug].html", ["307 → /%5Bslug%5D", "307 → /%5Bslug%5D/", "307 → /%5Bslug%5D", "307 → /%5Bslug%5D.html"]),
    ("/ü b", ["200 /ü b.html", "307 → /%C3%BC%20b/", "200 /ü b.html", "404"]),
    ("/%c3%bc%20b", ["307 → /%C3%BC%20b", "307 → /%C3%BC%20b/", "307 → /%C3%BC%20b", "404"]),
    // A name that holds an escape is not what the escape means.
    ("/%255Bx%255D.txt", ["200 /%5Bx%5D.txt", "200 /%5Bx%5D.txt", "200 /%5Bx%5D.txt", "200 /%5Bx%5D.txt"]),
    ("/%5Bx%5D.txt", ["404", "404", "404", "404"]),
    // Slashes come alone, and no path leaves the site.
    ("//app.js", ["307 → /app.js", "307 → /app.js", "307 → /app.js", "307 → /app.js"]),
    ("/deep//er%2Fpage", ["307 → /deep/er/page", "307 → /deep/er/page/", "307 → /deep/er/page", "404"]),
    ("/%2F%2Fapp.js", ["307 → /app.js", "307 → /app.js", "307 → /app.js", "307 → /app.js"]),
    ("/x/../app.js", ["200 /app.js", "200 /app.js", "200 /app.js", "200 /app.js"]),
    ("/x/%2e%2e/app.js", ["200 /app.js", "200 /app.js", "200 /app.js", "200 /app.js"]),
    ("/x/..%2fapp.js", ["404", "404", "404", "404"]),
    ("/../../app.js", ["200 /app.js", "200 /app.js", "200 /app.js", "200 /app.js"]),
    ("/deep\\er\\page", ["200 /deep/er/page.html", "307 → /deep/er/page/", "200 /deep/er/page.html", "404"]),
    ("/deep%5Cer%5Cpage", ["404", "404", "404", "404"]),
    ("/app.js%00", ["404", "404", "404", "404"]),
    ("/app.js%zz", ["404", "404", "404", "404"]),
];

#[test]
fn each_mode_serves_pages_where_it_says() {
    let modes = ["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"];
    for (index, mode) in modes.into_iter().enumerate() {
        let site = site(json!({ "html_handling": mode }), FILES);
        for (path, expected) in CASES {
            assert_eq!(site.directly(path), expected[index], "{mode}: {path}");
        }
    }
}

#[test]
fn a_redirect_leads_to_an_answer_in_every_mode() {
    for mode in ["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"] {
        for not_found in ["none", "404-page", "single-page-application"] {
            let site = site(json!({ "html_handling": mode, "not_found_handling": not_found }), FILES);
            for (path, _) in CASES {
                let mut answer = site.directly(path);
                let mut hops = 0;
                while let Some(to) = answer.strip_prefix("307 → ") {
                    hops += 1;
                    assert!(hops < 3, "{mode}, {not_found}: {path} is redirected for ever");
                    answer = site.directly(to);
                }
            }
        }
    }
}

#[test]
fn a_path_longer_than_any_file_is_not_found() {
    let site = site(json!({ "not_found_handling": "404-page" }), &["/404.html"]);
    assert_eq!(site.directly(&format!("/{}", "a/".repeat(8000))), "404 /404.html");
    assert_eq!(site.directly(&format!("/{}", "a".repeat(16_000))), "404 /404.html");
}
