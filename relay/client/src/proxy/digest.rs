//! What a proxy asks for (`Proxy-Authenticate`), and the answer to a Digest challenge (RFC 7616). No I/O.

use md5::Digest as _;

use super::{ProxyLogin, text};
use crate::text::hexadecimal;

/// Most challenges of one answer that are looked at: there are five schemes anyone uses.
const CHALLENGES_MAX: usize = 16;

/// One way of signing in that a proxy offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Such as `Basic`, as the proxy wrote it.
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

/// A Digest challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DigestChallenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// The name as it was sent, to be sent back.
    algorithm_name: Option<String>,
    session: bool,
    /// Whether the answer is to count and to be salted; it isn't at proxies from before 1999.
    counted: bool,
    hide_user: bool,
    pub(super) stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha256,
    Sha512_256,
}

impl Challenge {
    pub(super) fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// As a Digest challenge, if it is one and its algorithm is known here.
    pub(super) fn digest(&self) -> Option<DigestChallenge> {
        if !self.is("Digest") {
            return None;
        }
        let algorithm_name = self.get("algorithm").map(str::to_owned);
        let lower = algorithm_name.as_deref().unwrap_or("MD5").to_ascii_lowercase();
        let (name, session) = lower.strip_suffix("-sess").map_or((lower.as_str(), false), |name| (name, true));
        let algorithm = match name {
            "md5" => Algorithm::Md5,
            "sha-256" => Algorithm::Sha256,
            "sha-512-256" => Algorithm::Sha512_256,
            _ => return None,
        };
        let qop = self.get("qop");
        let counted = qop.is_some();
        // Signing the body as well (auth-int) is offered by no proxy alone.
        if qop.is_some_and(|qop| !qop.split(',').any(|way| way.trim().eq_ignore_ascii_case("auth"))) {
            return None;
        }
        Some(DigestChallenge {
            realm: self.get("realm")?.to_owned(),
            nonce: self.get("nonce")?.to_owned(),
            opaque: self.get("opaque").map(str::to_owned),
            algorithm,
            algorithm_name,
            session,
            counted,
            hide_user: self.has("userhash"),
            stale: self.has("stale"),
        })
    }
}

impl DigestChallenge {
    /// The value of `Proxy-Authorization` for a request with this method and target. `count` goes up by one with each answer to
    /// one nonce; `salt` is any text that can't be guessed.
    pub(super) fn answer(&self, login: &ProxyLogin, method: &str, target: &str, count: u32, salt: &str) -> String {
        let hash = |text: &str| self.algorithm.hash(text);
        let (realm, nonce) = (&self.realm, &self.nonce);
        let mut secret = hash(&format!("{}:{realm}:{}", login.user, login.password));
        if self.session {
            secret = hash(&format!("{secret}:{nonce}:{salt}"));
        }
        let what = hash(&format!("{method}:{target}"));
        let response = if self.counted {
            hash(&format!("{secret}:{nonce}:{count:08x}:{salt}:auth:{what}"))
        } else {
            hash(&format!("{secret}:{nonce}:{what}"))
        };
        let user = if self.hide_user {
            format!("username={}", quoted(&hash(&format!("{}:{realm}", login.user))))
        } else if login.user.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) {
            format!("username={}", quoted(&login.user))
        } else {
            format!("username*=UTF-8''{}", text::escape(&login.user))
        };
        let mut answer = format!(
            "Digest {user}, realm={}, nonce={}, uri={}, response={}",
            quoted(realm),
            quoted(nonce),
            quoted(target),
            quoted(&response)
        );
        if let Some(name) = &self.algorithm_name {
            answer += &format!(", algorithm={name}");
        }
        if self.counted || self.session {
            answer += &format!(", cnonce={}", quoted(salt));
        }
        if self.counted {
            answer += &format!(", qop=auth, nc={count:08x}");
        }
        if let Some(opaque) = &self.opaque {
            answer += &format!(", opaque={}", quoted(opaque));
        }
        if self.hide_user {
            answer += ", userhash=true";
        }
        answer
    }
}

impl Algorithm {
    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hexadecimal(&md5::Md5::digest(text)),
            Self::Sha256 => hexadecimal(&<sha2::Sha256 as sha2::Digest>::digest(text)),
            Self::Sha512_256 => hexadecimal(&<sha2::Sha512_256 as sha2::Digest>::digest(text)),
        }
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Reads the challenges of one `Proxy-Authenticate` line. What can't be understood is passed over.
pub(super) fn challenges(line: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = line.trim_start_matches(SEPARATORS);
    while !rest.is_empty() && found.len() <= CHALLENGES_MAX {
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '"')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let value = after.trim_start().strip_prefix('=').map(str::trim_start);
        rest = match (value, found.last_mut()) {
            // A parameter of the scheme before it; `==` pads the blob that some schemes have instead.
            (Some(value), Some(challenge)) if !word.is_empty() && !value.starts_with('=') && !value.is_empty() => {
                let (value, rest) = parameter(value);
                challenge.parameters.push((word.to_owned(), value));
                rest
            }
            (None, _) if !word.is_empty() => {
                let scheme = Challenge { scheme: word.to_owned(), parameters: Vec::new() };
                // A blob follows its scheme after a blank, a scheme follows a comma.
                let comma = line[..line.len() - rest.len()].trim_end();
                if comma.is_empty() || comma.ends_with(',') {
                    found.push(scheme);
                }
                after
            }
            _ => after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default(),
        };
        rest = rest.trim_start_matches(SEPARATORS);
    }
    found.truncate(CHALLENGES_MAX);
    found
}

const SEPARATORS: [char; 3] = [' ', '\t', ','];

/// A parameter's value, quoted or not, and what follows it.
fn parameter(text: &str) -> (String, &str) {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = inside.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &inside[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_answered_as_there() {
        // RFC 7616, section 3.9.1.
        let login = ProxyLogin::new("Mufasa", "Circle of Life");
        let salt = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let line = format!(
                r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
            );
            let challenge = challenges(&line)[0].digest().unwrap();
            let answer = challenge.answer(&login, "GET", "/dir/index.html", 1, salt);
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
            assert!(answer.contains("nc=00000001") && answer.contains("qop=auth,"), "{answer}");
            assert!(answer.contains("opaque=\"FQhe/"), "{answer}");
        }
    }

    #[test]
    fn a_name_can_be_hidden_and_need_not_be_ascii() {
        // RFC 7616, section 3.9.2: the name's hash alone; its response uses another algorithm's details in many copies of the text.
        let line = r#"Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true"#;
        let login = ProxyLogin::new("Jäsøn Doe", "Secret, or not?");
        let answer =
            challenges(line)[0].digest().unwrap().answer(&login, "GET", "/doe.json", 1, "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm");
        assert!(answer.contains("userhash=true") && !answer.contains("Doe"), "{answer}");
        let line = r#"Digest realm="a", nonce="b", qop="auth""#;
        let answer = challenges(line)[0].digest().unwrap().answer(&login, "GET", "/", 1, "s");
        assert!(answer.contains("username*=UTF-8''J%C3%A4s%C3%B8n%20Doe,"), "{answer}");
    }

    #[test]
    fn a_proxy_from_before_counting_is_answered_without() {
        // RFC 2069, section 2.4, with its erratum.
        let line = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        let login = ProxyLogin::new("Mufasa", "CircleOfLife");
        let answer = challenges(line)[0].digest().unwrap().answer(&login, "GET", "/dir/index.html", 1, "salt");
        assert!(answer.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{answer}");
        assert!(!answer.contains("nc=") && !answer.contains("cnonce="), "{answer}");
    }

    #[test]
    fn several_challenges_of_one_line_are_told_apart() {
        let line = r#"Negotiate, NTLM TlRMTVNTUAACAAA==, Basic realm="The \"inner\" net, 2nd floor", Digest realm=x, stale=TRUE, nonce="n,=1""#;
        let found = challenges(line);
        let schemes: Vec<_> = found.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["Negotiate", "NTLM", "Basic", "Digest"]);
        assert_eq!(found[2].get("realm"), Some("The \"inner\" net, 2nd floor"));
        let digest = found[3].digest().unwrap();
        assert!(digest.stale);
        assert_eq!((digest.realm.as_str(), digest.nonce.as_str()), ("x", "n,=1"));
        assert_eq!(found[2].digest(), None);
    }

    #[test]
    fn what_cannot_be_answered_is_no_digest() {
        for line in [
            r#"Digest realm="a", nonce="b", algorithm=SHA-3"#,
            r#"Digest realm="a", nonce="b", qop="auth-int""#,
            r#"Digest realm="a""#,
            "Digest",
        ] {
            assert_eq!(challenges(line)[0].digest(), None, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_of_a_stranger_does_harm(line in "\\PC{0,200}", more in "[A-Za-z =,\"\\\\]{0,200}") {
            for line in [line, more] {
                proptest::prop_assert!(challenges(&line).len() <= CHALLENGES_MAX);
            }
        }
    }
}
