//! The request that goes out: built anew from what was judged, never the tenant's own.
//!
//! Whatever is not copied here does not leave: `request.cf` (a tenant's `resolveOverride` or cache key), the tenant's redirect
//! and cache modes, headers that hygiene drops. Redirects are `manual`, so that the tenant's own `fetch` follows
//! them and every hop comes back here to be judged. The body is handed over as a stream and never read.

use tidegate_engine::hygiene::fold;
use tidegate_engine::{Forwarding, Header, Target};
use web_sys::{ReadableStream, Request, RequestCache, RequestInit, RequestRedirect};

use crate::js;

/// A token, and where it goes.
pub(crate) struct Stamp {
    /// Lower-case header name.
    pub(crate) header: String,
    /// What stands before the token.
    pub(crate) scheme: String,
    /// The token.
    pub(crate) token: String,
}

/// The headers of the request that goes out: the tenant's as far as they pass, then those that the rules set, then the
/// token. A name that the rules remove or set is the tenant's under no spelling.
pub(crate) fn headers(received: &[Header], forwarding: &Forwarding, stamp: Option<Stamp>) -> Vec<Header> {
    let set = forwarding.set.iter().map(|header| (header.name.clone(), header.value.clone()));
    let ours: Vec<Header> = set.chain(stamp.map(Stamp::into_header)).collect();
    let taken: Vec<String> =
        forwarding.remove.iter().chain(ours.iter().map(|(name, _)| name)).map(|name| fold(name)).collect();
    let theirs = received.iter().filter(|(name, _)| forwarding.passes(name) && !taken.contains(&fold(name)));
    theirs.cloned().chain(ours.iter().cloned()).collect()
}

impl Stamp {
    fn into_header(self) -> Header {
        let value = if self.scheme.is_empty() { self.token } else { format!("{} {}", self.scheme, self.token) };
        (self.header, value)
    }
}

/// The request that goes out. The runtime must have understood its URL exactly as it was judged.
pub(crate) fn build(
    target: &Target,
    method: &str,
    headers: &[Header],
    body: Option<&ReadableStream>,
    no_store: bool,
) -> Result<Request, String> {
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers_headers(&js::write_headers(headers)?);
    init.set_redirect(RequestRedirect::Manual);
    if no_store {
        init.set_cache(RequestCache::NoStore);
    }
    if !matches!(method, "GET" | "HEAD") {
        init.set_body_opt_readable_stream(body);
    }
    let request = Request::new_with_str_and_init(target.url(), &init)
        .map_err(|error| js::failed("the runtime does not take the request", &error))?;
    if request.url() != target.url() {
        return Err("the runtime reads the URL in another way than it was judged".to_owned());
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use tidegate_engine::SetHeader;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<Header> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn set(name: &str, value: &str) -> SetHeader {
        SetHeader { name: name.to_owned(), value: value.to_owned(), secrets: Vec::new() }
    }

    fn stamp(scheme: &str) -> Stamp {
        Stamp { header: "authorization".into(), scheme: scheme.into(), token: "a.b.c".into() }
    }

    #[test]
    fn what_the_rules_set_replaces_the_tenants_own_under_every_spelling() {
        let mut forwarding = Forwarding::default();
        forwarding.set.push(set("x-api-key", "ours"));
        let received = pairs(&[("x_api_key", "theirs"), ("x-api-key", "theirs"), ("accept", "*/*")]);
        assert_eq!(headers(&received, &forwarding, None), pairs(&[("accept", "*/*"), ("x-api-key", "ours")]));
    }

    #[test]
    fn what_the_rules_remove_goes_under_every_spelling() {
        let mut forwarding = Forwarding::default();
        forwarding.remove.push("x-debug".into());
        let received = pairs(&[("x_debug", "1"), ("x-debug", "1"), ("x-debugger", "1")]);
        assert_eq!(headers(&received, &forwarding, None), pairs(&[("x-debugger", "1")]));
    }

    #[test]
    fn the_token_replaces_the_tenants_own_authorization() {
        let received = pairs(&[("authorization", "Basic theirs")]);
        let forwarding = Forwarding::default();
        assert_eq!(headers(&received, &forwarding, Some(stamp("Bearer"))), pairs(&[("authorization", "Bearer a.b.c")]));
        assert_eq!(headers(&received, &forwarding, Some(stamp(""))), pairs(&[("authorization", "a.b.c")]));
    }

    #[test]
    fn hygiene_holds_without_any_rule() {
        let received =
            pairs(&[("cf-connecting-ip", "1.2.3.4"), ("upgrade", "websocket"), ("x-forwarded-for", "a"), ("x-a", "b")]);
        assert_eq!(headers(&received, &Forwarding::default(), None), pairs(&[("x-a", "b")]));
    }

    #[test]
    fn an_allowed_upgrade_keeps_its_handshake() {
        let mut forwarding = Forwarding::default();
        forwarding.upgrade = true;
        let handshake = pairs(&[("sec-websocket-protocol", "chat"), ("upgrade", "websocket")]);
        assert_eq!(headers(&handshake, &forwarding, None), handshake);
    }
}
