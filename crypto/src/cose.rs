//! COSE_Sign (RFC 9052 §4.1) with x5chain (RFC 9360), as Chancery writes and reads it.
//!
//! The payload is attached; every signature has its own protected header with the algorithm, the
//! signer's chain, the claimed signing time (CWT claim `iat`, RFC 9597) and the commitment the
//! signer makes (`srCms`, after ETSI's JAdES and CB-AdES). The whole structure is deterministic.

use coset::{
    CoseSignBuilder, CoseSignatureBuilder, HeaderBuilder, Label, TaggedCborSerializable,
    cbor::value::Value, iana,
};

use crate::{Algorithm, CryptoError, PublicKey, SigningKey, cbor};

/// The most signatures that one structure may hold.
const MAX_SIGNATURES: usize = 64;
/// The most certificates in one x5chain.
const MAX_CHAIN: usize = 8;
/// The text label of the commitments header.
const COMMITMENTS: &str = "srCms";

/// What a signer declares by signing: the commitment types of ETSI EN 319 122-1 §5.2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commitment {
    /// The signer made, approved and sent it (proof of origin): an agency's seal.
    Origin,
    /// The signer received it (proof of receipt): 签收.
    Receipt,
    /// The signer approves its content (proof of approval): an officer.
    Approval,
    /// The signer made it, without approving or sending it (proof of creation).
    Creation,
}

impl Commitment {
    const ALL: [Self; 4] = [Self::Origin, Self::Receipt, Self::Approval, Self::Creation];

    /// The commitment type's object identifier, as a URN (RFC 5126 §5.11.1).
    pub fn urn(self) -> &'static str {
        match self {
            Self::Origin => "urn:oid:1.2.840.113549.1.9.16.6.1",
            Self::Receipt => "urn:oid:1.2.840.113549.1.9.16.6.2",
            Self::Approval => "urn:oid:1.2.840.113549.1.9.16.6.5",
            Self::Creation => "urn:oid:1.2.840.113549.1.9.16.6.6",
        }
    }

    /// The commitment in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Receipt => "receipt",
            Self::Approval => "approval",
            Self::Creation => "creation",
        }
    }
}

/// The signed attributes of one signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProtectedAttributes {
    /// The signer's certificate first, then its issuers, DER, without the root.
    pub x5chain: Vec<Vec<u8>>,
    /// The time the signer claims, in seconds since 1970 UTC.
    pub signing_time: Option<i64>,
    /// What the signer declares.
    pub commitment: Option<Commitment>,
}

/// One signature of a [`CoseSign`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoseSignature {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The signed attributes.
    pub attributes: ProtectedAttributes,
}

/// A decoded COSE_Sign structure. Decoding verifies nothing; see [`CoseSign::verify`].
#[derive(Debug, Clone)]
pub struct CoseSign {
    inner: coset::CoseSign,
    content_type: String,
    payload: Vec<u8>,
    signatures: Vec<CoseSignature>,
}

fn refuse(what: impl Into<String>) -> CryptoError {
    CryptoError::Cose(what.into())
}

impl CoseSign {
    /// Starts a structure around a payload of a media type.
    pub fn builder(content_type: &str, payload: Vec<u8>) -> CoseBuilder {
        let protected = HeaderBuilder::new().content_type(content_type.to_owned()).build();
        CoseBuilder { inner: CoseSignBuilder::new().protected(protected).payload(payload).build() }
    }

    /// Decodes a tagged COSE_Sign (tag 98) in deterministic form.
    ///
    /// # Errors
    /// [`CryptoError::Cbor`] or [`CryptoError::Cose`], naming what is not acceptable. Critical
    /// header parameters that are not known here are refused; others are kept and ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, CryptoError> {
        cbor::check(bytes)?;
        let inner = coset::CoseSign::from_tagged_slice(bytes).map_err(|e| refuse(e.to_string()))?;
        if !inner.protected.header.crit.is_empty() {
            return Err(refuse("it has critical header parameters that are not known here"));
        }
        let content_type = match &inner.protected.header.content_type {
            Some(coset::ContentType::Text(text)) => text.clone(),
            _ => return Err(refuse("its protected header names no content type")),
        };
        let payload = inner.payload.clone().ok_or_else(|| refuse("its payload is detached"))?;
        if inner.signatures.is_empty() || inner.signatures.len() > MAX_SIGNATURES {
            return Err(refuse(format!("it has {} signatures", inner.signatures.len())));
        }
        let signatures = inner.signatures.iter().map(read_signature).collect::<Result<_, _>>()?;
        Ok(Self { inner, content_type, payload, signatures })
    }

    /// The media type of the payload.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The payload's bytes, as they were signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, in the order in which they were made.
    pub fn signatures(&self) -> &[CoseSignature] {
        &self.signatures
    }

    /// Verifies signature `index` under a key.
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`], [`CryptoError::AlgorithmMismatch`], or
    /// [`CryptoError::Cose`] when there is no such signature.
    pub fn verify(&self, index: usize, key: &PublicKey) -> Result<(), CryptoError> {
        let (raw, read) = self
            .inner
            .signatures
            .get(index)
            .zip(self.signatures.get(index))
            .ok_or_else(|| refuse(format!("it has no signature {index}")))?;
        let tbs = self.inner.tbs_data(b"", raw);
        key.verify(read.algorithm, &tbs, &raw.signature)
    }

    /// Goes on signing: the same payload and signatures, and more to come.
    pub fn into_builder(self) -> CoseBuilder {
        CoseBuilder { inner: self.inner }
    }
}

/// Collects signatures over one payload.
#[derive(Debug, Clone)]
pub struct CoseBuilder {
    inner: coset::CoseSign,
}

impl CoseBuilder {
    /// Adds a signature by `key`.
    ///
    /// # Errors
    /// [`CryptoError::Random`], or [`CryptoError::Cose`] when the attributes do not fit.
    pub fn sign(
        mut self,
        key: &SigningKey,
        attributes: ProtectedAttributes,
    ) -> Result<Self, CryptoError> {
        let protected = write_attributes(key.algorithm(), attributes)?;
        let mut signature = CoseSignatureBuilder::new().protected(protected).build();
        // Signatures made by others keep their protected bytes; ours are made here, once.
        let bytes = signature.protected.clone().cbor_bstr().map_err(|e| refuse(e.to_string()))?;
        let bytes = bytes.into_bytes().map_err(|_| refuse("a protected header is no bytes"))?;
        signature.protected.original_data = Some(bytes);
        signature.signature = key.sign(&self.inner.tbs_data(b"", &signature))?;
        self.inner.signatures.push(signature);
        Ok(self)
    }

    /// The tagged structure in deterministic form.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] when it cannot be encoded.
    pub fn encode(self) -> Result<Vec<u8>, CryptoError> {
        let bytes = self.inner.to_tagged_vec().map_err(|e| refuse(e.to_string()))?;
        cbor::check(&bytes)?;
        Ok(bytes)
    }
}

fn write_attributes(
    algorithm: Algorithm,
    attributes: ProtectedAttributes,
) -> Result<coset::Header, CryptoError> {
    let name = match algorithm {
        Algorithm::Es256 => iana::Algorithm::ES256,
        Algorithm::Es384 => iana::Algorithm::ES384,
        Algorithm::EdDsa => iana::Algorithm::EdDSA,
    };
    if attributes.x5chain.len() > MAX_CHAIN {
        return Err(refuse(format!("its chain has {} certificates", attributes.x5chain.len())));
    }
    let mut header = HeaderBuilder::new().algorithm(name);
    // Labels go in ascending order, so that the header is deterministic: 1, 15, 33, text.
    if let Some(time) = attributes.signing_time {
        let claims = vec![(Value::from(6), Value::from(time))];
        header = header.value(iana::HeaderParameter::CwtClaims as i64, Value::Map(claims));
    }
    if !attributes.x5chain.is_empty() {
        let mut chain: Vec<Value> = attributes.x5chain.into_iter().map(Value::Bytes).collect();
        let value = match chain.len() {
            1 => chain.remove(0),
            _ => Value::Array(chain),
        };
        header = header.value(iana::HeaderParameter::X5Chain as i64, value);
    }
    if let Some(commitment) = attributes.commitment {
        let id = vec![(Value::from("id"), Value::from(commitment.urn()))];
        let one = Value::Map(vec![(Value::from("commId"), Value::Map(id))]);
        header = header.text_value(COMMITMENTS.into(), Value::Array(vec![one]));
    }
    Ok(header.build())
}

fn read_signature(raw: &coset::CoseSignature) -> Result<CoseSignature, CryptoError> {
    let header = &raw.protected.header;
    if !header.crit.is_empty() {
        return Err(refuse("a signature has critical header parameters that are not known here"));
    }
    let algorithm = match &header.alg {
        Some(coset::Algorithm::Assigned(iana::Algorithm::ES256)) => Algorithm::Es256,
        Some(coset::Algorithm::Assigned(iana::Algorithm::ES384)) => Algorithm::Es384,
        Some(coset::Algorithm::Assigned(iana::Algorithm::EdDSA)) => Algorithm::EdDsa,
        other => return Err(refuse(format!("signature algorithm {other:?} is not known here"))),
    };
    let mut attributes = ProtectedAttributes::default();
    for (label, value) in &header.rest {
        match label {
            Label::Int(15) => attributes.signing_time = read_time(value)?,
            Label::Int(33) => attributes.x5chain = read_chain(value)?,
            Label::Text(text) if text == COMMITMENTS => {
                attributes.commitment = Some(read_commitment(value)?);
            }
            _ => {}
        }
    }
    Ok(CoseSignature { algorithm, attributes })
}

fn read_time(claims: &Value) -> Result<Option<i64>, CryptoError> {
    let claims = claims.as_map().ok_or_else(|| refuse("its CWT claims are no map"))?;
    let iat = claims.iter().find(|(key, _)| *key == Value::from(6));
    iat.map(|(_, time)| {
        let time = time.as_integer().and_then(|n| i64::try_from(n).ok());
        time.ok_or_else(|| refuse("its signing time is no integer"))
    })
    .transpose()
}

fn read_chain(value: &Value) -> Result<Vec<Vec<u8>>, CryptoError> {
    let bad = || refuse("its x5chain is no certificate or list of certificates");
    let chain: Vec<Vec<u8>> = match value {
        Value::Bytes(one) => vec![one.clone()],
        Value::Array(many) => {
            many.iter().map(|v| v.as_bytes().cloned().ok_or_else(bad)).collect::<Result<_, _>>()?
        }
        _ => return Err(bad()),
    };
    if chain.is_empty() || chain.len() > MAX_CHAIN {
        return Err(refuse(format!("its x5chain has {} certificates", chain.len())));
    }
    Ok(chain)
}

fn read_commitment(value: &Value) -> Result<Commitment, CryptoError> {
    let field = |value: &Value, name: &str| {
        let pairs = value.as_map()?;
        pairs.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, v)| v.clone())
    };
    let one = value.as_array().filter(|list| list.len() == 1).and_then(|list| list.first());
    let urn = one.and_then(|one| field(&field(one, "commId")?, "id"));
    let urn = urn.as_ref().and_then(Value::as_text).unwrap_or_default();
    let known = Commitment::ALL.into_iter().find(|c| c.urn() == urn);
    known.ok_or_else(|| refuse(format!("its commitment {urn:?} is not known here")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes() -> ProtectedAttributes {
        ProtectedAttributes {
            x5chain: vec![vec![1, 2, 3], vec![4, 5]],
            signing_time: Some(1_790_000_000),
            commitment: Some(Commitment::Approval),
        }
    }

    #[test]
    fn two_signers_can_sign_one_after_the_other_and_both_verify() {
        let officer = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let seal = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let first = CoseSign::builder("a/b", b"payload".to_vec())
            .sign(&officer, attributes())
            .and_then(CoseBuilder::encode)
            .expect("signs");
        let both = CoseSign::decode(&first)
            .expect("decodes")
            .into_builder()
            .sign(&seal, ProtectedAttributes { signing_time: None, ..attributes() })
            .and_then(CoseBuilder::encode)
            .expect("signs");
        let read = CoseSign::decode(&both).expect("decodes");
        assert_eq!(read.payload(), b"payload");
        assert_eq!(read.signatures()[0].attributes, attributes());
        assert_eq!(read.verify(0, &officer.public_key()), Ok(()));
        assert_eq!(read.verify(1, &seal.public_key()), Ok(()));
        assert!(read.verify(1, &officer.public_key()).is_err());
        assert!(read.verify(2, &officer.public_key()).is_err());
    }

    #[test]
    fn no_byte_of_a_signed_structure_can_change_unnoticed() {
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let good = CoseSign::builder("a/b", b"payload".to_vec())
            .sign(&key, attributes())
            .and_then(CoseBuilder::encode)
            .expect("signs");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x01;
            let verdict = CoseSign::decode(&bad).and_then(|c| c.verify(0, &key.public_key()));
            assert!(verdict.is_err(), "byte {at} can change");
        }
    }

    #[test]
    fn an_unknown_critical_parameter_is_refused() {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let mut builder = CoseSign::builder("a/b", b"x".to_vec());
        builder.inner.protected.header.crit =
            vec![coset::RegisteredLabelWithPrivate::PrivateUse(-70_000)];
        let signed = builder.sign(&key, attributes()).expect("signs");
        let bytes = signed.inner.to_tagged_vec().expect("encodes");
        assert!(matches!(CoseSign::decode(&bytes), Err(CryptoError::Cose(_))));
    }
}
