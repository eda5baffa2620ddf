//! A request as it came from the tenant, read once.

use serde::Deserialize;
use tidegate_engine::{Header, InvalidTarget, RequestView, Target, Var, parse_tag_list};

use crate::identity::Tenant;

/// What is judged.
pub(crate) struct Received {
    /// What the request is known by.
    pub(crate) decision: String,
    /// The method in upper case. It travels as text, for an enum of known methods would make a GET of the others.
    pub(crate) method: String,
    /// The method as it came.
    pub(crate) raw_method: String,
    /// The canonical URL, or why there is none.
    pub(crate) target: Result<Target, InvalidTarget>,
    /// The URL as it came.
    pub(crate) raw_url: String,
    /// The headers as they came.
    pub(crate) headers: Vec<Header>,
    /// Whose it is.
    pub(crate) tenant: Tenant,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(crate) now: i64,
}

/// All of a request in one text, as [`crate::exchange`] writes it: decision, time, method, URL, headers, identity.
#[derive(Deserialize)]
struct Seen(String, i64, String, String, Vec<Header>, Option<String>, Option<Tags>, Option<Vec<Var>>);

/// Tags are a list, or one text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tags {
    List(Vec<String>),
    Text(String),
}

impl Received {
    /// Reads what was seen of a request. Fails where the runtime hands out what is no text.
    pub(crate) fn read(seen: &str) -> Result<Self, String> {
        // What `serde_json` has to say might quote a value.
        let Seen(decision, now, raw_method, raw_url, headers, customer, tags, vars) =
            serde_json::from_str(seen).map_err(|_| "the request cannot be read: not all of it is text".to_owned())?;
        let tags = tags.map(|tags| match tags {
            Tags::List(list) => list,
            Tags::Text(text) => parse_tag_list(&text),
        });
        let (method, target) = (raw_method.to_ascii_uppercase(), Target::parse(&raw_url));
        let tenant = Tenant { customer, tags, vars };
        Ok(Self { decision, method, raw_method, target, raw_url, headers, tenant, now })
    }

    /// What the engine judges.
    pub(crate) fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            target: self.target.as_ref().map_err(|invalid| *invalid),
            headers: &self.headers,
            customer: self.tenant.customer.as_deref(),
            tags: self.tenant.tags.as_deref(),
            vars: self.tenant.vars.as_deref(),
            now: self.now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(identity: &str) -> Option<Received> {
        let seen = r#"["id-1",1795308940,"get","https://a.example/x?y",[["x-a","1"],["x-b","2, 3"]],"#;
        Received::read(&format!("{seen}{identity}]")).ok()
    }

    #[test]
    fn what_was_seen_is_what_is_judged() {
        let received = read(r#""acme",["paid","eu"],[["plan","gold"]]"#).unwrap();
        assert_eq!((received.decision.as_str(), received.now), ("id-1", 1_795_308_940));
        let view = received.view();
        assert_eq!((view.method, view.target.unwrap().url()), ("GET", "https://a.example/x?y"));
        assert_eq!(view.headers, [("x-a".to_owned(), "1".to_owned()), ("x-b".to_owned(), "2, 3".to_owned())]);
        assert_eq!(view.customer, Some("acme"));
        assert_eq!(view.tags, Some(["paid".to_owned(), "eu".to_owned()].as_slice()));
        assert_eq!(view.vars, Some([("plan".to_owned(), "gold".to_owned())].as_slice()));
    }

    #[test]
    fn tags_are_a_list_or_one_comma_separated_text() {
        let tags = |tags: &str| read(&format!(r#""acme",{tags},[]"#)).unwrap().tenant.tags;
        let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        assert_eq!(tags(r#"["paid","eu, uk"]"#), list(&["paid", "eu, uk"]));
        assert_eq!(tags(r#"" paid, ,eu ""#), list(&["paid", "eu"]));
        assert_eq!(tags("[]"), list(&[]));
        assert_eq!(tags(r#""""#), list(&[]));
        assert_eq!(tags("null"), None);
    }

    #[test]
    fn who_names_no_customer_is_nobody() {
        let tenant = read("null,null,null").unwrap().tenant;
        assert_eq!(tenant, Tenant::default());
    }

    #[test]
    fn what_is_no_text_is_no_request() {
        for identity in [r"7,null,[]", r#""acme",[1],[]"#, r#""acme",null,[["plan",7]]"#, r#""\ud800",null,[]"#] {
            assert!(read(identity).is_none(), "{identity}");
        }
        let no_text = r#"["id-1",0,"GET","https://a.example/",[["x-a","\ud800"]],"acme",null,[]]"#;
        assert!(Received::read(no_text).is_err());
        assert!(Received::read("").is_err());
    }
}
