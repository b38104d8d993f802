//! COSE messages of anybody (RFC 9052): COSE_Sign and COSE_Sign1, tagged or not, in any encoding, with
//! payloads attached or detached, and countersignatures of both versions (RFC 8152 §5, RFC 9338).
//!
//! Our own documents are read more strictly, by [`crate::CoseSign`]; this is for auditors who are handed
//! something else.

use coset::{
    AsCborValue as _, CborSerializable as _, CoseSign, CoseSign1, Header, Label, ProtectedHeader,
    cbor::value::Value,
};

use crate::{Algorithm, CoseFault, CryptoError, PublicKey, cose::known_algorithm};

/// The largest message that is read, in bytes.
const MAX_MESSAGE: usize = 64 << 20;
/// The deepest nesting that is read.
const MAX_DEPTH: usize = 16;
/// The most signatures and countersignatures of one message.
const MAX_SIGNATURES: usize = 256;

const COUNTERSIGNATURE0_V1: i64 = 9;
const COUNTERSIGNATURE_V2: i64 = 11;
const COUNTERSIGNATURE0_V2: i64 = 12;

/// What a signature of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageSignatureKind {
    /// One of a COSE_Sign.
    Signature,
    /// That of a COSE_Sign1.
    Signature1,
    /// A countersignature.
    Countersignature,
    /// An abbreviated countersignature: the value alone.
    Countersignature0,
}

impl MessageSignatureKind {
    /// The kind in a word, as in the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Signature1 => "signature1",
            Self::Countersignature => "countersignature",
            Self::Countersignature0 => "countersignature0",
        }
    }
}

/// Where the payload slot of a Sig_structure comes from.
#[derive(Debug, Clone)]
enum Covered {
    Payload,
    Bytes(Vec<u8>),
}

/// One signature of a message.
#[derive(Debug, Clone)]
pub struct MessageSignature {
    /// What it is.
    pub kind: MessageSignatureKind,
    /// The algorithm, if it is one that is verified here; an abbreviated countersignature names none.
    pub algorithm: Option<Algorithm>,
    /// The key identifier.
    pub key_id: Vec<u8>,
    /// The certificates of `x5chain` (or `x5bag`), DER.
    pub certificates: Vec<Vec<u8>>,
    context: &'static str,
    protected: Vec<Vec<u8>>,
    covered: Covered,
    others: Vec<Vec<u8>>,
    value: Vec<u8>,
}

/// A COSE message that was read. Reading verifies nothing.
#[derive(Debug, Clone)]
pub struct CoseMessage {
    payload: Option<Vec<u8>>,
    signatures: Vec<MessageSignature>,
}

fn refuse(fault: CoseFault) -> CryptoError {
    CryptoError::Cose(fault)
}

fn other(error: impl std::fmt::Display) -> CryptoError {
    refuse(CoseFault::Other { detail: error.to_string() })
}

fn structure(error: coset::CoseError) -> CryptoError {
    other(error)
}

impl CoseMessage {
    /// Reads a COSE_Sign or COSE_Sign1. `understood` names the critical header parameters that the
    /// application understands besides those of RFC 9052 (numbers as digits).
    ///
    /// # Errors
    /// [`CryptoError::Cose`], saying what is not acceptable. Critical header parameters that nobody
    /// understands are refused.
    pub fn decode(bytes: &[u8], understood: &[&str]) -> Result<Self, CryptoError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(refuse(CoseFault::MessageSize));
        }
        let mut rest = bytes;
        let value: Value = coset::cbor::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
            .map_err(other)?;
        if !rest.is_empty() {
            return Err(refuse(CoseFault::MessageTrailing));
        }
        let (tag, array) = match value {
            Value::Tag(tag, inner) => (Some(tag), *inner),
            other => (None, other),
        };
        let mut array = array;
        mend_key_ids(&mut array);
        let many = array.as_array().and_then(|list| list.get(3)).is_some_and(Value::is_array);
        match (tag, many) {
            (Some(98), true) | (None, true) => Self::of_sign(array, understood),
            (Some(18), false) | (None, false) => Self::of_sign1(array, understood),
            (Some(tag), _) => Err(refuse(CoseFault::Tag { tag })),
        }
    }

    fn of_sign(value: Value, understood: &[&str]) -> Result<Self, CryptoError> {
        let sign = CoseSign::from_cbor_value(value).map_err(structure)?;
        check_critical(&sign.protected.header, &sign.unprotected, understood)?;
        let body = protected(&sign.protected)?;
        let mut out = Self { payload: sign.payload.clone(), signatures: Vec::new() };
        for one in &sign.signatures {
            check_critical(&one.protected.header, &one.unprotected, understood)?;
            let own = protected(&one.protected)?;
            let context = "Signature";
            let headers = [&one.protected.header, &one.unprotected];
            let signature = MessageSignature {
                context,
                protected: vec![body.clone(), own.clone()],
                covered: Covered::Payload,
                value: one.signature.clone(),
                ..described(MessageSignatureKind::Signature, headers)
            };
            out.push(signature)?;
            // A COSE_Signature has two byte strings: nothing is left over for other fields.
            let covered = Covered::Bytes(one.signature.clone());
            out.countersignatures(&one.unprotected, &own, &covered, &[], understood)?;
        }
        out.countersignatures(&sign.unprotected, &body, &Covered::Payload, &[], understood)?;
        Ok(out)
    }

    fn of_sign1(value: Value, understood: &[&str]) -> Result<Self, CryptoError> {
        let sign = CoseSign1::from_cbor_value(value).map_err(structure)?;
        check_critical(&sign.protected.header, &sign.unprotected, understood)?;
        let body = protected(&sign.protected)?;
        let mut out = Self { payload: sign.payload.clone(), signatures: Vec::new() };
        out.push(MessageSignature {
            context: "Signature1",
            protected: vec![body.clone()],
            covered: Covered::Payload,
            value: sign.signature.clone(),
            ..described(
                MessageSignatureKind::Signature1,
                [&sign.protected.header, &sign.unprotected],
            )
        })?;
        let others = [sign.signature.clone()];
        out.countersignatures(&sign.unprotected, &body, &Covered::Payload, &others, understood)?;
        Ok(out)
    }

    fn push(&mut self, signature: MessageSignature) -> Result<(), CryptoError> {
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(refuse(CoseFault::MessageSignatures { most: MAX_SIGNATURES }));
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The countersignatures in a target's unprotected header. `others` are the target's byte strings
    /// beyond the second, which version 2 covers as well.
    fn countersignatures(
        &mut self,
        header: &Header,
        target: &[u8],
        covered: &Covered,
        others: &[Vec<u8>],
        understood: &[&str],
    ) -> Result<(), CryptoError> {
        let mut found: Vec<(bool, coset::CoseSignature)> =
            header.counter_signatures.iter().map(|one| (false, one.clone())).collect();
        for (label, value) in &header.rest {
            let Label::Int(label) = *label else { continue };
            match label {
                COUNTERSIGNATURE_V2 => {
                    let list = value.as_array().ok_or_else(|| refuse(CoseFault::Label11))?;
                    let many = list.first().is_some_and(Value::is_array);
                    let list = if many { list.clone() } else { vec![value.clone()] };
                    for one in list {
                        let one = coset::CoseSignature::from_cbor_value(one).map_err(structure)?;
                        found.push((true, one));
                    }
                }
                COUNTERSIGNATURE0_V1 | COUNTERSIGNATURE0_V2 => {
                    let value = value.as_bytes().ok_or_else(|| refuse(CoseFault::NoBytes))?;
                    let second = label == COUNTERSIGNATURE0_V2 && !others.is_empty();
                    self.push(MessageSignature {
                        context: if second { "CounterSignature0V2" } else { "CounterSignature0" },
                        // The slot of the signer's protected header stays, empty (RFC 9338 §3.3).
                        protected: vec![target.to_vec(), Vec::new()],
                        covered: covered.clone(),
                        others: if second { others.to_vec() } else { Vec::new() },
                        value: value.clone(),
                        ..described(MessageSignatureKind::Countersignature0, [header; 0])
                    })?;
                }
                _ => {}
            }
        }
        for (second, one) in found {
            check_critical(&one.protected.header, &one.unprotected, understood)?;
            let second = second && !others.is_empty();
            self.push(MessageSignature {
                context: if second { "CounterSignatureV2" } else { "CounterSignature" },
                protected: vec![target.to_vec(), protected(&one.protected)?],
                covered: covered.clone(),
                others: if second { others.to_vec() } else { Vec::new() },
                value: one.signature.clone(),
                ..described(
                    MessageSignatureKind::Countersignature,
                    [&one.protected.header, &one.unprotected],
                )
            })?;
        }
        Ok(())
    }

    /// The payload, when it is attached.
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// Its signatures and countersignatures.
    pub fn signatures(&self) -> &[MessageSignature] {
        &self.signatures
    }

    /// Verifies a signature under a key, with the application's `external_aad`, and with the payload when
    /// that is detached.
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`], [`CryptoError::AlgorithmMismatch`], or [`CryptoError::Cose`] when there
    /// is no such signature, no payload, or its algorithm is not known here.
    pub fn verify(
        &self,
        index: usize,
        key: &PublicKey,
        external_aad: &[u8],
        detached: Option<&[u8]>,
    ) -> Result<(), CryptoError> {
        let signature =
            self.signatures.get(index).ok_or_else(|| refuse(CoseFault::NoSuchSignature))?;
        let payload = match (&signature.covered, self.payload(), detached) {
            (Covered::Bytes(bytes), ..) => bytes.as_slice(),
            (Covered::Payload, Some(_), Some(_)) => {
                return Err(refuse(CoseFault::Attached));
            }
            (Covered::Payload, Some(payload), None) | (Covered::Payload, None, Some(payload)) => {
                payload
            }
            (Covered::Payload, None, None) => return Err(refuse(CoseFault::Detached)),
        };
        // An abbreviated countersignature leaves the algorithm to the key (RFC 9338 §3.2).
        let abbreviated = signature.kind == MessageSignatureKind::Countersignature0;
        let algorithm = if abbreviated { key.algorithm() } else { signature.algorithm };
        let algorithm = algorithm.ok_or_else(|| refuse(CoseFault::Algorithm))?;
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let mut tbs = vec![Value::from(signature.context)];
        tbs.extend(signature.protected.iter().map(|one| bytes(one)));
        tbs.extend([bytes(external_aad), bytes(payload)]);
        if !signature.others.is_empty() {
            tbs.push(Value::Array(signature.others.iter().map(|one| bytes(one)).collect()));
        }
        let tbs = Value::Array(tbs).to_vec().map_err(structure)?;
        key.verify(algorithm, &tbs, &signature.value)
    }
}

/// A key identifier is a byte string (RFC 9052 §3.1), but some write it as a text, the working group's own
/// examples among them. Unsigned, it can be read as what it was meant to be.
fn mend_key_ids(message: &mut Value) {
    let Some(items) = message.as_array_mut() else { return };
    for item in items {
        match item {
            Value::Map(header) => {
                let key_id = header.iter_mut().find(|(label, _)| *label == Value::from(4));
                if let Some((_, value @ Value::Text(_))) = key_id {
                    *value = Value::Bytes(value.as_text().unwrap_or_default().into());
                }
            }
            Value::Array(signatures) => signatures.iter_mut().for_each(mend_key_ids),
            _ => {}
        }
    }
}

/// The protected header as it is signed: as it stands, but an empty map is an empty byte string, however it
/// was written (RFC 9052 §3).
fn protected(header: &ProtectedHeader) -> Result<Vec<u8>, CryptoError> {
    if header.header.is_empty() {
        return Ok(Vec::new());
    }
    let value = header.clone().cbor_bstr().map_err(structure)?;
    value.into_bytes().map_err(|_| refuse(CoseFault::HeaderForm))
}

fn check_critical(
    header: &Header,
    unprotected: &Header,
    understood: &[&str],
) -> Result<(), CryptoError> {
    // RFC 9052 §3.1: it "MUST be placed in the protected-header bucket".
    if !unprotected.crit.is_empty() {
        return Err(refuse(CoseFault::CriticalUnsigned));
    }
    use coset::RegisteredLabelWithPrivate as Critical;
    for label in &header.crit {
        let name = match label {
            // alg to Partial IV, which every implementation understands (RFC 9052 §3.1).
            Critical::Assigned(label) if (1..=6).contains(&(*label as i64)) => continue,
            Critical::Assigned(label) => (*label as i64).to_string(),
            Critical::PrivateUse(label) => label.to_string(),
            Critical::Text(label) => label.clone(),
        };
        if !understood.contains(&name.as_str()) {
            return Err(refuse(CoseFault::Critical { name }));
        }
    }
    Ok(())
}

/// What the headers say of a signature.
fn described<const N: usize>(
    kind: MessageSignatureKind,
    headers: [&Header; N],
) -> MessageSignature {
    let algorithm = headers.iter().find_map(|header| header.alg.as_ref());
    let algorithm = known_algorithm(algorithm);
    let key_id = headers.iter().map(|header| &header.key_id).find(|id| !id.is_empty());
    let certificates = headers.iter().flat_map(|header| &header.rest).find_map(|(label, value)| {
        let bag = matches!(label, Label::Int(32 | 33));
        match value {
            Value::Bytes(one) if bag => Some(vec![one.clone()]),
            Value::Array(many) if bag => many.iter().map(|v| v.as_bytes().cloned()).collect(),
            _ => None,
        }
    });
    MessageSignature {
        kind,
        algorithm,
        key_id: key_id.cloned().unwrap_or_default(),
        certificates: certificates.unwrap_or_default(),
        context: "",
        protected: Vec::new(),
        covered: Covered::Payload,
        others: Vec::new(),
        value: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CoseSign as Ours, SigningKey};

    #[test]
    fn our_own_documents_and_countersignatures_are_messages_like_any() {
        let keys = [Algorithm::Es256, Algorithm::EdDsa].map(SigningKey::generate);
        let [first, second] = keys.map(|key| key.expect("random bytes"));
        let bytes = Ours::builder("a/b", b"payload".to_vec())
            .sign(&first, crate::ProtectedAttributes::default())
            .and_then(crate::CoseBuilder::encode)
            .expect("signs");
        let ours = Ours::decode(&bytes).expect("decodes");
        let ours = ours.countersign(0, &second, crate::ProtectedAttributes::default());
        let bytes = ours.expect("countersigns").into_builder().encode().expect("encodes");
        let message = CoseMessage::decode(&bytes, &[]).expect("reads");
        let kinds: Vec<_> = message.signatures().iter().map(|s| s.kind).collect();
        assert_eq!(
            kinds,
            [MessageSignatureKind::Signature, MessageSignatureKind::Countersignature]
        );
        let check = |index, key: &SigningKey, aad: &[u8], detached| {
            message.verify(index, &key.public_key(), aad, detached)
        };
        assert_eq!(check(0, &first, b"", None), Ok(()));
        assert_eq!(check(1, &second, b"", None), Ok(()));
        assert!(check(0, &second, b"", None).is_err());
        assert!(check(0, &first, b"aad", None).is_err());
        assert!(check(0, &first, b"", Some(b"payload")).is_err());
        assert!(check(2, &first, b"", None).is_err());
    }

    #[test]
    fn nesting_and_what_is_no_message_are_refused() {
        for bad in [vec![0x81; 100_000], vec![0xd2, 0x80], vec![0xf6], Vec::new()] {
            assert!(matches!(CoseMessage::decode(&bad, &[]), Err(CryptoError::Cose(_))));
        }
    }
}
