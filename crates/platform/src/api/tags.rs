//! Tags of a script.

use axum::body::Body;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Api;
use super::body;
use super::envelope::{Nothing, done, ok};
use super::error::{Fault, Reply, shown};
use super::path::{Captures, Target};
use super::query::{Query, Tagged};
use crate::deploy::{blocking, writing};

/// The most tags of one script.
pub(super) const MOST_TAGS: usize = 8;
/// The longest tag, in characters.
const LONGEST_TAG: usize = 1024;

/// Tags, or whether a filter meets them.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Tags {
    /// All of them.
    All(Vec<String>),
    /// With a filter: whether it meets them.
    Met(bool),
}

/// Lists the tags of a script; with a filter, says whether it meets them.
#[utoipa::path(get, path = "/tags", tag = "Tags", params(Tagged))]
pub(super) async fn list(State(api): State<Api>, target: Target, query: Query) -> Reply<Tags> {
    let script = blocking(&api.store, move |store| store.script(&target.key)).await?;
    match query.tags()? {
        None => ok(Tags::All(script.tags)),
        Some(filter) => {
            let has = |tag: &String| script.tags.contains(tag);
            ok(Tags::Met(filter.with.iter().all(has) && !filter.without.iter().any(has)))
        }
    }
}

/// Replaces the tags of a script.
#[utoipa::path(put, path = "/tags", tag = "Tags", request_body(content = Option<Vec<String>>))]
pub(super) async fn replace(State(api): State<Api>, target: Target, body: Body) -> Reply<Vec<String>> {
    let tags = match body::json::<Value>(body).await? {
        Value::Null => Vec::new(),
        tags => parse(tags)?,
    };
    ok(writing(&api.store, move |store| store.set_tags(&target.key, &tags)).await?)
}

/// Adds a tag to a script.
#[utoipa::path(put, path = "/tags/{tag}", tag = "Tags")]
pub(super) async fn add(State(api): State<Api>, target: Target, captures: Captures) -> Reply<Nothing> {
    let tag = captures.one("tag").to_owned();
    check(&tag)?;
    if writing(&api.store, move |store| store.add_tag(&target.key, &tag, MOST_TAGS)).await? {
        done()
    } else {
        Err(too_many())
    }
}

/// Takes a tag from a script.
#[utoipa::path(delete, path = "/tags/{tag}", tag = "Tags")]
pub(super) async fn remove(State(api): State<Api>, target: Target, captures: Captures) -> Reply<Nothing> {
    let tag = captures.one("tag").to_owned();
    writing(&api.store, move |store| store.remove_tag(&target.key, &tag)).await?;
    done()
}

/// Reads an array of tags; one that is there twice counts once.
pub(super) fn parse(value: Value) -> Result<Vec<String>, Fault> {
    let Value::Array(items) = value else {
        return Err(Fault::Tag(format!("tags must be an array of strings, as in {}", json!(["customer-123", "paid"]))));
    };
    let mut tags: Vec<String> = Vec::new();
    for item in items {
        let Value::String(tag) = item else {
            return Err(Fault::Tag(format!("tags must be strings, and `{}` is none", shown(&item.to_string()))));
        };
        check(&tag)?;
        if !tags.contains(&tag) {
            if tags.len() == MOST_TAGS {
                return Err(too_many());
            }
            tags.push(tag);
        }
    }
    Ok(tags)
}

fn check(tag: &str) -> Result<(), Fault> {
    if tag.is_empty() || tag.chars().nth(LONGEST_TAG).is_some() {
        return Err(Fault::Tag(format!("`{}` cannot be a tag: a tag has 1 to {LONGEST_TAG} characters", shown(tag))));
    }
    if tag.contains([',', '&']) || tag.chars().any(char::is_control) {
        return Err(Fault::Tag(format!(
            "`{}` cannot be a tag: tags hold no `,`, no `&` and no control characters",
            shown(tag)
        )));
    }
    Ok(())
}

fn too_many() -> Fault {
    Fault::Tag(format!("a script has at most {MOST_TAGS} tags"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_few_short_and_without_what_separates_filters() {
        assert_eq!(parse(json!(["b", "a", "b"])).unwrap(), ["b", "a"]);
        assert!(parse(json!(["team:blue", "é", "a b", "x".repeat(1024)])).is_ok());
        let bad = [
            json!("a"),
            json!({ "a": true }),
            json!([1]),
            json!([null]),
            json!([""]),
            json!(["a,b"]),
            json!(["a&b"]),
            json!(["a\nb"]),
            json!(["x".repeat(1025)]),
            json!((0..9).map(|tag| tag.to_string()).collect::<Vec<_>>()),
        ];
        for value in bad {
            assert!(matches!(parse(value.clone()), Err(Fault::Tag(_))), "{value}");
        }
    }

    #[test]
    fn a_hundred_thousand_tags_are_refused_at_the_ninth() {
        let many = Value::Array((0..100_000).map(|tag| json!(format!("tag-{tag}"))).collect());
        assert_eq!(parse(many), Err(too_many()));
        let same = Value::Array(vec![json!("same"); 100_000]);
        assert_eq!(parse(same), Ok(vec!["same".to_owned()]));
    }
}
