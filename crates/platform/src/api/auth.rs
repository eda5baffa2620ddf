//! Who may use the API.
//!
//! With a token asked for, every request shows one: `Authorization: Bearer T`, or `X-Auth-Key: T` beside `X-Auth-Email`
//! (whose value means nothing here). It is looked up before anything of the body is read, and before the path is. Uploads
//! of static assets show the token of their session in its place, with or without a token asked for: it says which one it
//! is.
//!
//! Without one, the API listens on loopback, and what must be kept out is the web pages that the machine's own browser
//! shows: they can send requests to loopback, too. A page can neither choose `Host` (a name that was rebound to loopback
//! stands there) nor leave away `Origin` on anything that writes; so requests must name this machine as their host, and
//! must not come from a page of another origin. The platform's own Workers are other origins: their port is another.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{Fault, shown};
use super::{Api, assets};
use crate::deploy::blocking;

/// Lets a request in, or answers in its place.
pub(super) async fn admit(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let admitted = match (assets::is_upload(&request), api.auth) {
        (false, true) => known(&api, request.headers()).await,
        (false, false) => local(&request),
        (true, true) => of_session(&api, &mut request),
        (true, false) => local(&request).and_then(|()| of_session(&api, &mut request)),
    };
    match admitted {
        Ok(()) => next.run(request).await,
        Err(fault) => fault.into_response(),
    }
}

async fn known(api: &Api, headers: &HeaderMap) -> Result<(), Fault> {
    let token = token(headers)?;
    if blocking(&api.store, move |store| store.knows_token(&token)).await? { Ok(()) } else { Err(Fault::Credentials) }
}

/// Finds the session of an upload, for whom takes it.
fn of_session(api: &Api, request: &mut Request) -> Result<(), Fault> {
    let session = assets::session(api, &token(request.headers())?)?;
    request.extensions_mut().insert(session);
    Ok(())
}

fn token(headers: &HeaderMap) -> Result<String, Fault> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.to_str().map_err(|_| Fault::AuthorizationHeader)?;
        let (scheme, token) = value.split_once(' ').ok_or(Fault::AuthorizationHeader)?;
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(Fault::AuthorizationHeader);
        }
        return Ok(token.to_owned());
    }
    match (headers.get("x-auth-email"), headers.get("x-auth-key")) {
        (Some(_), Some(key)) => Ok(key.to_str().map_err(|_| Fault::Credentials)?.to_owned()),
        _ => Err(Fault::NoCredentials),
    }
}

fn local(request: &Request) -> Result<(), Fault> {
    let host = host(request.uri(), request.headers());
    let Some(authority) = host.as_deref().and_then(|host| host.parse::<Authority>().ok()) else {
        return Err(Fault::Host(shown(host.as_deref().unwrap_or_default())));
    };
    if !names_this_machine(authority.host()) {
        return Err(Fault::Host(shown(authority.host())));
    }
    if let Some(origin) = request.headers().get(header::ORIGIN)
        && origin.as_bytes() != format!("http://{authority}").as_bytes()
    {
        return Err(Fault::Origin(shown(&String::from_utf8_lossy(origin.as_bytes()))));
    }
    // Browsers send this one with requests that carry no `Origin`, too.
    match request.headers().get("sec-fetch-site") {
        Some(site) if site != "same-origin" && site != "none" => {
            Err(Fault::Origin(shown(&String::from_utf8_lossy(site.as_bytes()))))
        }
        _ => Ok(()),
    }
}

/// The host that a request names: that of an absolute URI counts for more (RFC 9112 §3.2.2). Two are none.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(authority) = uri.authority() {
        return Some(authority.to_string());
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

fn names_this_machine(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = axum::http::Request::builder().uri("/client/v4/user");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn without_a_token_only_this_machine_is_let_in_and_no_page_of_another_origin() {
        let host = ("host", "localhost:8788");
        let good: &[(&str, &[(&str, &str)])] = &[
            ("curl on localhost", &[host]),
            ("curl on an address", &[("host", "127.0.0.1:8788")]),
            ("another loopback address", &[("host", "127.8.0.1")]),
            ("IPv6", &[("host", "[::1]:8788")]),
            ("the API's own origin", &[host, ("origin", "http://localhost:8788"), ("sec-fetch-site", "same-origin")]),
            ("a URL typed into the browser", &[host, ("sec-fetch-site", "none")]),
        ];
        for (case, headers) in good {
            assert_eq!(local(&request(headers)), Ok(()), "{case}");
        }
        let bad: &[(&str, &[(&str, &str)])] = &[
            ("no host", &[]),
            ("a rebound name", &[("host", "evil.example:8788")]),
            ("a rebound name that looks like an address", &[("host", "127.0.0.1.evil.example")]),
            ("a name under localhost", &[("host", "acme.localhost:8788")]),
            ("another machine", &[("host", "10.0.0.1:8788")]),
            ("two hosts", &[host, ("host", "evil.example")]),
            ("a page on the web", &[host, ("origin", "https://evil.example")]),
            ("a sandboxed page", &[host, ("origin", "null")]),
            ("a page of a Worker that runs here", &[host, ("origin", "http://localhost:8787")]),
            ("an image on a page", &[host, ("sec-fetch-site", "cross-site")]),
            ("a page of another port", &[host, ("sec-fetch-site", "same-site")]),
        ];
        for (case, headers) in bad {
            assert!(local(&request(headers)).is_err(), "{case}");
        }
    }

    #[test]
    fn a_token_is_read_from_either_scheme_and_from_nothing_else() {
        let of = |headers: &[(&str, &str)]| token(request(headers).headers());
        assert_eq!(of(&[("authorization", "Bearer t0k")]), Ok("t0k".to_owned()));
        assert_eq!(of(&[("authorization", "bearer  t0k")]), Ok("t0k".to_owned()));
        assert_eq!(of(&[("x-auth-email", "a@b.example"), ("x-auth-key", "t0k")]), Ok("t0k".to_owned()));
        assert_eq!(of(&[]), Err(Fault::NoCredentials));
        assert_eq!(of(&[("x-auth-key", "t0k")]), Err(Fault::NoCredentials));
        assert_eq!(of(&[("authorization", "Basic dDprCg==")]), Err(Fault::AuthorizationHeader));
        assert_eq!(of(&[("authorization", "Bearer")]), Err(Fault::AuthorizationHeader));
        assert_eq!(of(&[("authorization", "Bearer ")]), Err(Fault::AuthorizationHeader));
    }
}
