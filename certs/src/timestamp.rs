//! Time-stamps (RFC 3161 with RFC 5816): requests, responses, tokens, and a small authority.

use chancery_crypto::HashAlgorithm;
use der::{
    Any, Decode as _, Encode as _, Sequence, Tag, Tagged as _,
    asn1::{Int, ObjectIdentifier as Oid, OctetString},
};
use spki::AlgorithmIdentifierOwned;

use crate::{
    CertError, Certificate, Credential, Crl, PathFault, Purpose, RefusalFault, SignedCms,
    TimeStampFault, TrustStore, ValidPath,
    ber::ber_to_der,
    cms::{Signing, TST_INFO, sign},
    encoding::{OCTET_STRING, element},
    oid::ObjectId,
    path::{RevocationCheck, SignatureBudget, path_error},
};

/// The largest answer that is read, in bytes.
const MAX_TIME_STAMP_REPLY: usize = 1 << 20;
/// The largest request that is read, in bytes.
pub const MAX_TIME_STAMP_REQUEST: usize = 16 * 1024;

/// RFC 3161 §2.4.1.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct MessageImprint {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

/// RFC 3161 §2.4.1.
#[derive(Clone, Debug, Sequence)]
struct TimeStampReq {
    version: u8,
    imprint: MessageImprint,
    #[asn1(optional = "true")]
    policy: Option<ObjectId>,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(default = "no")]
    cert_req: bool,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    extensions: Option<Vec<Any>>,
}

/// RFC 3161 §2.4.2. The time is kept as it stands, since it may have fractions of a second.
#[derive(Clone, Debug, Sequence)]
struct TstInfo {
    version: u8,
    policy: ObjectId,
    imprint: MessageImprint,
    serial: Int,
    time: GeneralizedTime,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
    #[asn1(default = "no")]
    ordering: bool,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    tsa: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    extensions: Option<Vec<Any>>,
}

#[derive(Clone, Debug, Sequence)]
struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u32>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

/// A GeneralizedTime that may have fractions of a second (RFC 3161 §2.4.2), which are cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
struct GeneralizedTime(i64);

impl der::FixedTag for GeneralizedTime {
    const TAG: Tag = Tag::GeneralizedTime;
}

impl<'a> der::DecodeValue<'a> for GeneralizedTime {
    type Error = der::Error;

    fn decode_value<R: der::Reader<'a>>(reader: &mut R, header: der::Header) -> der::Result<Self> {
        let bytes = reader.read_vec(header.length())?;
        parse_time(&bytes).map(Self).ok_or_else(|| Tag::GeneralizedTime.value_error().into())
    }
}

impl der::EncodeValue for GeneralizedTime {
    fn value_len(&self) -> der::Result<der::Length> {
        der::Length::try_from(15usize)
    }

    fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
        let time = time::OffsetDateTime::from_unix_timestamp(self.0)
            .map_err(|_| der::Error::from(Tag::GeneralizedTime.value_error()))?;
        let (date, clock) = (time.date(), time.time());
        let text = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        );
        writer.write(text.as_bytes())
    }
}

/// `YYYYMMDDhhmmss[.f+]Z`, in seconds since 1970 UTC.
fn parse_time(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    // DER: no fraction that is empty or ends in zero (X.690 §11.7).
    let fits = fraction.is_none_or(|f| !f.is_empty() && f.len() < 16 && digits(f));
    if whole.len() != 14 || !digits(whole) || !fits {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<u16>().ok();
    let small = |from: usize| u8::try_from(number(from, from + 2)?).ok();
    let month = time::Month::try_from(small(4)?).ok()?;
    let date = time::Date::from_calendar_date(i32::from(number(0, 4)?), month, small(6)?).ok()?;
    let clock = time::Time::from_hms(small(8)?, small(10)?, small(12)?).ok()?;
    Some(time::PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp())
}

fn no() -> bool {
    false
}

#[derive(Clone, Debug, Sequence)]
struct PkiStatusInfo {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<Any>>,
    #[asn1(optional = "true")]
    failure: Option<der::asn1::BitString>,
}

#[derive(Clone, Debug, Sequence)]
struct TimeStampResp {
    status: PkiStatusInfo,
    #[asn1(optional = "true")]
    token: Option<Any>,
}

fn bad(fault: TimeStampFault) -> CertError {
    CertError::TimeStamp(fault)
}

fn malformed(error: impl std::fmt::Display) -> CertError {
    bad(TimeStampFault::Der { detail: error.to_string() })
}

/// A request for a time-stamp that is on its way.
#[derive(Debug, Clone)]
pub struct TimeStampRequest {
    imprint: MessageImprint,
    nonce: Int,
    der: Vec<u8>,
}

impl TimeStampRequest {
    /// Asks for a time-stamp on some bytes, by their SHA-256, with a nonce and the authority's
    /// certificate in the answer.
    ///
    /// # Errors
    /// [`CertError::Crypto`] when there are no random bytes.
    pub fn new(data: &[u8]) -> Result<Self, CertError> {
        let hash = HashAlgorithm::Sha256;
        let algorithm = Oid::new(hash.oid()).map_err(malformed)?;
        let imprint = MessageImprint {
            algorithm: AlgorithmIdentifierOwned { oid: algorithm, parameters: None },
            digest: OctetString::new(hash.digest(data)).map_err(malformed)?,
        };
        let mut nonce = chancery_crypto::random::<16>()?;
        if let Some(first) = nonce.first_mut() {
            // Positive, and with no leading zero.
            *first = (*first & 0x7f) | 0x40;
        }
        let nonce = Int::new(&nonce).map_err(malformed)?;
        let request = TimeStampReq {
            version: 1,
            imprint: imprint.clone(),
            policy: None,
            nonce: Some(nonce.clone()),
            cert_req: true,
            extensions: None,
        };
        let der = request.to_der().map_err(malformed)?;
        Ok(Self { imprint, nonce, der })
    }

    /// The request's DER (`application/timestamp-query`).
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Takes the token out of the answer (`application/timestamp-reply`), and checks that it answers
    /// this very request. Who signed it is not looked at; see [`TimeStampToken::verify`].
    ///
    /// # Errors
    /// [`CertError::TimeStamp`] when the authority refuses, or answers something else.
    pub fn accept(&self, response: &[u8]) -> Result<TimeStampToken, CertError> {
        if response.len() > MAX_TIME_STAMP_REPLY {
            return Err(bad(TimeStampFault::AnswerSize));
        }
        let response = TimeStampResp::from_der(&ber_to_der(response)?).map_err(malformed)?;
        // granted or grantedWithMods (RFC 3161 §2.4.2).
        if response.status.status > 1 {
            let text = response.status.text.iter().flatten().next();
            let text = text.map(|t| String::from_utf8_lossy(t.value()).into_owned());
            let status = response.status.status;
            return Err(bad(TimeStampFault::Refused { status, text }));
        }
        let token = response.token.ok_or_else(|| bad(TimeStampFault::NoToken))?;
        let token = TimeStampToken::from_der(&token.to_der().map_err(malformed)?)?;
        if token.info.imprint != self.imprint && !token.has_imprint(&self.imprint) {
            return Err(bad(TimeStampFault::OtherBytes));
        }
        if token.info.nonce.as_ref() != Some(&self.nonce) {
            return Err(bad(TimeStampFault::Nonce));
        }
        Ok(token)
    }
}

/// A time-stamp token: read, not yet verified.
#[derive(Debug, Clone)]
pub struct TimeStampToken {
    der: Vec<u8>,
    cms: SignedCms,
    content: Vec<u8>,
    info: TstInfo,
    hash: HashAlgorithm,
}

/// Whose time-stamp it is.
#[derive(Debug, Clone)]
pub struct VerifiedTimeStamp {
    /// The authority, for people.
    pub authority: String,
    /// Its certificate's path.
    pub path: ValidPath,
}

impl TimeStampToken {
    /// Reads a token: a ContentInfo in DER, or in BER but for what is signed (RFC 3161 §2.4.2).
    ///
    /// # Errors
    /// [`CertError::TimeStamp`] or [`CertError::Cms`], saying why.
    pub fn from_der(der: &[u8]) -> Result<Self, CertError> {
        let der = ber_to_der(der)?;
        let cms = SignedCms::from_der(&der)?;
        if !cms.is_time_stamp() {
            return Err(bad(TimeStampFault::NoStamp));
        }
        let content = cms.content().ok_or_else(|| bad(TimeStampFault::Empty))?.to_vec();
        let info = TstInfo::from_der(&content).map_err(malformed)?;
        if info.policy.tag() != Tag::ObjectIdentifier {
            return Err(bad(TimeStampFault::Policy));
        }
        if info.version != 1 || cms.signers() != 1 {
            return Err(bad(TimeStampFault::Version));
        }
        let hash = HashAlgorithm::from_oid(&info.imprint.algorithm.oid.to_string());
        let hash = hash.ok_or_else(|| bad(TimeStampFault::Digest))?;
        if info.imprint.digest.as_bytes().len() != hash.digest_len() {
            return Err(bad(TimeStampFault::DigestLength));
        }
        // A critical extension that is not known here: there are none that are.
        let critical = |extension: &Any| {
            let id = element(extension.value());
            !id.and_then(|(_, _, rest)| element(rest)).is_ok_and(|(tag, ..)| tag == OCTET_STRING)
        };
        if info.extensions.iter().flatten().any(critical) {
            return Err(bad(TimeStampFault::CriticalExtension));
        }
        Ok(Self { der, cms, content, info, hash })
    }

    /// The token's DER, however it came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The latest moment that the token allows for, in seconds since 1970 UTC: its time and, rounded up,
    /// its accuracy.
    pub fn time(&self) -> i64 {
        let margin = self.info.accuracy.as_ref().map_or(0, |accuracy| {
            let below = accuracy.millis.unwrap_or(0) > 0 || accuracy.micros.unwrap_or(0) > 0;
            i64::from(accuracy.seconds.unwrap_or(0)) + i64::from(below)
        });
        self.info.time.0.saturating_add(margin)
    }

    /// Its serial number in hexadecimal.
    pub fn serial(&self) -> String {
        hex::encode(self.info.serial.as_bytes())
    }

    /// The certificates that came with it.
    pub fn certificates(&self) -> &[Certificate] {
        self.cms.certificates()
    }

    fn has_imprint(&self, imprint: &MessageImprint) -> bool {
        // NULL parameters or none: both are in use and mean the same (RFC 5754 §2).
        let null = |algorithm: &AlgorithmIdentifierOwned| {
            algorithm.parameters.as_ref().is_none_or(|p| p.tag() == Tag::Null)
        };
        let own = &self.info.imprint;
        own.algorithm.oid == imprint.algorithm.oid
            && own.digest == imprint.digest
            && null(&own.algorithm)
            && null(&imprint.algorithm)
    }

    /// Whether it is a time-stamp of these bytes.
    pub fn covers(&self, data: &[u8]) -> bool {
        chancery_crypto::equal(&self.hash.digest(data), self.info.imprint.digest.as_bytes())
    }

    /// The certificate of the authority, once its signature is verified. Its path is not looked at.
    ///
    /// # Errors
    /// [`CertError::Cms`] or [`CertError::Crypto`].
    pub fn signer(&self, others: &[Certificate]) -> Result<Certificate, CertError> {
        if !self.cms.binds_certificate(0)? {
            return Err(bad(TimeStampFault::NotBound));
        }
        self.cms.verify(0, &self.content, others)
    }

    /// Verifies the authority's signature and path: a certificate for time-stamping only, valid at `at`
    /// (seconds since 1970 UTC), under an anchor, and not revoked as far as `revocation` is asked.
    ///
    /// # Errors
    /// [`CertError`], with [`CertError::Path`] for what the path lacks.
    pub fn verify(
        &self,
        trust: &TrustStore,
        others: &[Certificate],
        revocation: &RevocationCheck<'_>,
        at: i64,
    ) -> Result<VerifiedTimeStamp, CertError> {
        self.verify_within(trust, others, revocation, at, &SignatureBudget::asking(revocation))
    }

    /// As [`TimeStampToken::verify`], with a bound on what may be checked, which several questions may share.
    ///
    /// # Errors
    /// As [`TimeStampToken::verify`].
    pub fn verify_within(
        &self,
        trust: &TrustStore,
        others: &[Certificate],
        revocation: &RevocationCheck<'_>,
        at: i64,
        budget: &SignatureBudget,
    ) -> Result<VerifiedTimeStamp, CertError> {
        let signer = self.signer(others)?;
        let pool: Vec<_> = self.cms.certificates().iter().chain(others).cloned().collect();
        let stamping = Purpose::TimeStamp;
        let path = trust.validate_by_within(&signer, &pool, revocation, at, stamping, budget)?;
        let valid = signer.not_before()..=signer.not_after();
        if !valid.contains(&self.info.time.0) {
            let error = path_error(crate::PathReason::Expired, PathFault::OutsideAuthority);
            return Err(CertError::Path(error));
        }
        Ok(VerifiedTimeStamp { authority: signer.subject().to_owned(), path })
    }

    /// The CRLs that came with it.
    pub fn crls(&self) -> &[Crl] {
        self.cms.crls()
    }
}

/// What an authority answers, and how it is to be logged.
#[derive(Debug, Clone)]
pub struct TimeStampAnswer {
    /// The response's DER (`application/timestamp-reply`).
    pub der: Vec<u8>,
    /// The serial number in hexadecimal, when a token was granted.
    pub serial: Option<String>,
}

/// A small time-stamping authority.
#[derive(Debug)]
pub struct TimeStampAuthority {
    credential: Credential,
    policy: ObjectId,
}

impl TimeStampAuthority {
    /// An authority with its key and chain, under a policy's object identifier.
    ///
    /// # Errors
    /// [`CertError::Refused`] when the certificate is not for time-stamping, or the policy is no object
    /// identifier.
    pub fn new(credential: Credential, policy: &str) -> Result<Self, CertError> {
        let own = credential.chain().first().ok_or(CertError::NoCertificate)?;
        crate::path::check_time_stamping(own).map_err(|e| RefusalFault::Usage(e.fault))?;
        let policy = ObjectId::parse(policy)
            .ok_or_else(|| RefusalFault::NoObjectId { given: policy.to_owned() })?;
        Ok(Self { credential, policy })
    }

    /// Answers a request at a time in seconds since 1970 UTC: with a token, or with a refusal that says
    /// why (RFC 3161 §2.4.2).
    ///
    /// # Errors
    /// [`CertError`] when signing fails.
    pub fn answer(&self, request: &[u8], now: i64) -> Result<TimeStampAnswer, CertError> {
        const BAD_ALG: u8 = 0;
        const BAD_REQUEST: u8 = 2;
        const BAD_DATA_FORMAT: u8 = 5;
        const UNACCEPTED_POLICY: u8 = 15;
        const UNACCEPTED_EXTENSION: u8 = 16;
        if request.len() > MAX_TIME_STAMP_REQUEST {
            return reject(BAD_REQUEST, "the request is too large");
        }
        let Ok(request) = TimeStampReq::from_der(request) else {
            return reject(BAD_DATA_FORMAT, "the request cannot be read");
        };
        if request.version != 1 {
            return reject(BAD_REQUEST, "only version 1 is answered");
        }
        let hash = HashAlgorithm::from_oid(&request.imprint.algorithm.oid.to_string());
        let Some(hash) = hash else {
            return reject(BAD_ALG, "digests are SHA-256, SHA-384 or SHA-512");
        };
        if request.imprint.digest.as_bytes().len() != hash.digest_len() {
            return reject(BAD_DATA_FORMAT, "the digest has not the length of its algorithm");
        }
        if request.policy.as_ref().is_some_and(|policy| *policy != self.policy) {
            return reject(UNACCEPTED_POLICY, "time-stamps are given under another policy");
        }
        if request.extensions.is_some_and(|list| !list.is_empty()) {
            return reject(UNACCEPTED_EXTENSION, "no extension is known here");
        }
        let mut serial = chancery_crypto::random::<16>()?;
        if let Some(first) = serial.first_mut() {
            *first = (*first & 0x7f) | 0x40;
        }
        let info = TstInfo {
            version: 1,
            policy: self.policy.clone(),
            imprint: request.imprint,
            serial: Int::new(&serial).map_err(malformed)?,
            time: GeneralizedTime(now),
            // The clock is read in whole seconds, so the true time is up to one later.
            accuracy: Some(Accuracy { seconds: Some(1), millis: None, micros: None }),
            ordering: false,
            nonce: request.nonce,
            tsa: None,
            extensions: None,
        };
        let content = info.to_der().map_err(malformed)?;
        let signing = Signing {
            kind: TST_INFO,
            attached: Some(&content),
            digest: &HashAlgorithm::Sha256.digest(&content),
            signing_time: None,
            certificates: request.cert_req,
        };
        let token = Any::from_der(&sign(&signing, &self.credential)?).map_err(malformed)?;
        let status = PkiStatusInfo { status: 0, text: None, failure: None };
        let response = TimeStampResp { status, token: Some(token) };
        let der = response.to_der().map_err(malformed)?;
        Ok(TimeStampAnswer { der, serial: Some(hex::encode(serial)) })
    }
}

/// A rejection with one PKIFailureInfo bit.
fn reject(bit: u8, why: &str) -> Result<TimeStampAnswer, CertError> {
    let bytes = usize::from(bit / 8) + 1;
    let mut flags = vec![0u8; bytes];
    if let Some(last) = flags.last_mut() {
        *last = 0x80 >> (bit % 8);
    }
    let failure = der::asn1::BitString::new(7 - (bit % 8), flags).map_err(malformed)?;
    let text = Any::new(Tag::Utf8String, why.as_bytes()).map_err(malformed)?;
    let status = PkiStatusInfo { status: 2, text: Some(vec![text]), failure: Some(failure) };
    let der = TimeStampResp { status, token: None }.to_der().map_err(malformed)?;
    Ok(TimeStampAnswer { der, serial: None })
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{Algorithm, SigningKey};

    use super::*;
    use crate::{Issuer, Profile, Subject};

    const NOW: i64 = 1_790_000_000;

    fn authority() -> (TimeStampAuthority, TrustStore) {
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let key = SigningKey::generate(Algorithm::Es384).expect("random bytes");
        let name = "tsa.gov.cn".parse().expect("a name");
        let subject = Subject::agency(Profile::Timestamp, name, "TSA");
        let made = root.issue(&subject, &key.public_key(), NOW).expect("issues");
        let credential = Credential::new(key, vec![made]).expect("fits");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        (TimeStampAuthority::new(credential, "1.2.3").expect("an authority"), trust)
    }

    #[test]
    fn an_answer_counts_for_its_very_request_only() {
        let (tsa, trust) = authority();
        let asked = TimeStampRequest::new(b"data").expect("a request");
        let answer = tsa.answer(asked.der(), NOW).expect("signs");
        let token = asked.accept(&answer.der).expect("a token");
        assert!(token.covers(b"data") && !token.covers(b"Data"));
        // The second in which the clock was read may have been over.
        assert_eq!(token.time(), NOW + 1);
        assert_eq!(Some(token.serial()), answer.serial);
        let verified = token.verify(&trust, &[], &RevocationCheck::None, NOW + 1);
        assert_eq!(verified.expect("holds").authority, "TSA");
        // The same data asked about again, and other data.
        for other in [TimeStampRequest::new(b"data"), TimeStampRequest::new(b"other")] {
            let refused = other.expect("a request").accept(&answer.der);
            assert!(matches!(refused, Err(CertError::TimeStamp(_))), "{refused:?}");
        }
    }

    #[test]
    fn what_is_no_good_request_gets_the_standards_refusal() {
        let (tsa, _) = authority();
        let asked = TimeStampRequest::new(b"data").expect("a request");
        let changed = |change: &dyn Fn(&mut TimeStampReq)| {
            let mut request = TimeStampReq::from_der(asked.der()).expect("reads");
            change(&mut request);
            request.to_der().expect("encodes")
        };
        let sha1 = Oid::new_unwrap("1.3.14.3.2.26");
        let other = ObjectId::parse("2.999.1").expect("legal");
        let cases = [
            (changed(&|r| r.version = 2), 2),
            (changed(&|r| r.imprint.algorithm.oid = sha1), 0),
            (changed(&|r| r.imprint.digest = OctetString::new(vec![1; 31]).expect("bytes")), 5),
            (changed(&|r| r.policy = Some(other.clone())), 15),
            (changed(&|r| r.extensions = Some(vec![Any::null()])), 16),
            (b"nothing".to_vec(), 5),
            (vec![0x30; MAX_TIME_STAMP_REQUEST + 1], 2),
        ];
        for (request, bit) in cases {
            let answer = tsa.answer(&request, NOW).expect("an answer");
            assert_eq!(answer.serial, None);
            let response = TimeStampResp::from_der(&answer.der).expect("reads");
            assert_eq!(response.status.status, 2);
            let failure = response.status.failure.expect("a reason");
            let set: Vec<_> = failure.bits().enumerate().filter(|(_, on)| *on).collect();
            assert_eq!(set, [(bit, true)], "{request:?}");
            let error = asked.accept(&answer.der).expect_err("no token");
            assert!(error.to_string().contains("refuses (status 2: "), "{error}");
        }
    }

    #[test]
    fn times_may_have_fractions_and_nothing_else() {
        assert_eq!(parse_time(b"20260921141320Z"), Some(1_790_000_000));
        assert_eq!(parse_time(b"20260921141320.999Z"), Some(1_790_000_000));
        for bad in ["20260921141320", "20260921141320.Z", "2026092114132Z", "20261321141320Z", "Z"]
        {
            assert_eq!(parse_time(bad.as_bytes()), None, "{bad}");
        }
    }
}
