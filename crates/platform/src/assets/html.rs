//! `html_handling`: at which paths a page is, and what leads there.
//!
//! A page is a file `/page.html` or `/page/index.html`. A mode says at which one path each is served; the other paths by
//! which one might ask for it redirect there. So for each path there is a list of what to try, the first that succeeds
//! being the answer.

use super::HtmlHandling;

/// Something to try for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Serves the file of this path, if there is one.
    Serve(String),
    /// Redirects to a path, if that is where this file is served.
    Redirect {
        /// The file.
        file: String,
        /// Where it is served.
        to: String,
    },
}

/// What to try for a (decoded) path, in order.
pub(super) fn attempts(handling: HtmlHandling, path: &str) -> Vec<Attempt> {
    let page = match handling {
        HtmlHandling::None => return vec![serve(path)],
        HtmlHandling::AutoTrailingSlash => auto(path),
        HtmlHandling::DropTrailingSlash => drop(path),
        HtmlHandling::ForceTrailingSlash => force(path),
    };
    let file = match handling {
        HtmlHandling::None => Vec::new(),
        HtmlHandling::AutoTrailingSlash => {
            vec![serve(path), serve(format!("{path}.html")), redirect(format!("{path}/index.html"), format!("{path}/"))]
        }
        HtmlHandling::DropTrailingSlash => {
            vec![serve(path), serve(format!("{path}.html")), serve(format!("{path}/index.html"))]
        }
        HtmlHandling::ForceTrailingSlash => vec![
            serve(path),
            redirect(format!("{path}.html"), format!("{path}/")),
            redirect(format!("{path}/index.html"), format!("{path}/")),
        ],
    };
    page.into_iter().chain(file).collect()
}

/// `/page.html` is at `/page`, `/page/index.html` at `/page/`.
fn auto(path: &str) -> Vec<Attempt> {
    if let Some(page) = path.strip_suffix("/index") {
        // A file may be called so.
        vec![serve(path), redirect(format!("{path}.html"), format!("{page}/")), redirect(format!("{page}.html"), page)]
    } else if let Some(page) = path.strip_suffix("/index.html") {
        vec![redirect(path, format!("{page}/")), redirect(format!("{page}.html"), page)]
    } else if let Some(page) = path.strip_suffix('/') {
        vec![serve(format!("{path}index.html")), redirect(format!("{page}.html"), page)]
    } else if let Some(page) = path.strip_suffix(".html") {
        vec![redirect(path, page), redirect(format!("{page}/index.html"), format!("{page}/"))]
    } else {
        Vec::new()
    }
}

/// Both are at `/page/`.
fn force(path: &str) -> Vec<Attempt> {
    if let Some(page) = path.strip_suffix("/index") {
        let to = format!("{page}/");
        vec![serve(path), redirect(format!("{path}.html"), to.clone()), redirect(format!("{page}.html"), to)]
    } else if let Some(page) = path.strip_suffix("/index.html") {
        let to = format!("{page}/");
        vec![redirect(path, to.clone()), redirect(format!("{page}.html"), to)]
    } else if let Some(page) = path.strip_suffix('/') {
        vec![serve(format!("{path}index.html")), serve(format!("{page}.html"))]
    } else if let Some(page) = path.strip_suffix(".html") {
        let to = format!("{page}/");
        // If there are both files, the page is the other one, and this one is at its own path.
        vec![redirect(path, to.clone()), serve(path), redirect(format!("{page}/index.html"), to)]
    } else {
        Vec::new()
    }
}

/// Both are at `/page`; the root stays `/`.
fn drop(path: &str) -> Vec<Attempt> {
    match path {
        "/" => return vec![serve("/index.html")],
        "/index" => return vec![serve(path), redirect("/index.html", "/")],
        "/index.html" => return vec![redirect(path, "/")],
        _ => {}
    }
    if let Some(page) = path.strip_suffix("/index") {
        vec![serve(path), redirect(format!("{page}.html"), page), redirect(format!("{path}.html"), page)]
    } else if let Some(page) = path.strip_suffix("/index.html") {
        // If there are both files, the page is the other one, and this one is at its own path.
        vec![redirect(path, page), serve(path), redirect(format!("{page}.html"), page)]
    } else if let Some(page) = path.strip_suffix('/') {
        vec![redirect(format!("{page}.html"), page), redirect(format!("{page}/index.html"), page)]
    } else if let Some(page) = path.strip_suffix(".html") {
        vec![redirect(path, page), redirect(format!("{page}/index.html"), page)]
    } else {
        Vec::new()
    }
}

fn serve(path: impl Into<String>) -> Attempt {
    Attempt::Serve(path.into())
}

fn redirect(file: impl Into<String>, to: impl Into<String>) -> Attempt {
    Attempt::Redirect { file: file.into(), to: to.into() }
}
