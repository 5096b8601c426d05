//! What an ID token says, and whether it says it to this relay, now, of this sign-in (OpenID Connect Core 1.0, 3.1.3.7).

use proto::{Name, limits::NAME_MAX};
use serde_json::{Map, Value};

/// How far the provider's clock may be from ours, in seconds: machines that keep the time are within one, those that don't shouldn't be helped.
const SKEW: f64 = 60.0;

/// Longest name a provider gives a person, in bytes (OpenID Connect Core 1.0, 2).
const SUBJECT_MAX: usize = 255;

/// An e-mail address, and whether the provider has seen that it is the person's: two claims that count together.
const ADDRESS: [&str; 2] = ["email", "email_verified"];

/// Why an ID token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadClaims {
    #[error("it can't be read")]
    Form,
    #[error("it is another provider's")]
    Issuer,
    #[error("it is for somebody else than this relay")]
    Audience,
    #[error("it is out of date, or one of the clocks is wrong")]
    Expired,
    #[error("it is from the future: one of the clocks is wrong")]
    Early,
    #[error("it is of another sign-in")]
    Nonce,
    #[error("it doesn't say of whom it speaks")]
    Subject,
}

/// What it must say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) now_s: f64,
}

/// What the provider says of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// Reads the payload of a token whose signature is right.
    pub(crate) fn check(payload: &[u8], expected: Expected<'_>) -> Result<Self, BadClaims> {
        let claims = Self::read(payload).ok_or(BadClaims::Form)?;
        if claims.text("iss") != Some(expected.issuer) {
            return Err(BadClaims::Issuer);
        }
        let (audience, party) = (claims.list("aud"), claims.0.get("azp"));
        let mine = audience.contains(&expected.client_id)
            && audience.iter().all(|other| !other.is_empty())
            // Where it is for several, or says to whom it was given, that must be this relay.
            && party.map_or(audience.len() == 1, |party| party.as_str() == Some(expected.client_id));
        if !mine {
            return Err(BadClaims::Audience);
        }
        // A time that can't be read is none, and none is not taken.
        let time = |name: &str| claims.0.get(name).map(Value::as_f64);
        if time("exp").flatten().is_none_or(|until| until + SKEW <= expected.now_s) {
            return Err(BadClaims::Expired);
        }
        let begun = |from: Option<f64>| from.is_some_and(|from| from <= expected.now_s + SKEW);
        if !begun(time("iat").flatten()) || time("nbf").is_some_and(|from| !begun(from)) {
            return Err(BadClaims::Early);
        }
        if claims.text("nonce") != Some(expected.nonce) {
            return Err(BadClaims::Nonce);
        }
        let subject = claims.subject();
        // PostgreSQL keeps no NUL.
        if !(1..=SUBJECT_MAX).contains(&subject.len()) || subject.contains('\0') {
            return Err(BadClaims::Subject);
        }
        Ok(claims)
    }

    /// Reads what the provider says when asked for more.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }

    /// The provider's name of the person, which never goes to another one.
    pub(crate) fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// Whether it says anything of this.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// Adds what is said elsewhere of the same person; what is said here counts.
    pub(crate) fn add(&mut self, mut more: Self) {
        if more.subject() != self.subject() {
            return;
        }
        // Where they speak of two addresses, one of them must not count because the other was seen.
        if more.has_whole_address() && !self.has_whole_address() {
            self.0.retain(|claim, _| !ADDRESS.contains(&claim.as_str()));
        } else if ADDRESS.iter().any(|claim| self.has(claim)) {
            more.0.retain(|claim, _| !ADDRESS.contains(&claim.as_str()));
        }
        for (name, value) in more.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    fn has_whole_address(&self) -> bool {
        ADDRESS.iter().all(|claim| self.has(claim))
    }

    /// The domain of the e-mail address, if the provider has seen that it is the person's.
    pub(crate) fn email_domain(&self) -> Option<&str> {
        let verified = match self.0.get("email_verified")? {
            Value::Bool(verified) => *verified,
            // As some providers write it.
            Value::String(text) => text == "true",
            _ => false,
        };
        self.text("email").filter(|_| verified)?.rsplit_once('@').map(|(_, domain)| domain)
    }

    /// What it says of this: one text or several.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().map(|one| one.as_str().unwrap_or_default()).collect(),
            _ => Vec::new(),
        }
    }

    /// What the person should be called here: what the provider calls them, made to fit.
    pub(crate) fn name(&self) -> Option<Name> {
        ["preferred_username", "nickname", "email", "name", "sub"].into_iter().find_map(|claim| fit(self.text(claim)?))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

/// The name that is nearest to a text: that before the `@` of an address, without what can't be in one.
fn fit(text: &str) -> Option<Name> {
    let text = text.split_once('@').map_or(text, |(before, _)| before).trim();
    let plain = text.chars().map(|c| if c.is_whitespace() { '.' } else { c });
    let plain = plain.filter(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let name = plain.skip_while(|c| !c.is_alphanumeric()).take(NAME_MAX).collect::<String>();
    name.parse().ok()
}

/// The same name with a number behind it, for who isn't the first of that name; cut to make room where it must.
pub(crate) fn numbered(name: &Name, number: u32) -> Option<Name> {
    let suffix = format!("-{number}");
    let room = NAME_MAX.saturating_sub(suffix.len());
    format!("{}{suffix}", name.as_str().chars().take(room).collect::<String>()).parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: f64 = 1_795_336_000.0;

    fn good() -> Value {
        json!({
            "iss": "https://id.example.org", "aud": "tvphone", "sub": "248289761001", "nonce": "n-0S6",
            "exp": NOW + 300.0, "iat": NOW - 1.0, "preferred_username": "ana"
        })
    }

    fn checked(change: Value) -> Result<Claims, BadClaims> {
        let mut claims = good();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let expected = Expected { issuer: "https://id.example.org", client_id: "tvphone", nonce: "n-0S6", now_s: NOW };
        Claims::check(claims.to_string().as_bytes(), expected)
    }

    fn without(name: &str) -> Result<Claims, BadClaims> {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        let expected = Expected { issuer: "https://id.example.org", client_id: "tvphone", nonce: "n-0S6", now_s: NOW };
        Claims::check(claims.to_string().as_bytes(), expected)
    }

    #[test]
    fn a_token_for_this_relay_and_this_sign_in_is_taken() {
        assert_eq!(checked(json!({})).unwrap().subject(), "248289761001");
        assert!(checked(json!({"aud": ["tvphone"], "azp": "tvphone", "nbf": NOW, "exp": NOW - 30.0, "iat": NOW + 30.0})).is_ok());
        assert!(checked(json!({"aud": ["tvphone", "api"], "azp": "tvphone"})).is_ok());
    }

    #[test]
    fn what_another_provider_says_is_refused() {
        for issuer in
            [json!("https://id.example.com"), json!("https://id.example.org/"), json!(null), json!(["https://id.example.org"])]
        {
            assert_eq!(checked(json!({"iss": issuer})), Err(BadClaims::Issuer), "{issuer}");
        }
        assert_eq!(without("iss"), Err(BadClaims::Issuer));
    }

    #[test]
    fn what_is_for_somebody_else_is_refused() {
        for wrong in [
            json!({"aud": "other"}),
            json!({"aud": []}),
            json!({"aud": null}),
            json!({"aud": 5}),
            json!({"aud": ["other", "api"]}),
            json!({"aud": ["tvphone", "other"]}),
            json!({"aud": ["tvphone", "other"], "azp": "other"}),
            json!({"aud": ["tvphone", 5], "azp": "tvphone"}),
            json!({"azp": "other"}),
            json!({"azp": null}),
        ] {
            assert_eq!(checked(wrong.clone()), Err(BadClaims::Audience), "{wrong}");
        }
        assert_eq!(without("aud"), Err(BadClaims::Audience));
    }

    #[test]
    fn what_is_out_of_date_or_early_is_refused() {
        for exp in [json!(NOW - 60.0), json!(0), json!(-1), json!(null), json!("soon"), json!((NOW + 300.0).to_string())] {
            assert_eq!(checked(json!({"exp": exp})), Err(BadClaims::Expired), "{exp}");
        }
        assert_eq!(without("exp"), Err(BadClaims::Expired));
        for early in [json!({"iat": NOW + 61.0}), json!({"iat": "now"}), json!({"nbf": NOW + 61.0}), json!({"nbf": "now"})] {
            assert_eq!(checked(early.clone()), Err(BadClaims::Early), "{early}");
        }
        assert_eq!(without("iat"), Err(BadClaims::Early));
    }

    #[test]
    fn what_is_of_another_sign_in_or_of_nobody_is_refused() {
        for nonce in [json!("n-0S7"), json!(""), json!(null)] {
            assert_eq!(checked(json!({"nonce": nonce})), Err(BadClaims::Nonce), "{nonce}");
        }
        assert_eq!(without("nonce"), Err(BadClaims::Nonce));
        for sub in [json!(""), json!(null), json!(17), json!("x".repeat(256)), json!("1\u{0}")] {
            assert_eq!(checked(json!({"sub": sub})), Err(BadClaims::Subject), "{sub}");
        }
        for text in ["", "[]", "5", "{", "null"] {
            let expected = Expected { issuer: "", client_id: "", nonce: "", now_s: NOW };
            assert_eq!(Claims::check(text.as_bytes(), expected), Err(BadClaims::Form), "{text}");
        }
    }

    #[test]
    fn a_name_is_made_to_fit() {
        for (said, name) in [
            (json!({"preferred_username": "Ana"}), "Ana"),
            (json!({"preferred_username": "ana.k@example.org", "name": "Ana"}), "ana.k"),
            (json!({"preferred_username": " Ana  Kovač! "}), "Ana..Kovač"),
            (json!({"preferred_username": "DOMAIN\\ana"}), "DOMAINana"),
            (json!({"preferred_username": "--", "email": "ana@example.org"}), "ana"),
            (json!({"preferred_username": 5, "name": "Zoë"}), "Zoë"),
            (json!({"preferred_username": "x".repeat(50)}), &"x".repeat(32)),
            (json!({"sub": "auth0|5f7c"}), "auth05f7c"),
        ] {
            assert_eq!(Claims(said.as_object().unwrap().clone()).name(), Some(name.parse().unwrap()), "{said}");
        }
        assert_eq!(Claims(json!({"name": "!", "sub": "-"}).as_object().unwrap().clone()).name(), None);
        let numbered = |name: &str, number| numbered(&name.parse().unwrap(), number).unwrap().to_string();
        assert_eq!(numbered("Ana", 2), "Ana-2");
        assert_eq!(numbered(&"ž".repeat(32), 12), format!("{}-12", "ž".repeat(29)));
    }

    #[test]
    fn an_address_counts_once_the_provider_has_seen_it() {
        let domain = |said: Value| Claims(said.as_object().unwrap().clone()).email_domain().map(str::to_owned);
        for verified in [json!(true), json!("true")] {
            let said = json!({"email": "\"a@b\"@example.org", "email_verified": verified});
            assert_eq!(domain(said).as_deref(), Some("example.org"));
        }
        for unseen in [json!(false), json!("false"), json!(1), json!(null)] {
            assert_eq!(domain(json!({"email": "ana@example.org", "email_verified": unseen})), None, "{unseen}");
        }
        assert_eq!(domain(json!({"email": "ana@example.org"})), None);
        assert_eq!(domain(json!({"email": "ana", "email_verified": true})), None);
    }

    #[test]
    fn what_is_said_of_somebody_else_is_not_added() {
        let read = |said: Value| Claims::read(said.to_string().as_bytes()).unwrap();
        let mut claims = read(json!({"sub": "1", "name": "Ana"}));
        claims.add(read(json!({"sub": "2", "preferred_username": "ben"})));
        claims.add(read(json!({"preferred_username": "ben"})));
        assert!(!claims.has("preferred_username"));
        claims.add(read(json!({"sub": "1", "name": "Ben", "preferred_username": "ana", "email": null})));
        assert_eq!((claims.text("name"), claims.text("preferred_username")), (Some("Ana"), Some("ana")));
        assert!(!claims.has("email"));
    }

    #[test]
    fn an_address_does_not_count_because_another_was_seen() {
        let added = |here: Value, elsewhere: Value| {
            let mut claims = Claims(here.as_object().unwrap().clone());
            claims.add(Claims(elsewhere.as_object().unwrap().clone()));
            claims.email_domain().map(str::to_owned)
        };
        let seen = json!({"email": "ana@example.com", "email_verified": true});
        let (half, word) = (json!({"email": "ana@example.org"}), json!({"email_verified": true}));
        assert_eq!(added(half.clone(), word.clone()), None);
        assert_eq!(added(word.clone(), half.clone()), None);
        for less in [half, word, json!({}), json!({"email": null})] {
            assert_eq!(added(less.clone(), seen.clone()).as_deref(), Some("example.com"), "{less}");
            assert_eq!(added(seen.clone(), less.clone()).as_deref(), Some("example.com"), "{less}");
        }
        let unseen = json!({"email": "ana@example.org", "email_verified": false});
        assert_eq!(added(unseen.clone(), seen.clone()), None, "what is said here counts");
        assert_eq!(added(seen, unseen).as_deref(), Some("example.com"));
        // It still says what somebody may be called.
        let mut claims = Claims(json!({"sub": "1"}).as_object().unwrap().clone());
        claims.add(Claims(json!({"sub": "1", "email": "ana@example.org"}).as_object().unwrap().clone()));
        assert_eq!(claims.name(), Some("ana".parse().unwrap()));
    }
}
