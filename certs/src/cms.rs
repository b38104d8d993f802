//! CMS signed data (RFC 5652), as RFC 3161 time-stamps and CAdES signatures use it: signed attributes
//! always, with the signer's certificate among them (RFC 5035, ETSI EN 319 122-1 §5.2.2.3).

use chancery_crypto::{CryptoError, HashAlgorithm, PublicKey, SignatureScheme};
use cms::{
    cert::IssuerAndSerialNumber,
    content_info::{CmsVersion, ContentInfo},
    signed_data::{EncapsulatedContentInfo, SignerIdentifier, SignerInfo},
};
use der::{
    Any, Decode as _, Encode as _, Sequence, Tag, Tagged as _,
    asn1::{ObjectIdentifier as Oid, OctetString, OctetStringRef, SetOfVec, UtcTime},
};
use spki::AlgorithmIdentifierOwned;
use x509_cert::{attr::Attribute, certificate::Certificate as RawCertificate};

use crate::{
    CertError, Certificate, CmsFault, Credential, Crl, ber::ber_to_der, path::scheme_of_algorithm,
};

/// The largest CMS structure that is read, in bytes.
const MAX_CMS: usize = 4 << 20;
/// The most certificates, CRLs and signers in one.
const MAX_ITEMS: usize = 64;

const SIGNED_DATA: Oid = Oid::new_unwrap("1.2.840.113549.1.7.2");
/// id-ct-TSTInfo.
pub(crate) const TST_INFO: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// id-data.
pub(crate) const DATA: Oid = Oid::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: Oid = Oid::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: Oid = Oid::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: Oid = Oid::new_unwrap("1.2.840.113549.1.9.5");
const SIGNING_CERTIFICATE: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SIGNATURE_TIME_STAMP: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.2.14");
const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";

/// RFC 5652 §5.1, with certificates and CRLs kept byte for byte.
#[derive(Clone, Debug, Sequence)]
struct SignedData {
    version: CmsVersion,
    digest_algorithms: SetOfVec<AlgorithmIdentifierOwned>,
    content: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    crls: Option<SetOfVec<Any>>,
    signers: SetOfVec<SignerInfo>,
}

/// ESSCertIDv2 (RFC 5035 §4), less the issuer and serial number, which bind nothing that the digest
/// does not.
#[derive(Clone, Debug, Sequence)]
struct EssCertIdV2 {
    #[asn1(optional = "true")]
    algorithm: Option<AlgorithmIdentifierOwned>,
    digest: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

/// ESSCertID (RFC 2634 §5.4.1): by SHA-1.
#[derive(Clone, Debug, Sequence)]
struct EssCertId {
    digest: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

/// SigningCertificate (RFC 2634 §5.4), which older time-stamping authorities still write.
#[derive(Clone, Debug, Sequence)]
struct SigningCertificate {
    certs: Vec<EssCertId>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

/// SigningCertificateV2 (RFC 5035 §3).
#[derive(Clone, Debug, Sequence)]
struct SigningCertificateV2 {
    certs: Vec<EssCertIdV2>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

fn bad(fault: CmsFault) -> CertError {
    CertError::Cms(fault)
}

fn malformed(error: impl std::fmt::Display) -> CertError {
    bad(CmsFault::Ber { detail: error.to_string() })
}

fn oid(text: &str) -> Result<Oid, CertError> {
    Oid::new(text).map_err(malformed)
}

fn algorithm(text: &str) -> Result<AlgorithmIdentifierOwned, CertError> {
    Ok(AlgorithmIdentifierOwned { oid: oid(text)?, parameters: None })
}

fn attribute(kind: Oid, value: Any) -> Result<Attribute, CertError> {
    let values = SetOfVec::try_from(vec![value]).map_err(malformed)?;
    Ok(Attribute { oid: kind, values })
}

/// What is to be signed.
pub(crate) struct Signing<'a> {
    /// The content's type.
    pub kind: Oid,
    /// The content, when it is to stand inside.
    pub attached: Option<&'a [u8]>,
    /// The SHA-256 of the content.
    pub digest: &'a [u8],
    /// The claimed signing time, if it is to be stated, in seconds since 1970 UTC.
    pub signing_time: Option<i64>,
    /// Whether the signer's certificates are to stand inside.
    pub certificates: bool,
}

/// Signs: one signer, SHA-256 digests, signing-certificate-v2.
pub(crate) fn sign(what: &Signing<'_>, by: &Credential) -> Result<Vec<u8>, CertError> {
    let own = by.chain().first().ok_or(CertError::NoCertificate)?;
    let any = |der: der::Result<Any>| der.map_err(malformed);
    let digest = Any::encode_from(&OctetString::new(what.digest).map_err(malformed)?);
    let id = EssCertIdV2 {
        algorithm: None,
        digest: OctetString::new(HashAlgorithm::Sha256.digest(own.der())).map_err(malformed)?,
        issuer_serial: None,
    };
    let id = SigningCertificateV2 { certs: vec![id], policies: None };
    let mut attributes = vec![
        attribute(CONTENT_TYPE, any(Any::encode_from(&what.kind))?)?,
        attribute(MESSAGE_DIGEST, any(digest)?)?,
        attribute(SIGNING_CERTIFICATE_V2, any(Any::encode_from(&id))?)?,
    ];
    if let Some(at) = what.signing_time {
        let at = std::time::Duration::from_secs(u64::try_from(at).map_err(malformed)?);
        let time = UtcTime::from_unix_duration(at).map_err(malformed)?;
        attributes.push(attribute(SIGNING_TIME, any(Any::encode_from(&time))?)?);
    }
    let attributes = SetOfVec::try_from(attributes).map_err(malformed)?;
    // What is signed is the DER of the SET, not of the tagged field (RFC 5652 §5.4).
    let signature = by.key().sign_der(&attributes.to_der().map_err(malformed)?)?;
    let raw = RawCertificate::from_der(own.der()).map_err(malformed)?;
    let tbs = raw.tbs_certificate();
    // With Ed25519 the digest of the signed attributes' content would be SHA-512 (RFC 8419 §3.1 asks it
    // of the message digest); we state what we use, and verifiers go by what is stated.
    let scheme = match by.key().public_key() {
        PublicKey::P256(_) => "1.2.840.10045.4.3.2",
        PublicKey::P384(_) => "1.2.840.10045.4.3.3",
        PublicKey::Ed25519(_) | PublicKey::Rsa(_) => "1.3.101.112",
    };
    let digest_alg = algorithm(HashAlgorithm::Sha256.oid())?;
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: tbs.issuer().clone(),
            serial_number: tbs.serial_number().clone(),
        }),
        digest_alg: digest_alg.clone(),
        signed_attrs: Some(attributes),
        signature_algorithm: algorithm(scheme)?,
        signature: OctetString::new(signature).map_err(malformed)?,
        unsigned_attrs: None,
    };
    let attached = what.attached.map(|content| {
        let content = OctetStringRef::new(content)?;
        Any::encode_from(&content)
    });
    let certificates = by.chain().iter().filter(|_| what.certificates);
    let certificates = certificates.map(|c| Any::from_der(c.der()).map_err(malformed));
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let data = SignedData {
        version: if what.kind == DATA { CmsVersion::V1 } else { CmsVersion::V3 },
        digest_algorithms: SetOfVec::try_from(vec![digest_alg]).map_err(malformed)?,
        content: EncapsulatedContentInfo {
            econtent_type: what.kind,
            econtent: attached.transpose().map_err(malformed)?,
        },
        certificates: (!certificates.is_empty())
            .then(|| SetOfVec::try_from(certificates))
            .transpose()
            .map_err(malformed)?,
        crls: None,
        signers: SetOfVec::try_from(vec![signer]).map_err(malformed)?,
    };
    wrap(&data)
}

fn wrap(data: &SignedData) -> Result<Vec<u8>, CertError> {
    let content = Any::encode_from(data).map_err(malformed)?;
    ContentInfo { content_type: SIGNED_DATA, content }.to_der().map_err(malformed)
}

/// CMS signed data as it was read. Reading verifies nothing.
#[derive(Debug, Clone)]
pub struct SignedCms {
    data: SignedData,
    content: Option<Vec<u8>>,
    certificates: Vec<Certificate>,
    crls: Vec<Crl>,
}

impl SignedCms {
    /// Reads a ContentInfo of signed data, in DER or in BER (RFC 5652 §5.1): see [`ber_to_der`].
    ///
    /// # Errors
    /// [`CertError::Cms`], saying why.
    pub fn from_der(der: &[u8]) -> Result<Self, CertError> {
        if der.len() > MAX_CMS {
            return Err(bad(CmsFault::Size));
        }
        let der = ber_to_der(der)?;
        let info = ContentInfo::from_der(&der).map_err(malformed)?;
        if info.content_type != SIGNED_DATA {
            return Err(bad(CmsFault::NoSignedData));
        }
        let data: SignedData = info.content.decode_as().map_err(malformed)?;
        let content = match &data.content.econtent {
            None => None,
            Some(content) if content.tag() == Tag::OctetString => Some(content.value().to_vec()),
            Some(_) => return Err(bad(CmsFault::ContentKind)),
        };
        let items = |set: &Option<SetOfVec<Any>>| {
            let items = set.iter().flat_map(SetOfVec::iter).filter(|i| i.tag() == Tag::Sequence);
            items.take(MAX_ITEMS).filter_map(|item| item.to_der().ok()).collect::<Vec<_>>()
        };
        if data.signers.is_empty() || data.signers.len() > MAX_ITEMS {
            return Err(bad(CmsFault::Signers { count: data.signers.len() }));
        }
        // What cannot be read cannot help to verify; it does no harm either.
        let certificates = items(&data.certificates);
        let certificates = certificates.iter().filter_map(|der| Certificate::from_der(der).ok());
        let crls = items(&data.crls).iter().filter_map(|der| Crl::from_der(der).ok()).collect();
        Ok(Self { certificates: certificates.collect(), crls, content, data })
    }

    /// The type of its content, as an object identifier.
    pub fn content_type(&self) -> String {
        self.data.content.econtent_type.to_string()
    }

    /// Its content, when that is inside.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    /// Whether it has no content of its own, or this one: what it shows is what it signs.
    pub fn holds(&self, content: &[u8]) -> bool {
        self.content.as_ref().is_none_or(|own| own == content)
    }

    /// Whether its content is said to be that of a time-stamp (RFC 3161 §2.4.2).
    pub fn is_time_stamp(&self) -> bool {
        self.data.content.econtent_type == TST_INFO
    }

    /// The certificates that came with it, in no order that means anything.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The CRLs that came with it.
    pub fn crls(&self) -> &[Crl] {
        &self.crls
    }

    /// The number of signers.
    pub fn signers(&self) -> usize {
        self.data.signers.len()
    }

    fn signer(&self, index: usize) -> Result<&SignerInfo, CertError> {
        self.data.signers.get(index).ok_or_else(|| bad(CmsFault::NoSuchSigner))
    }

    /// Verifies a signer's signature over a content of this type, and says whose certificate it names:
    /// one among its own certificates or `others`. The certificate's path is not looked at.
    ///
    /// # Errors
    /// [`CertError::Cms`] when the structure is not acceptable or no certificate fits,
    /// [`CertError::Crypto`] when digest or signature are wrong.
    pub fn verify(
        &self,
        index: usize,
        content: &[u8],
        others: &[Certificate],
    ) -> Result<Certificate, CertError> {
        let signer = self.signer(index)?;
        if !self.holds(content) {
            return Err(bad(CmsFault::OtherContent));
        }
        let hash = HashAlgorithm::from_oid(&signer.digest_alg.oid.to_string());
        let hash = hash.ok_or_else(|| bad(refused_algorithm(signer.digest_alg.oid)))?;
        let attributes = self.signed_attributes(index)?;
        let kind: Oid = attributes.one(CONTENT_TYPE)?;
        if kind != self.data.content.econtent_type {
            return Err(bad(CmsFault::ContentType));
        }
        let digest: OctetString = attributes.one(MESSAGE_DIGEST)?;
        if !same(digest.as_bytes(), &hash.digest(content)) {
            return Err(CryptoError::BadSignature.into());
        }
        let certificate = self.certificate_of(signer, &attributes, others)?;
        let key = certificate
            .public_key()
            .ok_or_else(|| bad(CmsFault::KeyKind { kind: certificate.key_kind().to_owned() }))?;
        let scheme = scheme(&signer.signature_algorithm, hash)
            .ok_or_else(|| bad(refused_algorithm(signer.signature_algorithm.oid)))?;
        key.verify_der(scheme, &attributes.der, signer.signature.as_bytes())?;
        Ok(certificate.clone())
    }

    /// What a signer signed by that is not accepted here, if there is such: then nothing is known of the signature.
    pub fn unsupported(&self, index: usize) -> Option<CmsFault> {
        let signer = self.signer(index).ok()?;
        let Some(hash) = HashAlgorithm::from_oid(&signer.digest_alg.oid.to_string()) else {
            return Some(refused_algorithm(signer.digest_alg.oid));
        };
        let known = scheme(&signer.signature_algorithm, hash).is_some();
        (!known).then(|| refused_algorithm(signer.signature_algorithm.oid))
    }

    fn signed_attributes(&self, index: usize) -> Result<Attributes, CertError> {
        let signer = self.signer(index)?;
        let set = signer.signed_attrs.as_ref();
        let set = set.ok_or_else(|| bad(CmsFault::NoSignedAttributes))?;
        Ok(Attributes { der: set.to_der().map_err(malformed)?, set: set.clone() })
    }

    /// The certificate that a signer names and that its signed attributes bind.
    fn certificate_of<'a>(
        &'a self,
        signer: &SignerInfo,
        attributes: &Attributes,
        others: &'a [Certificate],
    ) -> Result<&'a Certificate, CertError> {
        let named = |certificate: &&Certificate| match &signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(id) => {
                let serial = id.serial_number.as_bytes();
                hex::decode(certificate.serial()).is_ok_and(|own| trim(&own) == trim(serial))
                    && id.issuer.to_der().is_ok_and(|issuer| issuer == certificate.0.issuer_der)
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => {
                certificate.0.subject_key_id.as_deref() == Some(id.0.as_bytes())
            }
        };
        let mut all = self.certificates.iter().chain(others).filter(named);
        if attributes.has(SIGNING_CERTIFICATE_V2) {
            let signed: SigningCertificateV2 = attributes.one(SIGNING_CERTIFICATE_V2)?;
            let id = signed.certs.first().ok_or_else(|| bad(CmsFault::BindsNone))?;
            let hash = match &id.algorithm {
                None => Some(HashAlgorithm::Sha256),
                Some(algorithm) => HashAlgorithm::from_oid(&algorithm.oid.to_string()),
            };
            let hash = hash.ok_or_else(|| bad(CmsFault::WeakBinding))?;
            let bound = |c: &&Certificate| same(&hash.digest(c.der()), id.digest.as_bytes());
            return all.find(bound).ok_or_else(|| bad(CmsFault::BoundMissing));
        }
        if attributes.has(SIGNING_CERTIFICATE) {
            let signed: SigningCertificate = attributes.one(SIGNING_CERTIFICATE)?;
            let id = signed.certs.first().ok_or_else(|| bad(CmsFault::BindsNone))?;
            // SHA-1 tells apart certificates of one issuer and serial number, no more; whose key it is and
            // who vouches for it is shown by signatures over stronger digests.
            let bound = |c: &&Certificate| {
                same(&chancery_crypto::sha1_of_certificate(c.der()), id.digest.as_bytes())
            };
            return all.find(bound).ok_or_else(|| bad(CmsFault::BoundMissing));
        }
        all.next().ok_or_else(|| bad(CmsFault::SignerMissing))
    }

    /// Whether a signer's signature binds the certificate (signing-certificate or -v2), which CAdES and
    /// RFC 3161 ask for.
    ///
    /// # Errors
    /// [`CertError::Cms`] when there is no such signer.
    pub fn binds_certificate(&self, index: usize) -> Result<bool, CertError> {
        let attributes = self.signed_attributes(index)?;
        Ok(attributes.has(SIGNING_CERTIFICATE_V2) || attributes.has(SIGNING_CERTIFICATE))
    }

    /// The signing time that a signer claims, in seconds since 1970 UTC.
    pub fn signing_time(&self, index: usize) -> Option<i64> {
        let attributes = self.signed_attributes(index).ok()?;
        let time: x509_cert::time::Time = attributes.one(SIGNING_TIME).ok()?;
        i64::try_from(time.to_unix_duration().as_secs()).ok()
    }

    /// A signer's signature value, which signature time-stamps cover.
    ///
    /// # Errors
    /// [`CertError::Cms`] when there is no such signer.
    pub fn signature_value(&self, index: usize) -> Result<&[u8], CertError> {
        self.signer(index).map(|signer| signer.signature.as_bytes())
    }

    /// The signature time-stamps (ETSI EN 319 122-1 §5.3) of a signer, as DER tokens.
    pub fn time_stamps(&self, index: usize) -> Vec<Vec<u8>> {
        let unsigned = self.signer(index).ok().and_then(|signer| signer.unsigned_attrs.as_ref());
        let found = unsigned.into_iter().flat_map(SetOfVec::iter);
        let found = found.filter(|a| a.oid == SIGNATURE_TIME_STAMP).flat_map(|a| a.values.iter());
        found.filter_map(|value| value.to_der().ok()).collect()
    }

    /// The same with a signature time-stamp added to a signer, as DER.
    ///
    /// # Errors
    /// [`CertError::Cms`].
    pub fn with_time_stamp(&self, index: usize, token: &[u8]) -> Result<Vec<u8>, CertError> {
        let mut data = self.data.clone();
        let mut signers = data.signers.into_vec();
        let signer = signers.get_mut(index).ok_or_else(|| bad(CmsFault::NoSuchSigner))?;
        let mut unsigned = signer.unsigned_attrs.take().map(SetOfVec::into_vec).unwrap_or_default();
        unsigned.push(attribute(SIGNATURE_TIME_STAMP, Any::from_der(token).map_err(malformed)?)?);
        signer.unsigned_attrs = Some(SetOfVec::try_from(unsigned).map_err(malformed)?);
        data.signers = SetOfVec::try_from(signers).map_err(malformed)?;
        wrap(&data)
    }
}

/// A CAdES-B signature (ETSI EN 319 122-1 §6) over a detached content.
///
/// # Errors
/// [`CertError`] when signing fails.
pub fn sign_cades(content: &[u8], by: &Credential, now: i64) -> Result<Vec<u8>, CertError> {
    let signing = Signing {
        kind: DATA,
        attached: None,
        digest: &HashAlgorithm::Sha256.digest(content),
        signing_time: Some(now),
        certificates: true,
    };
    sign(&signing, by)
}

struct Attributes {
    der: Vec<u8>,
    set: SetOfVec<Attribute>,
}

impl Attributes {
    fn has(&self, kind: Oid) -> bool {
        self.set.iter().any(|a| a.oid == kind)
    }

    /// The one value of the one attribute of a kind (RFC 5652 §11).
    fn one<T>(&self, kind: Oid) -> Result<T, CertError>
    where
        T: for<'a> der::Decode<'a, Error = der::Error>,
    {
        let mut found = self.set.iter().filter(|a| a.oid == kind);
        let wrong = || bad(CmsFault::Attribute { oid: kind.to_string() });
        let (Some(attribute), None) = (found.next(), found.next()) else { return Err(wrong()) };
        if attribute.values.len() != 1 {
            return Err(wrong());
        }
        let value = attribute.values.get(0).ok_or_else(wrong)?;
        T::from_der(&value.to_der().map_err(malformed)?).map_err(malformed)
    }
}

/// Both are digests of public bytes; the comparison is constant-time all the same.
fn same(left: &[u8], right: &[u8]) -> bool {
    chancery_crypto::equal(left, right)
}

/// An INTEGER's digits without leading zeros.
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn refused_algorithm(oid: Oid) -> CmsFault {
    CmsFault::Algorithm { oid: oid.to_string() }
}

/// The scheme of a signature algorithm, which may be named by the key's kind alone.
fn scheme(algorithm: &AlgorithmIdentifierOwned, hash: HashAlgorithm) -> Option<SignatureScheme> {
    match (algorithm.oid.to_string().as_str(), hash) {
        (RSA, HashAlgorithm::Sha256) => Some(SignatureScheme::RsaPkcs1Sha256),
        (RSA, HashAlgorithm::Sha384) => Some(SignatureScheme::RsaPkcs1Sha384),
        (RSA, HashAlgorithm::Sha512) => Some(SignatureScheme::RsaPkcs1Sha512),
        (EC, HashAlgorithm::Sha256) => Some(SignatureScheme::EcdsaSha256),
        (EC, HashAlgorithm::Sha384) => Some(SignatureScheme::EcdsaSha384),
        _ => scheme_of_algorithm(algorithm),
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{Algorithm, SigningKey};

    use super::*;
    use crate::{Issuer, Profile, Subject};

    const NOW: i64 = 1_790_000_000;

    #[test]
    fn a_signature_holds_for_its_content_kind_and_certificate_only() {
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
            let key = SigningKey::generate(algorithm).expect("random bytes");
            let subject = Subject::agency(Profile::Seal, "a.gov.cn".parse().expect("a name"), "A");
            let made = root.issue(&subject, &key.public_key(), NOW).expect("issues");
            let by = Credential::new(key, vec![made.clone()]).expect("fits");
            let der = sign_cades(b"content", &by, NOW).expect("signs");
            let cms = SignedCms::from_der(&der).expect("reads");
            assert_eq!(cms.verify(0, b"content", &[]).expect("holds"), made);
            assert_eq!(cms.signing_time(0), Some(NOW));
            assert!(cms.binds_certificate(0).expect("is there"));
            let wrong = cms.verify(0, b"other", &[]);
            assert!(matches!(wrong, Err(CertError::Crypto(CryptoError::BadSignature))));
            assert!(cms.verify(1, b"content", &[]).is_err());

            // Another kind of content than the one that was signed.
            let mut other = cms.clone();
            other.data.content.econtent_type = SIGNED_DATA;
            assert!(matches!(other.verify(0, b"content", &[]), Err(CertError::Cms(_))));

            // Another certificate of the same issuer, serial number and key: its last byte differs.
            let signing = Signing {
                kind: DATA,
                attached: None,
                digest: &HashAlgorithm::Sha256.digest(b"content"),
                signing_time: None,
                certificates: false,
            };
            let bare = SignedCms::from_der(&sign(&signing, &by).expect("signs")).expect("reads");
            let mut der = made.der().to_vec();
            *der.last_mut().expect("bytes") ^= 1;
            let twin = Certificate::from_der(&der).expect("reads");
            assert!(bare.verify(0, b"content", &[]).is_err());
            assert!(bare.verify(0, b"content", std::slice::from_ref(&twin)).is_err());
            assert_eq!(bare.verify(0, b"content", &[twin, made.clone()]).expect("holds"), made);
        }
    }

    #[test]
    fn a_time_stamp_is_added_beside_what_is_signed() {
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let subject = Subject::agency(Profile::Seal, "a.gov.cn".parse().expect("a name"), "A");
        let made = root.issue(&subject, &key.public_key(), NOW).expect("issues");
        let by = Credential::new(key, vec![made]).expect("fits");
        let der = sign_cades(b"content", &by, NOW).expect("signs");
        let cms = SignedCms::from_der(&der).expect("reads");
        let stamped = cms.with_time_stamp(0, &der).expect("adds");
        let stamped = SignedCms::from_der(&stamped).expect("reads");
        assert_eq!(stamped.time_stamps(0), [der]);
        assert!(stamped.verify(0, b"content", &[]).is_ok());
    }
}
