//! The request that goes out: built anew from what was judged, never the tenant's own.
//!
//! Whatever is not copied here does not leave: `request.cf` (a tenant's `resolveOverride` or cache key), the tenant's redirect
//! and cache modes, headers that hygiene drops. Redirects are `manual`, so that the tenant's own `fetch` follows
//! them and every hop comes back here to be judged. The body is handed over as a stream and never read.

use tidegate_engine::{Header, Target};
use web_sys::{ReadableStream, Request, RequestCache, RequestInit, RequestRedirect};

use crate::js;

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
