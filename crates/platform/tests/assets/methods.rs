use serde_json::json;
use tidegate_platform::assets::Body;

use crate::support::{header, site};

#[test]
fn files_are_read_and_nothing_else() {
    let with_code = site(json!({}), &["/index.html", "/a.txt"]);
    let cases = [
        ("HEAD /a.txt", "200 /a.txt", "200 /a.txt"),
        ("HEAD /index.html", "307 → /", "307 → /"),
        ("POST /a.txt", "405", "405"),
        ("PUT /a.txt", "405", "405"),
        ("DELETE /a.txt", "405", "405"),
        ("OPTIONS /a.txt", "405", "405"),
        // What leads elsewhere is there, too.
        ("POST /index.html", "405", "405"),
        ("POST /missing", "404", "code"),
        ("HEAD /missing", "404", "code"),
        ("BREW /missing", "404", "code"),
    ];
    for (request, directly, before_code) in cases {
        assert_eq!(with_code.directly(request), directly, "{request}");
        assert_eq!(with_code.before_code(request), before_code, "{request}");
    }
    let spa = site(json!({ "not_found_handling": "single-page-application" }), &["/index.html"]);
    assert_eq!(spa.directly("POST /api"), "405");
    assert_eq!(spa.before_code("POST /api"), "code");
    assert_eq!(header(&with_code.response("POST /a.txt", &[]), "allow"), Some("GET, HEAD"));
}

#[test]
fn a_head_is_answered_as_a_get_without_the_bytes() {
    let site = site(json!({}), &["/a.txt"]);
    let (get, head) = (site.response("/a.txt", &[]), site.response("HEAD /a.txt", &[]));
    assert_eq!(get.headers, head.headers);
    let Body::File { range, head: true, .. } = head.body else { panic!("{head:?}") };
    assert_eq!(range, 0..10);
    assert!(matches!(get.body, Body::File { head: false, .. }));
}
