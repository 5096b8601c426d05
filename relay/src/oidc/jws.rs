//! The signature of an ID token (RFC 7515) by the provider's published keys (RFC 7517).
//!
//! Only signatures that nobody but the provider can make: "none" and those by a shared secret are refused, so no public key can be taken for one.
//! What a key is for is decided by the key, never by the token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// Why a token's signature is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSignature {
    #[error("it is no signed token")]
    Form,
    #[error("it is signed in a way that isn't taken")]
    Algorithm,
    /// The provider may have changed its keys since they were fetched.
    #[error("it is signed by an unknown key")]
    UnknownKey,
    #[error("the signature is wrong")]
    Wrong,
}

/// The keys a provider publishes.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Keys {
    /// Those that can't be read are for something else.
    keys: Vec<Value>,
}

/// One key, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood, or the token not be taken. Nothing of it is.
    crit: Option<Value>,
}

/// A way to sign.
#[derive(Clone, Copy)]
enum Algorithm {
    Rsa(&'static RsaParameters),
    /// On this curve, whose coordinates have so many bytes.
    Ec(&'static EcdsaVerificationAlgorithm, &'static str, usize),
    Ed25519,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            "RS384" => Self::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Self::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            "PS256" => Self::Rsa(&RSA_PSS_2048_8192_SHA256),
            "PS384" => Self::Rsa(&RSA_PSS_2048_8192_SHA384),
            "PS512" => Self::Rsa(&RSA_PSS_2048_8192_SHA512),
            "ES256" => Self::Ec(&ECDSA_P256_SHA256_FIXED, "P-256", 32),
            "ES384" => Self::Ec(&ECDSA_P384_SHA384_FIXED, "P-384", 48),
            "EdDSA" => Self::Ed25519,
            _ => return None,
        })
    }

    fn fits(self, key: &Key) -> bool {
        match self {
            Self::Rsa(_) => key.kty == "RSA",
            Self::Ec(_, curve, _) => key.kty == "EC" && key.crv.as_deref() == Some(curve),
            Self::Ed25519 => key.kty == "OKP" && key.crv.as_deref() == Some("Ed25519"),
        }
    }

    fn verify(self, key: &Key, message: &[u8], signature: &[u8]) -> Option<()> {
        match self {
            Self::Rsa(parameters) => {
                let (n, e) = (number(key.n.as_deref())?, number(key.e.as_deref())?);
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).ok()
            }
            Self::Ec(algorithm, _, length) => {
                let mut point = vec![4];
                for coordinate in [&key.x, &key.y] {
                    let coordinate = number(coordinate.as_deref())?;
                    point.resize(point.len() + length.checked_sub(coordinate.len())?, 0);
                    point.extend(coordinate);
                }
                UnparsedPublicKey::new(algorithm, point).verify(message, signature).ok()
            }
            Self::Ed25519 => UnparsedPublicKey::new(&ED25519, decode(key.x.as_deref()?)?).verify(message, signature).ok(),
        }
    }
}

impl Keys {
    /// What a token says, if one of these keys signed it. It is not looked at here.
    pub(crate) fn verify(&self, token: &str) -> Result<Vec<u8>, BadSignature> {
        let (message, signature) = token.rsplit_once('.').ok_or(BadSignature::Form)?;
        let (header, payload) = message.split_once('.').ok_or(BadSignature::Form)?;
        let part = |text| decode(text).ok_or(BadSignature::Form);
        let header = serde_json::from_slice::<Header>(&part(header)?).map_err(|_| BadSignature::Form)?;
        let (payload, signature) = (part(payload)?, part(signature)?);
        let algorithm = Algorithm::named(&header.alg).filter(|_| header.crit.is_none()).ok_or(BadSignature::Algorithm)?;
        let known = self.keys.iter().filter_map(|key| Key::deserialize(key).ok());
        let may_sign = |key: &Key| {
            let named = header.kid.is_none() || key.kid == header.kid;
            let for_it = key.alg.as_ref().is_none_or(|alg| *alg == header.alg);
            named && for_it && algorithm.fits(key) && key.used_for.as_deref().is_none_or(|used| used == "sig")
        };
        let mut outcome = Err(BadSignature::UnknownKey);
        for key in known.filter(may_sign) {
            if algorithm.verify(&key, message.as_bytes(), &signature).is_some() {
                return Ok(payload);
            }
            outcome = Err(BadSignature::Wrong);
        }
        outcome
    }
}

/// The bytes of a number, without the zeros before it: ring wants none, and some providers send some.
fn number(text: Option<&str>) -> Option<Vec<u8>> {
    let mut bytes = decode(text?)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    Some(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::Signer, *};

    const CLAIMS: &str = r#"{"sub":"1"}"#;

    fn verified(keys: &Value, token: &str) -> Result<Vec<u8>, BadSignature> {
        serde_json::from_value::<Keys>(json!({"keys": keys})).unwrap().verify(token)
    }

    #[test]
    fn what_the_key_signed_is_taken_and_what_was_changed_is_not() {
        for signer in [Signer::es256("a"), Signer::rs256("a"), Signer::ed25519("a")] {
            let token = signer.sign(CLAIMS);
            let keys = json!([Signer::es256("b").public(), signer.public()]);
            assert_eq!(verified(&keys, &token).unwrap(), CLAIMS.as_bytes(), "{signer:?}");
            let parts = token.split('.').collect::<Vec<_>>();
            let forged = URL_SAFE_NO_PAD.encode(r#"{"sub":"2"}"#);
            assert_eq!(verified(&keys, &format!("{}.{forged}.{}", parts[0], parts[2])), Err(BadSignature::Wrong));
            assert_eq!(verified(&keys, &format!("{}.{}.", parts[0], parts[1])), Err(BadSignature::Wrong));
        }
    }

    #[test]
    fn a_signature_by_another_key_is_refused() {
        let (signer, other) = (Signer::es256("a"), Signer::es256("a"));
        assert_eq!(verified(&json!([other.public()]), &signer.sign(CLAIMS)), Err(BadSignature::Wrong));
        assert_eq!(verified(&json!([Signer::es256("b").public()]), &signer.sign(CLAIMS)), Err(BadSignature::UnknownKey));
        assert_eq!(verified(&json!([]), &signer.sign(CLAIMS)), Err(BadSignature::UnknownKey));
    }

    #[test]
    fn a_token_without_a_name_of_its_key_is_tried_with_all() {
        let signer = Signer::es256("a");
        let token = signer.sign_with(&json!({"alg": "ES256"}), CLAIMS);
        assert!(verified(&json!([Signer::rs256("b").public(), Signer::es256("c").public(), signer.public()]), &token).is_ok());
        assert_eq!(verified(&json!([Signer::es256("c").public()]), &token), Err(BadSignature::Wrong));
    }

    #[test]
    fn no_signature_and_one_by_a_shared_secret_are_refused() {
        let signer = Signer::rs256("a");
        let keys = json!([signer.public(), {"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]);
        let claims = URL_SAFE_NO_PAD.encode(CLAIMS);
        for alg in ["none", "None", "NONE", "", "HS256", "HS512", "ES256K"] {
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "kid": "a"}).to_string());
            for signature in [String::new(), signer.hmac_by_public_key(&format!("{header}.{claims}"))] {
                assert_eq!(verified(&keys, &format!("{header}.{claims}.{signature}")), Err(BadSignature::Algorithm), "{alg}");
            }
        }
    }

    #[test]
    fn a_key_signs_in_its_own_way_alone() {
        let signer = Signer::es256("a");
        let as_said = |change: Value| {
            let mut key = signer.public();
            key.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            verified(&json!([key]), &signer.sign(CLAIMS))
        };
        assert!(as_said(json!({"use": "sig", "alg": "ES256"})).is_ok());
        assert!(as_said(json!({"use": null, "alg": null})).is_ok());
        for wrong in [json!({"use": "enc"}), json!({"alg": "ES384"}), json!({"kty": "RSA"}), json!({"crv": "P-384"})] {
            assert_eq!(as_said(wrong.clone()), Err(BadSignature::UnknownKey), "{wrong}");
        }
        for wrong in [json!({"x": ""}), json!({"y": "AA"}), json!({"x": null}), json!({"x": "!"}), json!({"x": "A".repeat(99)})] {
            assert_eq!(as_said(wrong.clone()), Err(BadSignature::Wrong), "{wrong}");
        }
        // A header that must be understood isn't.
        let token = signer.sign_with(&json!({"alg": "ES256", "kid": "a", "crit": ["b64"], "b64": false}), CLAIMS);
        assert_eq!(verified(&json!([signer.public()]), &token), Err(BadSignature::Algorithm));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let keys = json!([Signer::es256("a").public(), "a key?", {"kty": 5}]);
        let token = Signer::es256("a").sign(CLAIMS);
        for text in ["", ".", "..", "a.b", "a.b.c", "....", &token.replace('.', ""), &format!("{token}."), &format!("{token}=")] {
            assert_eq!(verified(&keys, text), Err(BadSignature::Form), "{text}");
        }
    }
}
