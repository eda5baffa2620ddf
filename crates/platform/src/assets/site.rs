//! What a request for assets is answered.
//!
//! ```text
//!   request ─► run_worker_first ─► _redirects ─► html_handling ─► not_found_handling ─► etag, range ─► _headers ─► answer
//!                    │                                │ neither finds a file
//!                    └──────► the Worker's code ◄─────┘
//! ```
//!
//! Files are looked up one by one, by path: there may be twenty thousand, and a request asks for a handful.

use std::ops::Range;

use url::Url;

use super::conditional::{self, Part};
use super::headers::Headers;
use super::html::{Attempt, attempts};
use super::path::{decode, encode};
use super::pattern::Place;
use super::redirects::{Redirected, Redirects};
use super::routing::{Route, Routing};
use super::rules::InvalidRules;
use super::{Config, File, HtmlHandling, NotFoundHandling};

/// The longest path of a file, in bytes of UTF-8: none that is longer is looked up.
pub const LONGEST_PATH: usize = 1024;

/// From this date on, a browser that navigates is given what `not_found_handling` says before the code is asked.
const NAVIGATION_PREFERS_ASSETS: &str = "2025-04-01";

/// How the files of a version are served: its [`Config`], compiled.
#[derive(Debug)]
pub struct Site {
    html: HtmlHandling,
    not_found: NotFoundHandling,
    routing: Routing,
    redirects: Redirects,
    headers: Headers,
    navigation_prefers_assets: bool,
}

/// Of a request, what matters to assets.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// In capitals.
    pub method: &'r str,
    /// Absolute.
    pub url: &'r Url,
    /// `If-None-Match`.
    pub if_none_match: Option<&'r str>,
    /// `Range`.
    pub range: Option<&'r str>,
    /// `If-Range`.
    pub if_range: Option<&'r str>,
    /// Whether it has an `Authorization`: what answers it is for one client, and no cache.
    pub authorized: bool,
    /// Whether `Sec-Fetch-Mode` is `navigate`.
    pub navigates: bool,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A request to the Worker, which has code.
    BeforeCode,
    /// The Worker's code, through its binding; or a request to a Worker that has no code.
    Directly,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The Worker's code answers it.
    Code,
    /// This does.
    Response(Response),
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Names in lower case. `content-length` is not among them.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Body,
}

/// The body of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// Bytes of a file.
    File {
        /// Which.
        file: File,
        /// Which bytes; never beyond its end.
        range: Range<u64>,
        /// Whether their number alone is asked for (`HEAD`).
        head: bool,
    },
}

/// What is at a path.
enum Found {
    /// A file, and the status that it is served with.
    File(File, u16),
    /// Nothing, and it is at another path.
    Moved(String),
}

impl Site {
    /// Compiles a configuration for a Worker with this compatibility date and these flags.
    pub fn compile(config: &Config, date: &str, flags: &[String]) -> Result<Self, InvalidRules> {
        let mut faults = Vec::new();
        let has = |flag: &str| flags.iter().any(|known| known == flag);
        let redirects = config.redirects.as_deref().unwrap_or_default();
        let site = Self {
            html: config.html_handling,
            not_found: config.not_found_handling,
            routing: Routing::compile(&config.run_worker_first, &mut faults),
            redirects: Redirects::compile(redirects, config.html_handling, &mut faults),
            headers: Headers::compile(config.headers.as_deref().unwrap_or_default(), &mut faults),
            navigation_prefers_assets: has("assets_navigation_prefers_asset_serving")
                || (date >= NAVIGATION_PREFERS_ASSETS && !has("assets_navigation_has_no_effect")),
        };
        InvalidRules::unless_none(site, faults)
    }

    /// Answers a request. `find` says which file is at a path.
    pub fn answer<E>(
        &self,
        request: &Request<'_>,
        asked: Asked,
        find: impl FnMut(&str) -> Result<Option<File>, E>,
    ) -> Result<Answer, E> {
        let mut not_found = self.not_found;
        if asked == Asked::BeforeCode {
            match self.routing.route(request.url.path()) {
                Route::Worker => return Ok(Answer::Code),
                Route::Assets => {
                    return self.respond(request, not_found, find).map(|(_, answer)| Answer::Response(answer));
                }
                Route::Either => {}
            }
            // The code is what answers what is not found, unless somebody said otherwise.
            let navigates = self.navigation_prefers_assets && request.navigates;
            if !navigates && !self.routing.has_rules() {
                not_found = NotFoundHandling::None;
            }
        }
        let (found, answer) = self.respond(request, not_found, find)?;
        Ok(if asked == Asked::BeforeCode && !found { Answer::Code } else { Answer::Response(answer) })
    }

    /// The response, and whether there is anything at the path.
    fn respond<E>(
        &self,
        request: &Request<'_>,
        not_found: NotFoundHandling,
        find: impl FnMut(&str) -> Result<Option<File>, E>,
    ) -> Result<(bool, Response), E> {
        let place = Place::of(request.url);
        let (found, mut response) = self.response(request, &place, not_found, &mut Files::new(find))?;
        self.headers.apply(&place, &mut response.headers);
        Ok((found, response))
    }

    fn response<E>(
        &self,
        request: &Request<'_>,
        place: &Place,
        not_found: NotFoundHandling,
        files: &mut Files<impl FnMut(&str) -> Result<Option<File>, E>>,
    ) -> Result<(bool, Response), E> {
        let mut rewritten = None;
        match self.redirects.apply(request.url, place) {
            Some(Redirected::To { status, location }) => return Ok((true, moved(status, location))),
            Some(Redirected::Nowhere) => return Ok((true, Response::empty(404))),
            Some(Redirected::Rewritten(path)) => rewritten = Some(path),
            None => {}
        }
        let path = rewritten.as_deref().unwrap_or(place.path());
        let decoded = decode(path);
        let Some(found) = self.find(&decoded, not_found, files)? else {
            return Ok((rewritten.is_some(), Response::empty(404)));
        };
        if !matches!(request.method, "GET" | "HEAD") {
            let mut refused = Response::empty(405);
            refused.header("allow", "GET, HEAD");
            return Ok((true, refused));
        }
        let (to, found) = match found {
            Found::Moved(to) => (encode(&to), None),
            Found::File(file, status) => (encode(&decoded), Some((file, status))),
        };
        let response = match found {
            Some((file, status)) if to == path => served(request, file, status),
            // A file is served in one form of its path alone.
            _ => {
                let query = request.url.query().filter(|query| !query.is_empty());
                moved(307, query.map_or_else(|| to.clone(), |query| format!("{to}?{query}")))
            }
        };
        Ok((true, response))
    }

    /// What is at a decoded path.
    fn find<E>(
        &self,
        path: &str,
        not_found: NotFoundHandling,
        files: &mut Files<impl FnMut(&str) -> Result<Option<File>, E>>,
    ) -> Result<Option<Found>, E> {
        for attempt in attempts(self.html, path) {
            match attempt {
                Attempt::Serve(path) => {
                    if let Some(file) = files.find(&path)? {
                        return Ok(Some(Found::File(file, 200)));
                    }
                }
                Attempt::Redirect { file, to } => {
                    if let Some(file) = files.find(&file)?
                        && files.find(&to)?.is_none()
                        && self.find_here(&to, not_found, files)?.is_some_and(|(served, _)| served.hash == file.hash)
                    {
                        return Ok(Some(Found::Moved(to)));
                    }
                }
            }
        }
        Ok(find_instead(path, not_found, files)?.map(|(file, status)| Found::File(file, status)))
    }

    /// The file that a path is answered with, no redirect being followed.
    fn find_here<E>(
        &self,
        path: &str,
        not_found: NotFoundHandling,
        files: &mut Files<impl FnMut(&str) -> Result<Option<File>, E>>,
    ) -> Result<Option<(File, u16)>, E> {
        for attempt in attempts(self.html, path) {
            if let Attempt::Serve(path) = attempt
                && let Some(file) = files.find(&path)?
            {
                return Ok(Some((file, 200)));
            }
        }
        find_instead(path, not_found, files)
    }
}

/// The files, none of which is looked up twice.
struct Files<F> {
    find: F,
    known: Vec<(String, Option<File>)>,
}

impl<F> Files<F> {
    fn new(find: F) -> Self {
        Self { find, known: Vec::new() }
    }

    fn find<E>(&mut self, path: &str) -> Result<Option<File>, E>
    where
        F: FnMut(&str) -> Result<Option<File>, E>,
    {
        if path.len() > LONGEST_PATH {
            return Ok(None);
        }
        if let Some((_, file)) = self.known.iter().find(|(known, _)| known == path) {
            return Ok(file.clone());
        }
        let file = (self.find)(path)?;
        self.known.push((path.to_owned(), file.clone()));
        Ok(file)
    }
}

/// The file that answers in place of one that is not there.
fn find_instead<E>(
    path: &str,
    not_found: NotFoundHandling,
    files: &mut Files<impl FnMut(&str) -> Result<Option<File>, E>>,
) -> Result<Option<(File, u16)>, E> {
    match not_found {
        NotFoundHandling::None => {}
        NotFoundHandling::SinglePageApplication => {
            return Ok(files.find("/index.html")?.map(|file| (file, 200)));
        }
        NotFoundHandling::NotFoundPage => {
            let mut folder = path;
            while let Some((above, _)) = folder.rsplit_once('/') {
                if let Some(file) = files.find(&format!("{above}/404.html"))? {
                    return Ok(Some((file, 404)));
                }
                folder = above;
            }
        }
    }
    Ok(None)
}

/// A file, or as much of it as is asked for.
fn served(request: &Request<'_>, file: File, status: u16) -> Response {
    let tag = format!("\"{}\"", file.hash);
    let mut response = Response::empty(status);
    response.header("etag", &tag);
    if let Some(content_type) = &file.content_type {
        response.header("content-type", content_type);
    }
    if !request.authorized && request.range.is_none() {
        response.header("cache-control", "public, max-age=0, must-revalidate");
    }
    if request.if_none_match.is_some_and(|named| conditional::names(named, &tag)) {
        response.status = 304;
        return response;
    }
    let size = file.size;
    let mut range = 0..size;
    if status == 200 {
        response.header("accept-ranges", "bytes");
        let asked = request.range.filter(|_| request.method == "GET");
        match conditional::part(asked, request.if_range, &tag, size) {
            Part::Whole => {}
            Part::Bytes(part) => {
                response.status = 206;
                response
                    .header("content-range", &format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1)));
                range = part;
            }
            Part::None => {
                let mut refused = Response::empty(416);
                refused.header("accept-ranges", "bytes");
                refused.header("content-range", &format!("bytes */{size}"));
                return refused;
            }
        }
    }
    response.body = Body::File { file, range, head: request.method == "HEAD" };
    response
}

fn moved(status: u16, location: String) -> Response {
    let mut response = Response::empty(status);
    response.headers.push(("location".to_owned(), location));
    response
}

impl Response {
    fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    fn header(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}
