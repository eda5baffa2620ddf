//! Query strings: parameters, pages, tag filters.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Api;
use super::envelope::{List, ResultInfo};
use super::error::{Fault, shown};
use crate::store::TagFilter;

/// A decoded query string. Unknown parameters mean nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl FromRequestParts<Api> for Query {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Fault> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Query {
    fn parse(query: &str) -> Result<Self, Fault> {
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decoded(name)?, decoded(value)?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// A parameter, the first of its name.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// A number between bounds.
    pub(super) fn number<T: Copy + FromStr + PartialOrd + std::fmt::Display>(
        &self,
        name: &str,
        least: T,
        most: T,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = self.one(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if number >= least && number <= most => Ok(Some(number)),
            _ => Err(Fault::Query(format!("`{name}={}` is no number from {least} to {most}", shown(text)))),
        }
    }

    /// `tags=a:yes,b:no`; none without the parameter. Since no tag has a comma in it, an encoded one separates as well.
    pub(super) fn tags(&self) -> Result<Option<TagFilter>, Fault> {
        let Some(pairs) = self.one("tags") else { return Ok(None) };
        let mut filter = TagFilter::default();
        for pair in pairs.split(',') {
            match pair.rsplit_once(':') {
                Some((tag, "yes")) if !tag.is_empty() => filter.with.push(tag.to_owned()),
                Some((tag, "no")) if !tag.is_empty() => filter.without.push(tag.to_owned()),
                _ => {
                    return Err(Fault::Query(format!(
                        "`{}` is no tag filter: write pairs of a tag and `yes` or `no`, as in `tags=paid:yes,trial:no`",
                        shown(pair)
                    )));
                }
            }
            if filter.with.len() + filter.without.len() > MOST_FILTERS {
                return Err(Fault::Query(format!("a tag filter has at most {MOST_FILTERS} pairs")));
            }
        }
        Ok(Some(filter))
    }

    /// The `page` (from 1) and `per_page` of a listing that is paged by number.
    pub(super) fn page(&self, usual: usize, most: usize) -> Result<(usize, usize), Fault> {
        let page = self.number("page", 1, 1_000_000_000)?.unwrap_or(1);
        let per_page = self.number("per_page", 1, most)?.unwrap_or(usual);
        Ok((page, per_page))
    }
}

/// Pairs in one filter.
const MOST_FILTERS: usize = 32;

/// One page of items, and the `result_info` that goes with it.
pub(super) fn paged<T>(items: Vec<T>, page: usize, per_page: usize) -> (List<T>, ResultInfo) {
    let total = items.len();
    let items: List<T> = items.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
    let info = ResultInfo {
        count: items.0.len(),
        page: Some(page),
        per_page: Some(per_page),
        total_count: Some(total),
        total_pages: Some(total.div_ceil(per_page)),
        cursor: None,
    };
    (items, info)
}

/// Describes [`Query::page`].
pub(super) enum Numbered {}

/// Describes `cursor` and `limit`.
pub(super) enum ByCursor {}

/// Describes [`Query::tags`].
pub(super) enum Tagged {}

impl IntoParams for Numbered {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let number = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        vec![
            parameter("page", "The number of the page that is wanted; the first is 1.", number()),
            parameter("per_page", "How many items a page has at most.", number()),
        ]
    }
}

impl IntoParams for ByCursor {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(1000));
        let cursor = ObjectBuilder::new().schema_type(Type::String);
        vec![
            parameter(
                "cursor",
                "Where the page that is wanted begins: `result_info.cursor` of the one before.",
                cursor,
            ),
            parameter("limit", "How many items are wanted at most.", limit),
        ]
    }
}

impl IntoParams for Tagged {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let filter =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[^,:]+:(yes|no)(,[^,:]+:(yes|no))*$"));
        vec![parameter("tags", "Pairs of a tag and `yes` or `no`, as in `paid:yes,trial:no`. All must hold.", filter)]
    }
}

fn parameter(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn decoded(text: &str) -> Result<String, Fault> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Fault::Query(format!("`{}` in the query is no UTF-8", shown(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(query: &str) -> Result<Option<TagFilter>, Fault> {
        Query::parse(query)?.tags()
    }

    #[test]
    fn tag_filters_are_read_however_they_are_encoded() {
        let filter = |with: &[&str], without: &[&str]| {
            let owned = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
            Ok(Some(TagFilter { with: owned(with), without: owned(without) }))
        };
        assert_eq!(tags("tags=paid:yes,trial:no"), filter(&["paid"], &["trial"]));
        assert_eq!(tags("tags=customer-123%3Ayes%2Ctrial%3Ano"), filter(&["customer-123"], &["trial"]));
        assert_eq!(tags("tags=team:blue:yes"), filter(&["team:blue"], &[]), "the last colon separates");
        assert_eq!(tags("limit=3&tags=a+b:yes"), filter(&["a b"], &[]));
        assert_eq!(tags("limit=3"), Ok(None));
    }

    #[test]
    fn a_filter_that_says_nothing_is_refused_and_not_taken_for_all() {
        for bad in ["tags=", "tags=paid", "tags=paid:maybe", "tags=:yes", "tags=paid:yes,", "tags=%ff:yes"] {
            assert!(matches!(tags(bad), Err(Fault::Query(_))), "{bad}");
        }
        let many = (0..100_000).map(|tag| format!("{tag}:yes")).collect::<Vec<_>>().join(",");
        assert!(matches!(tags(&format!("tags={many}")), Err(Fault::Query(_))));
    }

    #[test]
    fn pages_count_from_one_and_end() {
        let (items, info) = paged((0..25).collect(), 3, 10);
        assert_eq!(items.0, [20, 21, 22, 23, 24]);
        assert_eq!((info.total_pages, info.total_count), (Some(3), Some(25)));
        assert!(paged(vec![1], usize::MAX, 10).0.0.is_empty());
        assert!(Query::parse("page=0").and_then(|query| query.page(10, 100)).is_err());
    }
}
