//! D1 databases and what queries give, as answers show them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoResponses, ToSchema};

use super::super::envelope::{self, Responses};
use crate::d1::Outcome;
use crate::store;

/// A D1 database.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct D1Database {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) name: Option<String>,
    /// Always `production`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) created_at: Option<String>,
    /// In bytes. Not known while the database is busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) file_size: Option<u64>,
    /// Not known while the database is busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) num_tables: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) read_replication: Option<ReadReplication>,
}

/// Whether there are replicas.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReadReplication {
    /// Always `disabled`.
    pub(super) mode: &'static str,
}

impl D1Database {
    /// Without what is in it.
    pub(super) fn of(database: &store::D1Database) -> Self {
        Self {
            uuid: Some(database.id.clone()),
            name: Some(database.name.clone()),
            version: Some("production"),
            created_at: Some(database.created_on.clone()),
            ..Self::default()
        }
    }
}

/// What queries gave, which is JSON already.
pub(super) struct Answered(pub(super) Vec<Outcome>);

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let results = Outcome::all(&self.0);
        let envelope = format!(r#"{{"success":true,"errors":[],"messages":[],"result":{results}}}"#);
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        (StatusCode::OK, [json], envelope).into_response()
    }
}

impl IntoResponses for Answered {
    fn responses() -> Responses {
        envelope::one("200", envelope::described::<Vec<D1Result>>("What each statement gave."))
    }
}

/// What a statement gave.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a type of a description")]
struct D1Result {
    /// Rows: objects; of `raw`, `{columns, rows}`.
    results: Value,
    /// `duration`, `changes`, `rows_read` and others.
    meta: Map<String, Value>,
    success: bool,
}
