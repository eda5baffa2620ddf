use serde_json::{Value, json};

use crate::support::{refusal, site};

#[test]
fn rules_say_which_requests_code_sees_first() {
    let files = &["/index.html", "/404.html", "/api/data.json", "/docs/page.html", "/a.png"][..];
    let rules = json!(["/api/*", "!/api/docs/*", "/admin", "/*.png", "/x/*/y/*z"]);
    let site = site(json!({ "run_worker_first": rules, "not_found_handling": "404-page" }), files);
    let cases = [
        ("/", "200 /index.html"),
        ("/api/data.json", "code"),
        ("/api/", "code"),
        ("/api", "404 /404.html"),
        ("/api/docs/x", "404 /404.html"),
        ("/API/x", "404 /404.html"),
        ("/admin", "code"),
        ("/admin/", "404 /404.html"),
        ("/admin?x", "code"),
        ("/a.png", "code"),
        ("/deep/er.png", "code"),
        ("/a.png2", "404 /404.html"),
        ("/x/1/y/2z", "code"),
        ("/x//y/z", "code"),
        ("/x/1/y/2", "404 /404.html"),
        ("POST /admin", "code"),
        ("/docs/page", "200 /docs/page.html"),
        // Rules see the path as its URL writes it.
        ("/%61pi/x", "307 → /api/x"),
        ("/docs/../api/x", "code"),
    ];
    for (request, expected) in cases {
        assert_eq!(site.before_code(request), expected, "{request}");
    }
}

#[test]
fn code_that_comes_first_always_comes_first() {
    let site = site(json!({ "run_worker_first": true, "_redirects": "/a /b" }), &["/index.html"]);
    for request in ["/", "/a", "/index.html", "POST /", "/missing"] {
        assert_eq!(site.before_code(request), "code", "{request}");
    }
    // Through the binding, and where there is no code, there is nothing to come first.
    assert_eq!(site.directly("/"), "200 /index.html");
    assert_eq!(site.directly("/a"), "302 → /b");
}

#[test]
fn a_path_that_is_kept_for_assets_never_reaches_code() {
    let site = site(json!({ "run_worker_first": ["/*", "!/static/*"] }), &["/static/a.js"]);
    assert_eq!(site.before_code("/static/a.js"), "200 /static/a.js");
    assert_eq!(site.before_code("/static/b.js"), "404");
    assert_eq!(site.before_code("POST /static/b.js"), "404");
    assert_eq!(site.before_code("/anything"), "code");
}

#[test]
fn rules_that_cannot_be_say_why() {
    let long = format!("/{}", "x".repeat(100));
    let many: Vec<String> = (0..101).map(|index| format!("/{index}")).collect();
    let cases: [(Value, &str); 9] = [
        (json!([]), "must be a rule that does not begin with `!`"),
        (json!(["!/a"]), "must be a rule that does not begin with `!`"),
        (json!(["a"]), "Rule 1: `a` must begin with `/` or `!/`"),
        (json!(["/ok", "!a"]), "Rule 2: `!a` must begin with `/` or `!/`"),
        (json!([""]), "must begin with `/`"),
        (json!([long]), "at most 100 characters"),
        (json!(["/a", "/a"]), "Rule 2: `/a` is said twice"),
        (json!(["/api/*", "/api/x"]), "Rule 2: `/api/x` says nothing that `/api/*` does not"),
        (json!(many), "at most 100 rules, and these are 101"),
    ];
    for (rules, why) in cases {
        let refused = refusal(json!({ "run_worker_first": rules }));
        assert!(refused.starts_with("Invalid run_worker_first configuration:\n") && refused.contains(why), "{refused}");
    }
}

#[test]
fn a_rule_of_stars_is_no_slower_than_another() {
    let rule = format!("/{}x", "*a".repeat(48));
    let site = site(json!({ "run_worker_first": [rule] }), &[]);
    // Neither is found, so code answers; what tries all ways to fit the stars would not come back.
    assert_eq!(site.before_code(&format!("/{}", "a".repeat(16_000))), "code");
}
