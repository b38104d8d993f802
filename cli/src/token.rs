//! Private keys in smart cards and HSMs, by PKCS #11, named by RFC 7512 URIs. The key never leaves its
//! device; every signature is made there.

use std::{path::PathBuf, sync::Mutex};

use chancery_crypto::{CryptoError, ExternalKey, HashAlgorithm, PublicKey, SigningKey};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11},
    error::{Error, RvError},
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};

use crate::failure::{ENVIRONMENT, Failure};

/// How a key in a device is named on the command line.
pub(crate) const SCHEME: &str = "pkcs11:";

/// DER of the curves' object identifiers, as CKA_EC_PARAMS has them.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// PrintableString "edwards25519", which PKCS #11 3.0 §2.3.5 allows as well.
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";

/// A key's name: `pkcs11:token=NAME;object=LABEL?module-path=FILE`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uri {
    token: Option<String>,
    serial: Option<String>,
    object: Option<String>,
    id: Option<Vec<u8>>,
    module: Option<PathBuf>,
}

fn wrong(what: impl Into<String>) -> Failure {
    Failure::usage(
        "CHY-6035",
        what,
        "Write it as pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/softhsm/libsofthsm2.so",
    )
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

impl Uri {
    fn parse(text: &str) -> Result<Self, Failure> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it is no pkcs11: URI"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for part in path.split(';').chain(query.split('&')).filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| wrong(format!("{part:?} has no value")))?;
            let value = decode(value).ok_or_else(|| wrong(format!("{part:?} is not encoded")))?;
            let text = || String::from_utf8(value.clone()).map_err(|_| wrong("it is not UTF-8"));
            match name {
                "token" => uri.token = Some(text()?),
                "serial" => uri.serial = Some(text()?),
                "object" => uri.object = Some(text()?),
                "id" => uri.id = Some(value),
                "module-path" => uri.module = Some(text()?.into()),
                "type" if value == b"private" => {}
                // A PIN in a command line is a PIN that everyone on the machine can read.
                "pin-value" => return Err(wrong("a PIN does not belong into the URI")),
                _ => return Err(wrong(format!("{name:?} is not known here"))),
            }
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(wrong("it names no key: object= or id= is missing"));
        }
        Ok(uri)
    }
}

fn failed(what: impl std::fmt::Display) -> Failure {
    Failure {
        code: "CHY-6036".into(),
        message: format!("the token: {what}"),
        remedy: "Check that the card or HSM is there, its name and its PIN.".into(),
        exit: ENVIRONMENT,
    }
}

struct TokenKey {
    session: Mutex<Session>,
    key: ObjectHandle,
    public: PublicKey,
}

impl ExternalKey for TokenKey {
    fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (mechanism, input) = match &self.public {
            PublicKey::P384(_) => (Mechanism::Ecdsa, HashAlgorithm::Sha384.digest(message)),
            PublicKey::Ed25519(_) => {
                let parameters = EddsaParams::new(EddsaSignatureScheme::Ed25519);
                (Mechanism::Eddsa(parameters), message.to_vec())
            }
            PublicKey::P256(_) | PublicKey::Rsa(_) => {
                (Mechanism::Ecdsa, HashAlgorithm::Sha256.digest(message))
            }
        };
        let device =
            |e: &dyn std::fmt::Display| CryptoError::PrivateKey(format!("the token: {e}").into());
        let session = self.session.lock().map_err(|e| device(&e))?;
        session.sign(&mechanism, self.key, &input).map_err(|e| device(&e))
    }
}

/// Opens a key in a device. `pin` is asked for only once the device is found.
pub(crate) fn open(
    text: &str,
    pin: impl FnOnce(&str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, Failure>,
) -> Result<SigningKey, Failure> {
    let uri = Uri::parse(text)?;
    let module = uri
        .module
        .clone()
        .or_else(|| std::env::var_os("CHANCERY_PKCS11_MODULE").map(PathBuf::from));
    let module = module.ok_or_else(|| wrong("the module is missing: module-path="))?;
    let library = Pkcs11::new(&module).map_err(|e| failed(format!("{}: {e}", module.display())))?;
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => {}
        Err(error) => return Err(failed(error)),
    }
    let slots = library.get_slots_with_token().map_err(failed)?;
    let slot = slots.into_iter().find(|slot| {
        library.get_token_info(*slot).is_ok_and(|info| {
            uri.token.as_deref().is_none_or(|name| name == info.label().trim_end())
                && uri
                    .serial
                    .as_deref()
                    .is_none_or(|serial| serial == info.serial_number().trim_end())
        })
    });
    let slot = slot.ok_or_else(|| failed("no token of that name is there"))?;
    let session = library.open_ro_session(slot).map_err(failed)?;
    let prompt = format!("PIN of {}: ", uri.token.as_deref().unwrap_or("the token"));
    if let Some(pin) = pin(&prompt)? {
        let pin = std::str::from_utf8(&pin).map_err(|_| failed("the PIN is not UTF-8"))?;
        let pin = AuthPin::new(pin.into());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let named = |class: ObjectClass| {
        let mut template = vec![Attribute::Class(class)];
        template.extend(uri.object.clone().map(|label| Attribute::Label(label.into_bytes())));
        template.extend(uri.id.clone().map(Attribute::Id));
        session.find_objects(&template).map_err(failed)
    };
    let keys = named(ObjectClass::PRIVATE_KEY)?;
    let [key] = keys.as_slice() else {
        return Err(failed(format!("{} private keys have that name; one must", keys.len())));
    };
    let public = named(ObjectClass::PUBLIC_KEY)?;
    let public = public.first().ok_or_else(|| failed("the key's public half is not there"))?;
    let public = read_public(&session, *public)?;
    let key = TokenKey { key: *key, public, session: Mutex::new(session) };
    Ok(SigningKey::external(Box::new(key))?)
}

fn read_public(session: &Session, object: ObjectHandle) -> Result<PublicKey, Failure> {
    let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
    let found = session.get_attributes(object, &wanted).map_err(failed)?;
    let (mut curve, mut point) = (Vec::new(), Vec::new());
    for attribute in found {
        match attribute {
            Attribute::EcParams(bytes) => curve = bytes,
            Attribute::EcPoint(bytes) => point = bytes,
            _ => {}
        }
    }
    // CKA_EC_POINT is an OCTET STRING in DER; some devices leave the wrapping away.
    let bare = |len: usize| match point.as_slice() {
        [0x04, length, rest @ ..] if usize::from(*length) == len && rest.len() == len => {
            Some(rest.to_vec())
        }
        whole if whole.len() == len => Some(whole.to_vec()),
        _ => None,
    };
    let key = match curve.as_slice() {
        P256 => bare(65).map(PublicKey::P256),
        P384 => bare(97).map(PublicKey::P384),
        ED25519 | ED25519_NAME => bare(32).map(PublicKey::Ed25519),
        _ => None,
    };
    key.ok_or_else(|| failed("the key is not on P-256, P-384 or Ed25519"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_a_key_and_never_a_pin() {
        let uri = Uri::parse("pkcs11:token=My%20card;object=li;id=%01%02?module-path=/lib/a.so");
        let want = Uri {
            token: Some("My card".into()),
            serial: None,
            object: Some("li".into()),
            id: Some(vec![1, 2]),
            module: Some("/lib/a.so".into()),
        };
        assert_eq!(uri.expect("a URI"), want);
        for bad in [
            "pkcs11:token=a",
            "pkcs11:object",
            "pkcs11:object=%zz",
            "pkcs11:object=a?pin-value=1234",
            "pkcs11:object=a;colour=red",
            "file:a",
        ] {
            assert!(Uri::parse(bad).is_err(), "{bad}");
        }
    }
}
