//! What requests for static assets are answered, case by case.

mod conditional;
mod headers;
mod html;
mod methods;
mod not_found;
mod redirects;
mod routing;
mod support;
