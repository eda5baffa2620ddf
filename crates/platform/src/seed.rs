//! The state that the official SDKs' own test suites assume.
//!
//! Cloudflare's SDKs are generated from its API description, and so are their tests: each makes one request with the
//! identifiers of the description's examples, and looks at the types of the answer. They are run against a mock that has
//! no state, so a test that deletes a namespace and one that lists its scripts come in any order. Here stands what must be
//! there before *each* request for all of them to be answered as they would be for an account that has these things;
//! [`Options::seeded`](crate::Options::seeded) puts it there.

use crate::names::{NameError, NamespaceName, ScriptName};
use crate::store::{NewVersion, Seed, Started};
use crate::worker::{Binding, BindingValue, Code, Entry, Module, ModuleKind, Secret};

/// The one account.
pub const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
/// The dispatch namespace.
pub const NAMESPACE: &str = "my-dispatch-namespace";
/// Its user Worker.
pub const SCRIPT: &str = "this-is_my_script-01";
/// The Worker's secret.
pub const SECRET: &str = "mySecret";
/// The Worker's tag.
pub const TAG: &str = "my-tag";

/// A namespace with a Worker that says hello, with a variable, a secret and a tag.
///
/// # Errors
/// None: the names are good ones.
pub fn seed() -> Result<Seed, NameError> {
    let module = Module {
        name: "worker.js".to_owned(),
        kind: ModuleKind::EsModule,
        content_type: "application/javascript+module".to_owned(),
        content: "export default { fetch() { return new Response(\"Hello World!\"); } };\n".into(),
    };
    let code = Code {
        entry: Entry::MainModule(module.name.clone()),
        modules: vec![module],
        assets: None,
        bindings: vec![
            Binding { name: "MY_ENV_VAR".to_owned(), value: BindingValue::PlainText { text: "my_data".to_owned() } },
            Binding {
                name: SECRET.to_owned(),
                value: BindingValue::SecretText { text: Secret::new("My secret.".to_owned()) },
            },
        ],
        compatibility_date: "2021-01-01".to_owned(),
        compatibility_flags: vec!["nodejs_compat".to_owned()],
        settings: serde_json::Map::new(),
    };
    Ok(Seed {
        namespace: NamespaceName::parse(NAMESPACE)?,
        namespace_id: "f174e90a-fafe-4643-bbbc-4a0ed4fc8415".to_owned(),
        script: ScriptName::parse(SCRIPT)?,
        script_tag: "e8f70fdbc8b1fb0b8ddb1af166186758".to_owned(),
        version: NewVersion {
            code,
            // What a start check would find out.
            started: Started { startup_time_ms: 1, handlers: vec!["fetch".to_owned()], named_handlers: Vec::new() },
            tags: Some(vec![TAG.to_owned()]),
            derived_from: None,
            files: None,
        },
        made_on: "2017-01-01T00:00:00.000000Z".to_owned(),
    })
}
