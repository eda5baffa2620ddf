//! Asks a site, and writes its answers in a word.

use std::convert::Infallible;

use serde_json::Value;
use tidegate_platform::assets::{Answer, Asked, Body, Config, File, Request, Response, Site};
use url::Url;

pub(crate) const HOST: &str = "http://site.example";

/// Files, and how they are served.
pub(crate) struct Served {
    site: Site,
    files: Vec<File>,
}

/// A site of these files; each holds ten bytes, and its hash is its path.
pub(crate) fn site(config: Value, files: &[&str]) -> Served {
    at_date("2025-03-31", &[], config, files)
}

pub(crate) fn at_date(date: &str, flags: &[&str], config: Value, files: &[&str]) -> Served {
    let config: Config = serde_json::from_value(config).unwrap();
    let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
    let site = Site::compile(&config, date, &flags).unwrap_or_else(|error| panic!("{error}"));
    let files = files.iter().map(|path| file(path, &format!("h{path}"), 10)).collect();
    Served { site, files }
}

pub(crate) fn file(path: &str, hash: &str, size: u64) -> File {
    File { path: path.to_owned(), hash: hash.to_owned(), size, content_type: Some("text/html".to_owned()) }
}

/// Why a configuration is refused.
pub(crate) fn refusal(config: Value) -> String {
    let config: Config = serde_json::from_value(config).unwrap();
    config.check().unwrap_err().to_string()
}

impl Served {
    pub(crate) fn with(mut self, file: File) -> Self {
        self.files.push(file);
        self
    }

    /// `/path`, or `METHOD /path`, or either with a whole URL; `headers` in lower case.
    pub(crate) fn ask(&self, asked: Asked, request: &str, headers: &[(&str, &str)]) -> Answer {
        let (method, target) = match request.split_once(' ') {
            Some((method, target)) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => (method, target),
            _ => ("GET", request),
        };
        let url = if target.starts_with('/') { format!("{HOST}{target}") } else { target.to_owned() };
        let url = Url::parse(&url).unwrap();
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let request = Request {
            method,
            url: &url,
            if_none_match: header("if-none-match"),
            range: header("range"),
            if_range: header("if-range"),
            authorized: header("authorization").is_some(),
            navigates: header("sec-fetch-mode") == Some("navigate"),
        };
        let find = |path: &str| Ok::<_, Infallible>(self.files.iter().find(|file| file.path == path).cloned());
        let Ok(answer) = self.site.answer(&request, asked, find);
        answer
    }

    pub(crate) fn response(&self, request: &str, headers: &[(&str, &str)]) -> Response {
        match self.ask(Asked::Directly, request, headers) {
            Answer::Response(response) => response,
            Answer::Code => panic!("{request}: there is no code"),
        }
    }

    /// The answer to a Worker without code, in words: `200 /file`, `307 → /elsewhere`, `404`.
    pub(crate) fn directly(&self, request: &str) -> String {
        words(&self.ask(Asked::Directly, request, &[]))
    }

    /// The answer to a Worker with code, or `code`.
    pub(crate) fn before_code(&self, request: &str) -> String {
        words(&self.ask(Asked::BeforeCode, request, &[]))
    }

    pub(crate) fn before_code_navigating(&self, request: &str) -> String {
        words(&self.ask(Asked::BeforeCode, request, &[("sec-fetch-mode", "navigate")]))
    }
}

pub(crate) fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    let mut values = response.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let value = values.next();
    assert_eq!(values.next(), None, "`{name}` is there twice");
    value
}

pub(crate) fn words(answer: &Answer) -> String {
    let Answer::Response(response) = answer else { return "code".to_owned() };
    let status = response.status;
    match (&response.body, header(response, "location")) {
        (Body::File { file, range, .. }, None) if *range == (0..file.size) => format!("{status} {}", file.path),
        (Body::File { file, range, .. }, None) => format!("{status} {} {range:?}", file.path),
        (Body::Empty, Some(location)) => format!("{status} → {location}"),
        (Body::Empty, None) => status.to_string(),
        (Body::File { .. }, Some(_)) => panic!("{answer:?}"),
    }
}
