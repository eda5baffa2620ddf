//! Clients that send slowly, too much, nothing, or no HTTP: others are served.

use std::time::Duration;

use serde_json::json;
use tidegate_platform::api::{Limits, Pace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{ACCOUNT, Answer, TOKEN, TestApi, form, parse_answer, read_answer};

/// Far more than anything here takes: a test that waits for this long has failed.
const LONG: Duration = Duration::from_secs(30);

/// So little that it passes while a test looks on.
const SHORT: Duration = Duration::from_millis(200);

const KEYS: &str = "/storage/kv/namespaces";

/// The head of a request with a body of so many bytes.
fn head(method: &str, path: &str, length: usize) -> String {
    format!(
        "{method} /client/v4/accounts/{ACCOUNT}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n"
    )
}

/// Sends some bytes, and no more.
async fn begin(api: &TestApi, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    stream
}

/// What comes until the connection is closed.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("the connection stays open");
    bytes
}

async fn is_served(api: &TestApi) {
    timeout(LONG, api.get(KEYS)).await.expect("nobody is served").result();
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_closes_the_connection_and_idle_ones_are_closed() {
    let api = TestApi::within(Limits { head: SHORT, ..Limits::default() }).await;
    let silent = begin(&api, b"").await;
    let half = begin(&api, b"GET /client/v4/user HTTP/1.1\r\nHost: local").await;
    let idle = begin(&api, format!("{}\r\n", head("GET", KEYS, 0).replace("Connection: close\r\n", ""))).await;
    let mut dribbling = begin(&api, b"GET /client/v4/user HTTP/1.1\r\n").await;
    let dribbled = async {
        // Each byte would do, were they only counted one by one.
        while dribbling.write_all(b"a").await.is_ok() {
            sleep(SHORT / 10).await;
        }
    };
    timeout(LONG, dribbled).await.expect("the connection stays open");
    assert_eq!(rest(silent).await, b"");
    assert_eq!(rest(half).await, b"");
    parse_answer(&rest(idle).await).result();
    is_served(&api).await;
}

#[tokio::test]
async fn connections_beyond_the_most_wait_until_others_are_closed() {
    let api = TestApi::within(Limits { connections: 3, head: LONG * 2, ..Limits::default() }).await;
    let held = [begin(&api, b"").await, begin(&api, b"").await, begin(&api, b"").await];
    let waiting = begin(&api, format!("{}\r\n", head("GET", KEYS, 0))).await;
    let mut waiting = tokio::spawn(rest(waiting));
    assert!(timeout(SHORT, &mut waiting).await.is_err(), "it was served beside the others");
    drop(held);
    parse_answer(&waiting.await.unwrap()).result();
}

#[tokio::test]
async fn connections_that_send_nothing_keep_nobody_out() {
    let api = TestApi::within(Limits { connections: 3, head: SHORT, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(begin(&api, b"").await);
    }
    is_served(&api).await;
}

#[tokio::test]
async fn a_body_that_stops_half_way_is_answered_and_forgotten() {
    let pace = Pace { first: SHORT, rate: 1 << 20 };
    let api = TestApi::within(Limits { pace, ..Limits::default() }).await;
    let (form_type, form_body) = form(&[("metadata", None, None, b"{\"main_module\":\"a.js\"}")]);
    let cases = [
        ("JSON", "POST", KEYS, "application/json".to_owned(), b"{\"title\":".to_vec()),
        ("a form", "PUT", "/workers/scripts/acme", form_type, form_body[..form_body.len() - 8].to_vec()),
        ("a value", "PUT", "/storage/kv/namespaces/0/values/k", "text/plain".to_owned(), b"abc".to_vec()),
        ("nothing at all", "POST", KEYS, "application/json".to_owned(), Vec::new()),
    ];
    for (case, method, path, content_type, body) in cases {
        let head = format!("{}Content-Type: {content_type}\r\n\r\n", head(method, path, 10_000));
        let stalled = begin(&api, [head.as_bytes(), &body].concat()).await;
        let (status, code, message) = parse_answer(&rest(stalled).await).error();
        assert_eq!((status, code), (408, 10001), "{case}");
        assert!(message.contains("too slowly"), "{case}: {message}");
    }
    is_served(&api).await;
}

#[tokio::test]
async fn a_body_that_dribbles_is_not_waited_for_and_a_slow_one_is() {
    let pace = Pace { first: 3 * SHORT, rate: 10_000 };
    let api = TestApi::within(Limits { pace, ..Limits::default() }).await;
    let (dribbled, slow) = tokio::join!(sent_in_parts(&api, 1, 100), sent_in_parts(&api, 4000, 20));
    assert_eq!(dribbled.code(), (408, 10001));
    slow.result();
}

/// Sends a JSON body in parts of some bytes, ten of them in a second.
async fn sent_in_parts(api: &TestApi, size: usize, parts: usize) -> Answer {
    let body = format!("{{\"title\":\"{size}\",\"ignored\":\"{}\"}}", "x".repeat(size * parts));
    let mut stream = begin(api, format!("{}\r\n", head("POST", KEYS, body.len()))).await;
    for part in body.as_bytes().chunks(size) {
        // It may have been answered by now.
        if stream.write_all(part).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(if parts > 50 { 20 } else { 100 })).await;
    }
    parse_answer(&rest(stream).await)
}

#[tokio::test]
async fn large_bodies_wait_for_room_and_small_requests_do_not() {
    let pace = Pace { first: 5 * SHORT, ..Pace::default() };
    let api = TestApi::within(Limits { bodies: 1 << 20, patience: SHORT, pace, ..Limits::default() }).await;
    let id = api.store.create_kv_namespace("values").unwrap().id;
    let path = format!("{KEYS}/{id}/values/k");
    let large = vec![b'x'; 800 << 10];
    let stalled = begin(&api, format!("{}\r\n", head("PUT", &path, large.len()))).await;
    // The room is taken when the head was read.
    sleep(SHORT).await;

    let (status, code, message) = api.call("PUT", &path, &large).await.error();
    assert_eq!((status, code), (429, 10013));
    assert!(message.contains("1 MiB") && message.contains("try again"), "{message}");
    is_served(&api).await;
    api.call("PUT", &path, &large[..1000]).await.result();

    assert_eq!(parse_answer(&rest(stalled).await).code(), (408, 10001));
    api.call("PUT", &path, &large).await.result();
    let chunked = format!("{}\r\n", head("PUT", &path, 0).replace("Content-Length: 0", "Transfer-Encoding: chunked"));
    let stalled = begin(&api, chunked).await;
    sleep(SHORT).await;
    let refused = api.call("PUT", &path, &large).await;
    assert_eq!(refused.code(), (429, 10013), "who does not say how much it sends may send as much as any");
    drop(stalled);
    for _ in 0..100 {
        if api.call("PUT", &path, &large).await.status == 200 {
            return;
        }
    }
    panic!("who hung up keeps its room");
}

#[tokio::test]
async fn uploads_that_stop_half_way_hold_no_more_than_the_room_there_is() {
    let api = TestApi::within(Limits { bodies: 4 << 20, ..Limits::default() }).await;
    let id = api.store.create_kv_namespace("values").unwrap().id;
    let mut stalled = Vec::new();
    for _ in 0..40 {
        let mut stream = begin(&api, format!("{}\r\n", head("PUT", &format!("{KEYS}/{id}/values/k"), 1 << 20))).await;
        // What nobody reads stays in the buffers of the system.
        let _ = timeout(SHORT / 10, stream.write_all(&vec![b'x'; 900 << 10])).await;
        stalled.push(stream);
    }
    is_served(&api).await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_costs_nobody_else_anything() {
    let api = TestApi::new().await;
    let long = "x".repeat(1 << 20);
    let many = "x-many: y\r\n".repeat(5000);
    let request = format!("{}\r\n", head("GET", KEYS, 0)).replace("Connection: close\r\n", "");
    let cases = [
        ("zeroes", vec![0; 10_000]),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(100)),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a long line", format!("GET /{long} HTTP/1.1\r\n\r\n").into_bytes()),
        ("a long header", format!("GET / HTTP/1.1\r\nx: {long}\r\n\r\n").into_bytes()),
        ("many headers", format!("GET / HTTP/1.1\r\n{many}\r\n").into_bytes()),
        ("two lengths", b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx".to_vec()),
        ("a length that is none", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_vec()),
        ("a line folded", b"GET / HTTP/1.1\r\nHost: a\r\n b: c\r\nx\r\n\r\n".to_vec()),
        ("garbage behind a request", format!("{request}garbage\r\n\r\n").into_bytes()),
    ];
    for (case, bytes) in cases {
        let stream = TcpStream::connect(api.address).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let sending = tokio::spawn(async move { writer.write_all(&bytes).await });
        let mut answer = Vec::new();
        let _ = timeout(LONG, reader.read_to_end(&mut answer)).await.unwrap_or_else(|_| panic!("{case}: left open"));
        let _ = sending.await;
        let answer = String::from_utf8_lossy(&answer);
        let last = answer.rmatch_indices("HTTP/1.1 ").next().map(|(at, _)| &answer[at..]);
        let refused = last.is_none_or(|last| last.starts_with("HTTP/1.1 4"));
        assert!(refused, "{case}: {answer}");
    }
    is_served(&api).await;
}

#[tokio::test]
async fn requests_that_come_before_the_answer_to_the_last_are_answered_in_order() {
    let api = TestApi::new().await;
    let open = |title: &str| {
        let body = format!("{{\"title\":\"{title}\"}}");
        format!("{}\r\n{body}", head("POST", KEYS, body.len()))
    };
    let keep = |request: String| request.replace("Connection: close\r\n", "");
    let mut stream = begin(&api, format!("{}{}{}", keep(open("a")), keep(open("b")), open("c"))).await;
    let mut answers = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answers)).await.unwrap().unwrap();
    let answers = String::from_utf8(answers).unwrap();
    let titles: Vec<_> =
        answers.match_indices("\"title\":\"").map(|(at, found)| &answers[at + found.len()..][..1]).collect();
    assert_eq!(titles, ["a", "b", "c"]);
    let _ = read_answer(&mut begin(&api, format!("{}\r\n", head("GET", KEYS, 0))).await).await.result();
}

#[test]
fn while_writes_wait_for_a_slow_disk_reads_are_answered() {
    const WRITES: usize = 60;
    // Fewer threads that may block than there are writes.
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(20).enable_all().build().unwrap();
    runtime.block_on(async {
        let api = TestApi::new().await;
        let id = api.store.create_kv_namespace("values").unwrap().id;
        api.store.slow_down(SHORT / 2);
        let path = |number: usize| format!("{KEYS}/{id}/values/{number}");
        let paths: Vec<String> = (0..WRITES).map(path).collect();
        let writes = futures_util::future::join_all(paths.iter().map(|path| api.call("PUT", path, b"value")));
        let reads = async {
            // The writes have begun. A read that waited for threads would be answered after most of them.
            while api.get(&format!("{KEYS}/{id}/keys")).await.result() == json!([]) {}
            is_served(&api).await;
            api.store.kv_keys(&id, "", WRITES, None, 0).unwrap().items.len()
        };
        let (written, kept_meanwhile) = tokio::join!(writes, reads);
        assert!(kept_meanwhile < WRITES / 2, "reads waited until {kept_meanwhile} of {WRITES} writes were done");
        for answer in written {
            answer.result();
        }
        assert_eq!(api.store.kv_keys(&id, "", WRITES, None, 0).unwrap().items.len(), WRITES);
    });
}
