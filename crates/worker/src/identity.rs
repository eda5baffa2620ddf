//! Whose request it is.
//!
//! The dispatch Worker passes outbound parameters; the platform puts them into this Worker's `env`. The policy
//! says at which path they stand (`params_object.customer_name`). Every step is an *own* property: what
//! an object inherits (`constructor`, `toString`) was written by nobody and names no customer. What is absent or of the
//! wrong kind is no identity, and the engine refuses the request as `unknown-customer`.

use tidegate_engine::{Identity, Var, parse_tag_list};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::js;

/// Who a request says that it belongs to; the engine judges whether that will do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tenant {
    /// The customer, if the parameter is there and a string.
    pub(crate) customer: Option<String>,
    /// The tags, if the parameter is there and a list of strings or one comma-separated string.
    pub(crate) tags: Option<Vec<String>>,
    /// The variables: none if there is no such parameter, `None` if it is not an object of strings.
    pub(crate) vars: Option<Vec<Var>>,
}

impl Tenant {
    /// Reads the outbound parameters that the policy declares.
    pub(crate) fn read(env: &impl Parameter, identity: &Identity) -> Self {
        Self {
            customer: follow(env, &identity.customer).and_then(|value| value.text()),
            tags: identity.tags.as_ref().and_then(|path| tags(&follow(env, path)?)),
            vars: match identity.vars.as_ref().and_then(|path| follow(env, path)) {
                Some(value) => vars(&value),
                None => Some(Vec::new()),
            },
        }
    }
}

/// A value among the outbound parameters.
pub(crate) trait Parameter: Sized {
    /// An own property, if this is an object that has it.
    fn own(&self, name: &str) -> Option<Self>;
    /// The text, if this is a string.
    fn text(&self) -> Option<String>;
    /// The items, if this is an array.
    fn items(&self) -> Option<Vec<Self>>;
    /// Names and values of all own properties, if this is an object and no array.
    fn properties(&self) -> Option<Vec<(Self, Self)>>;
}

impl Parameter for JsValue {
    fn own(&self, name: &str) -> Option<Self> {
        js::own_property(self, name)
    }

    fn text(&self) -> Option<String> {
        let text = self.as_string()?;
        // Lone surrogates become U+FFFD on the way: two names would be one. Asking costs a call for each character.
        let is_exact = || self.dyn_ref::<js_sys::JsString>().is_some_and(js_sys::JsString::is_valid_utf16);
        (!text.contains('\u{FFFD}') || is_exact()).then_some(text)
    }

    fn items(&self) -> Option<Vec<Self>> {
        js_sys::Array::is_array(self).then(|| js_sys::Array::from(self).to_vec())
    }

    fn properties(&self) -> Option<Vec<(Self, Self)>> {
        if js_sys::Array::is_array(self) { None } else { js::own_properties(self) }
    }
}

fn follow<P: Parameter>(env: &P, path: &[String]) -> Option<P> {
    // A structured clone of a parsed JSON text can own even these; nobody means them as a parameter.
    if path.iter().any(|step| step == "__proto__" || step == "constructor") {
        return None;
    }
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(env.own(first)?, |value, step| value.own(step))
}

fn tags(value: &impl Parameter) -> Option<Vec<String>> {
    match value.text() {
        Some(list) => Some(parse_tag_list(&list)),
        None => value.items()?.iter().map(Parameter::text).collect(),
    }
}

fn vars(value: &impl Parameter) -> Option<Vec<Var>> {
    value.properties()?.iter().map(|(name, value)| name.text().zip(value.text())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    impl Parameter for Value {
        fn own(&self, name: &str) -> Option<Self> {
            self.as_object()?.get(name).cloned()
        }

        fn text(&self) -> Option<String> {
            self.as_str().map(str::to_owned)
        }

        fn items(&self) -> Option<Vec<Self>> {
            self.as_array().cloned()
        }

        fn properties(&self) -> Option<Vec<(Self, Self)>> {
            Some(self.as_object()?.iter().map(|(name, value)| (json!(name), value.clone())).collect())
        }
    }

    fn tenant(env: &Value, customer: &str, tags: Option<&str>) -> Tenant {
        let path = |dotted: &str| dotted.split('.').map(str::to_owned).collect();
        Tenant::read(env, &Identity { customer: path(customer), tags: tags.map(path), vars: None })
    }

    fn customer(env: &Value, path: &str) -> Option<String> {
        tenant(env, path, None).customer
    }

    #[test]
    fn the_customer_is_a_string_at_the_declared_path() {
        assert_eq!(customer(&json!({"customer_name": "acme"}), "customer_name"), Some("acme".to_owned()));
        let nested = json!({"params_object": {"customer_name": "acme"}});
        assert_eq!(customer(&nested, "params_object.customer_name"), Some("acme".to_owned()));
        assert_eq!(customer(&nested, "customer_name"), None);
    }

    #[test]
    fn what_is_not_a_string_names_no_customer() {
        for value in [json!(null), json!(7), json!(true), json!(["acme"]), json!({"name": "acme"})] {
            assert_eq!(customer(&json!({"customer_name": value}), "customer_name"), None);
        }
        assert_eq!(customer(&json!({"params_object": "acme"}), "params_object.length"), None);
    }

    #[test]
    fn prototype_names_are_never_parameters() {
        let env: Value =
            serde_json::from_str(r#"{"__proto__": {"name": "acme"}, "constructor": {"name": "acme"}}"#).unwrap();
        assert_eq!(customer(&env, "__proto__.name"), None);
        assert_eq!(customer(&env, "constructor.name"), None);
    }

    #[test]
    fn tags_are_an_array_of_strings_or_one_comma_separated_string() {
        let tags = |value: Value| tenant(&json!({"t": value}), "c", Some("t")).tags;
        let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        assert_eq!(tags(json!(["paid", "eu"])), list(&["paid", "eu"]));
        assert_eq!(tags(json!(" paid, ,eu ")), list(&["paid", "eu"]));
        assert_eq!(tags(json!([])), list(&[]));
        assert_eq!(tags(json!("")), list(&[]));
        for malformed in [json!(null), json!(1), json!(["paid", 1]), json!({"0": "paid"})] {
            assert_eq!(tags(malformed), None);
        }
        assert_eq!(tenant(&json!({}), "c", Some("t")).tags, None);
        assert_eq!(tenant(&json!({"t": ["paid"]}), "c", None).tags, None);
    }

    #[test]
    fn variables_are_an_object_of_strings_and_may_be_left_out() {
        let path = |dotted: &str| dotted.split('.').map(str::to_owned).collect();
        let vars = |env: &Value| {
            let identity = Identity { customer: path("c"), tags: None, vars: Some(path("params.vars")) };
            Tenant::read(env, &identity).vars
        };
        let pairs = |pairs: &[(&str, &str)]| {
            Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
        };
        let of = |value: Value| vars(&json!({"params": {"vars": value}}));
        assert_eq!(of(json!({"plan": "gold", "seats": "12"})), pairs(&[("plan", "gold"), ("seats", "12")]));
        assert_eq!(of(json!({})), pairs(&[]));
        for absent in [json!({}), json!({"params": {}}), json!({"params": "text"}), json!({"vars": {"plan": "gold"}})] {
            assert_eq!(vars(&absent), pairs(&[]), "{absent}");
        }
        for malformed in [json!(null), json!("gold"), json!(["gold"]), json!({"seats": 12}), json!({"plan": {}})] {
            assert_eq!(of(malformed), None);
        }
        let undeclared = tenant(&json!({"vars": 7}), "c", None).vars;
        assert_eq!(undeclared, pairs(&[]), "what the policy does not declare is not looked at");
    }
}
