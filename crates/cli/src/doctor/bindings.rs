//! Kinds of bindings, and whether a user Worker reaches anything through one that the outbound Worker does not see.
//!
//! An allow-list: a kind that is not here has not been looked at, and is reported. Each line says why it stands where it does.

/// A kind of binding.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its key in a wrangler configuration; empty where there is none.
    pub(crate) key: &'static str,
    /// Its `type` in the metadata of an upload; empty where there is none.
    pub(crate) metadata: &'static str,
    /// What a user Worker can do with it.
    pub(crate) reach: Reach,
    /// Why it is of this reach: what it does.
    pub(crate) why: &'static str,
}

/// What a user Worker reaches through a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A dispatch namespace: what makes a Worker a dispatch Worker.
    Dispatch,
    /// A Durable Object.
    DurableObject,
    /// Nothing that a request could not reach anyway.
    Inert,
    /// An upstream, with the platform's client certificate.
    Mtls,
    /// Something, by a way that the outbound Worker does not see.
    Reaches,
}

use Reach::{Dispatch, DurableObject, Inert, Mtls, Reaches};

const fn kind(key: &'static str, metadata: &'static str, reach: Reach, why: &'static str) -> Kind {
    Kind { key, metadata, reach, why }
}

/// Every kind that has been looked at.
pub(crate) const KINDS: &[Kind] = &[
    // What is read and nothing else.
    kind("vars", "plain_text", Inert, "text that the Worker reads"),
    kind("", "json", Inert, "a value that the Worker reads"),
    kind("secrets", "secret_text", Inert, "text that the Worker reads"),
    kind("", "secret_key", Inert, "a key that the Worker computes with"),
    kind("secrets_store_secrets", "secrets_store_secret", Inert, "text that the Worker reads"),
    kind("wasm_modules", "wasm_module", Inert, "code of the Worker's own"),
    kind("text_blobs", "text_blob", Inert, "text that the Worker reads"),
    kind("data_blobs", "data_blob", Inert, "bytes that the Worker reads"),
    kind("version_metadata", "version_metadata", Inert, "the Worker's own version"),
    kind("assets", "assets", Inert, "files of the Worker's own"),
    kind("site", "", Inert, "files of the Worker's own, in KV"),
    // Storage and meters of the account: what is written stays there.
    kind("kv_namespaces", "kv_namespace", Inert, "stores values in the account"),
    kind("r2_buckets", "r2_bucket", Inert, "stores objects in the account"),
    kind("d1_databases", "d1", Inert, "queries a database in the account"),
    kind("vectorize", "vectorize", Inert, "queries an index in the account"),
    kind("analytics_engine_datasets", "analytics_engine", Inert, "writes measurements to the account"),
    kind("pipelines", "pipelines", Inert, "writes records to storage of the account"),
    kind("ratelimits", "ratelimit", Inert, "counts"),
    kind("images", "images", Inert, "transforms bytes that it is given"),
    // What leaves, and passes no outbound Worker.
    kind("dispatch_namespaces", "dispatch_namespace", Dispatch, "runs the Workers of a namespace"),
    kind(
        "durable_objects",
        "durable_object_namespace",
        DurableObject,
        "what a Durable Object fetches passes no outbound Worker",
    ),
    kind("migrations", "", DurableObject, "makes a Durable Object class; what it fetches passes no outbound Worker"),
    kind("mtls_certificates", "mtls_certificate", Mtls, "fetches with a client certificate pass no outbound Worker"),
    kind("services", "service", Reaches, "calls another Worker, which acts with bindings of its own"),
    kind("worker_loaders", "worker_loader", Reaches, "loads code whose way out the Worker chooses"),
    kind("queues", "queue", Reaches, "its consumer acts later, apart from the request and from whose it is"),
    kind("workflows", "workflow", Reaches, "its steps run later, apart from the request and from whose it is"),
    kind("browser", "browser", Reaches, "a browser opens whatever page it is told to"),
    kind("hyperdrive", "hyperdrive", Reaches, "a TCP connection to a database"),
    kind("send_email", "send_email", Reaches, "mail leaves with what the Worker writes"),
    kind("vpc_services", "vpc_service", Reaches, "reaches a service in a private network"),
    kind("vpc_networks", "vpc_network", Reaches, "reaches hosts in a private network"),
    kind("ai", "ai", Reaches, "sends what the Worker writes to models, third parties' too"),
    kind("ai_search", "ai_search", Reaches, "sends what the Worker writes to models, and indexes web sites"),
    kind(
        "ai_search_namespaces",
        "ai_search_namespace",
        Reaches,
        "sends what the Worker writes to models, and indexes web sites",
    ),
    kind("containers", "", Reaches, "a container has a network of its own"),
    kind("cloudchamber", "", Reaches, "a container has a network of its own"),
    kind("stream", "stream", Reaches, "fetches a video from wherever it is told to"),
    kind("media", "media", Reaches, "not known to fetch nothing"),
    kind("artifacts", "artifacts", Reaches, "repositories that are read and written from outside"),
    kind("flagship", "flagship", Reaches, "asks a service, with attributes of the Worker's choosing"),
    kind("logfwdr", "logfwdr", Reaches, "forwards records to destinations of its own"),
];

/// Keys of a wrangler configuration that are settings and bind nothing. Sorted.
pub(crate) const SETTINGS: &[&str] = &[
    "$schema",
    "account_id",
    "alias",
    "base_dir",
    "build",
    "compatibility_date",
    "compatibility_flags",
    "compliance_region",
    "define",
    "dev",
    "env",
    "find_additional_modules",
    "first_party_worker",
    "jsx_factory",
    "jsx_fragment",
    "keep_names",
    "keep_vars",
    "legacy_env",
    "limits",
    "logpush",
    "main",
    "minify",
    "name",
    "no_bundle",
    "observability",
    "pages_build_output_dir",
    "placement",
    "preserve_file_names",
    "preview_urls",
    "previews",
    "python_modules",
    "route",
    "routes",
    "rules",
    "send_metrics",
    "streaming_tail_consumers",
    "tail_consumers",
    "triggers",
    "tsconfig",
    "type",
    "upload_source_maps",
    "usage_model",
    "workers_dev",
];

/// The kind behind a key of a wrangler configuration.
pub(crate) fn by_key(key: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| !kind.key.is_empty() && kind.key == key)
}

/// The kind behind a binding's `type` in the metadata of an upload.
pub(crate) fn by_metadata(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| !kind.metadata.is_empty() && kind.metadata == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_stands_twice() {
        for (at, one) in KINDS.iter().enumerate() {
            for other in &KINDS[at + 1..] {
                assert!(one.key.is_empty() || one.key != other.key, "{}", one.key);
                assert!(one.metadata.is_empty() || one.metadata != other.metadata, "{}", one.metadata);
            }
        }
        assert!(SETTINGS.is_sorted() && !SETTINGS.iter().any(|key| by_key(key).is_some()));
    }
}
