//! The verdict on a container: what each of its signatures covers, and whether that is what lies in it.
//!
//! The order bounds the work: names and manifests first, then signatures, and only under a signature that may hold are
//! the files unpacked, each once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek},
};

use chancery_certs::{CertError, SignedCms};
use chancery_crypto::{Digest, HashAlgorithm, StreamingHash, equal};

use super::{ASIC_E, ASIC_HEADER, Archive, EntryName, MAX_MANIFEST, Manifest, entry_fault};
use crate::{
    ContainerFact, ContainerFault, DocumentBudget, EntryFault, Finding, Indication, ProtocolError,
    SignedDocument, StampFact, SubIndication, TimeStampReport, UnsupportedFault, Validation,
    VerificationReport, unsigned_header,
    validation::{accompanies, verify_stamped_cms, verify_time_stamp},
    verify_document_by,
};

/// Our own signed document, beside the standard's files.
pub const ASIC_DOCUMENT: &str = "META-INF/chancery-document.cose";

/// The largest signature or time-stamp that is read, in bytes.
const MAX_SIGNATURE: u64 = 4 << 20;
/// The most manifests, signers, and references in all manifests together.
const MAX_MANIFESTS: usize = 64;
const MAX_SIGNERS: usize = 64;
const MAX_REFERENCES: usize = 16 * 1024;

/// What was found out about a container.
#[derive(Debug)]
pub struct VerifiedContainer {
    /// The verdict.
    pub report: VerificationReport,
    /// The signed document of ours that it holds.
    pub document: Option<SignedDocument>,
    /// The SHA-256 of each file outside of META-INF, of the bytes that the verdict is about.
    pub files: BTreeMap<EntryName, Digest>,
}

/// What an entry is by its name (EN 319 162-1 §4.4, EN 319 162-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One of the files that the container is for.
    File,
    MimeType,
    Manifest,
    Signature,
    TimeStamp,
    EvidenceManifest,
    EvidenceRecord,
    Xades,
    /// A list of files, as OpenDocument and EPUB have it; it binds nothing.
    Listing,
    Own,
}

impl Kind {
    fn of(name: &EntryName) -> Result<Self, ProtocolError> {
        let Some(file) = name.in_meta_inf() else {
            return Ok(if name.as_str() == "mimetype" { Self::MimeType } else { Self::File });
        };
        if name.as_str() == ASIC_DOCUMENT {
            return Ok(Self::Own);
        }
        // Some write these names in small letters.
        let small = file.to_ascii_lowercase();
        let is = |part: &str, end: &str| small.contains(part) && small.ends_with(end);
        let known = [
            (is("asicevidencerecordmanifest", ".xml"), Self::EvidenceManifest),
            (is("asicmanifest", ".xml") || is("asicarchivemanifest", ".xml"), Self::Manifest),
            (is("signature", ".p7s"), Self::Signature),
            (is("timestamp", ".tst"), Self::TimeStamp),
            (is("evidencerecord", ".ers") || is("evidencerecord", ".xml"), Self::EvidenceRecord),
            (is("signatures", ".xml"), Self::Xades),
            (matches!(&*small, "manifest.xml" | "metadata.xml" | "container.xml"), Self::Listing),
        ];
        let kind = known.into_iter().find_map(|(is, kind)| is.then_some(kind));
        let kind = kind.filter(|_| !file.contains('/'));
        kind.ok_or_else(|| entry_fault(name.as_str(), EntryFault::NotOfMetaInf))
    }
}

/// A manifest and what it says is over it.
struct Over {
    name: EntryName,
    xml: Vec<u8>,
    manifest: Manifest,
    what: What,
}

enum What {
    Signature(SignedCms),
    /// With its bytes.
    TimeStamp(SignedCms, Vec<u8>),
    Missing,
    Unreadable(CertError),
}

/// The digests of files that were unpacked.
#[derive(Default)]
struct Digests(BTreeMap<EntryName, Vec<(HashAlgorithm, Vec<u8>)>>);

impl Digests {
    /// Unpacks a file once, for all digests that are wanted of it.
    fn take<R: Read + Seek>(
        &mut self,
        archive: &mut Archive<R>,
        name: &EntryName,
        wanted: &[HashAlgorithm],
    ) -> Result<(), ProtocolError> {
        if archive.entry(name).is_none() || self.0.contains_key(name) {
            return Ok(());
        }
        let mut hashes: Vec<_> =
            wanted.iter().map(|one| (*one, StreamingHash::new(*one))).collect();
        archive.unpack(name, |bytes| {
            hashes.iter_mut().for_each(|(_, hash)| hash.update(bytes));
            Ok::<_, ProtocolError>(())
        })?;
        let done = hashes.into_iter().map(|(algorithm, hash)| (algorithm, hash.finish()));
        self.0.insert(name.clone(), done.collect());
        Ok(())
    }

    fn of(&self, name: &EntryName, algorithm: HashAlgorithm) -> Option<&[u8]> {
        let all = self.0.get(name)?;
        all.iter().find(|(one, _)| *one == algorithm).map(|(_, digest)| &digest[..])
    }

    fn sha256(&self, name: &EntryName) -> Option<Digest> {
        self.of(name, HashAlgorithm::Sha256).and_then(Digest::from_slice)
    }

    /// Whether the files that a manifest lists are there as it says: `None` for one that is not there.
    fn fit<'a>(
        &'a self,
        manifest: &'a Manifest,
    ) -> impl Iterator<Item = (&'a EntryName, Option<bool>)> {
        manifest.objects.iter().map(|object| {
            let found = self.of(&object.name, object.algorithm);
            (&object.name, found.map(|found| equal(found, &object.digest)))
        })
    }
}

/// Verifies a container: each CAdES signature, the files that it covers, the time-stamps over it, and our own document
/// if there is one. The policy: each signature must pass, and cover every file.
///
/// # Errors
/// [`ProtocolError::Container`] when it is none that has one reading, [`ProtocolError::Unsupported`] when it holds
/// nothing that is read here.
pub fn verify_container<R: Read + Seek>(
    archive: &mut Archive<R>,
    by: &Validation<'_>,
) -> Result<VerifiedContainer, ProtocolError> {
    let names =
        archive.entries().iter().map(|entry| Ok((Kind::of(&entry.name)?, entry.name.clone())));
    let names = names.collect::<Result<Vec<_>, ProtocolError>>()?;
    let of = |kind: Kind| names.iter().filter(move |(k, _)| *k == kind).map(|(_, name)| name);
    let mut report = VerificationReport::new(None, by.at);
    let own = DocumentBudget::new(by.crls);
    let by = &Validation { budget: Some(by.budget.unwrap_or(&own)), ..*by };
    judge_mimetype(archive, &mut report)?;
    let mut manifests = Vec::new();
    let mut references = 0usize;
    for name in of(Kind::Manifest) {
        if manifests.len() == MAX_MANIFESTS {
            return Err(ContainerFault::Manifests { most: MAX_MANIFESTS }.into());
        }
        let one = Over::read(archive, name)?;
        references += one.manifest.objects.len();
        manifests.push(one);
    }
    if references > MAX_REFERENCES {
        return Err(ContainerFault::References { most: MAX_REFERENCES }.into());
    }
    let mut named = BTreeSet::new();
    if let Some(twice) = manifests.iter().find(|one| !named.insert(&one.manifest.signature)) {
        let name = twice.manifest.signature.as_str();
        return Err(entry_fault(name, EntryFault::OverTwo));
    }
    let (stamped, signed): (Vec<_>, Vec<_>) =
        manifests.iter().partition(|one| matches!(one.what, What::TimeStamp(..)));
    if signed.is_empty() {
        check_readable(&names, &stamped)?;
    }
    let signers: usize = signed.iter().map(|one| one.signers()).sum();
    if signers > MAX_SIGNERS {
        return Err(ContainerFault::Signers { most: MAX_SIGNERS }.into());
    }

    let mut digests = Digests::default();
    // Of what lies beside the signatures, all digests at once: it is small.
    let all = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];
    for object in manifests.iter().flat_map(|one| &one.manifest.objects) {
        let small = archive.entry(&object.name).is_some_and(|entry| entry.size <= MAX_SIGNATURE);
        if object.name.in_meta_inf().is_some() && small {
            digests.take(archive, &object.name, &all)?;
        }
    }
    let stamps: Vec<_> = stamped.iter().map(|one| (*one, one.time_stamp(by))).collect();
    let mut judged = Vec::new();
    for one in &signed {
        judged.push(one.judge(&stamps, &digests, by));
    }
    let hopeless =
        !judged.is_empty() && judged.iter().all(|one| one.indication == Indication::TotalFailed);
    let files: Vec<_> = of(Kind::File).cloned().collect();
    if !hopeless {
        let mut wanted: BTreeMap<&EntryName, Vec<HashAlgorithm>> = BTreeMap::new();
        files.iter().for_each(|name| drop(wanted.insert(name, vec![HashAlgorithm::Sha256])));
        for object in manifests.iter().flat_map(|one| &one.manifest.objects) {
            let own = wanted.entry(&object.name).or_default();
            if !own.contains(&object.algorithm) {
                own.push(object.algorithm);
            }
        }
        for (name, algorithms) in wanted {
            digests.take(archive, name, &algorithms)?;
        }
    }

    let mut first = true;
    for one in judged {
        match first {
            true => (report.level, report.revocation_checked) = (one.level, one.revocation_checked),
            false => {
                report.level = report.level.min(one.level);
                report.revocation_checked &= one.revocation_checked;
            }
        }
        first = false;
        report.take(one);
    }
    if signed.is_empty() {
        nobody_signed(&mut report, &stamps, &digests);
    }
    if hopeless {
        report.add(Finding::failed(SubIndication::SigCryptoFailure, ContainerFact::Hopeless));
    } else {
        judge_files(&mut report, &signed, &stamped, &files, &digests);
    }
    beside(&mut report, &names, &named);
    let own = names.iter().any(|(kind, _)| *kind == Kind::Own);
    let document = if own {
        Some(judge_document(
            archive,
            &mut report,
            &signed,
            &files,
            (!hopeless).then_some(&digests),
            by,
        )?)
    } else {
        lacks_document(archive, &mut report)?;
        None
    };
    let files = files.into_iter().filter_map(|name| Some((name.clone(), digests.sha256(&name)?)));
    Ok(VerifiedContainer { report, document, files: files.collect() })
}

impl Over {
    fn read<R: Read + Seek>(
        archive: &mut Archive<R>,
        name: &EntryName,
    ) -> Result<Self, ProtocolError> {
        let xml = archive.bytes(name, MAX_MANIFEST as u64)?;
        let manifest = Manifest::from_xml(&xml)?;
        let over = &manifest.signature;
        if over.in_meta_inf().is_none() {
            return Err(entry_fault(over.as_str(), EntryFault::OutsideMetaInf));
        }
        let what = if archive.entry(over).is_none() {
            What::Missing
        } else {
            let bytes = archive.bytes(over, MAX_SIGNATURE)?;
            match SignedCms::from_der(&bytes) {
                Ok(cms) if cms.is_time_stamp() => What::TimeStamp(cms, bytes),
                Ok(cms) => What::Signature(cms),
                Err(error) => What::Unreadable(error),
            }
        };
        Ok(Self { name: name.clone(), xml, manifest, what })
    }

    fn signers(&self) -> usize {
        if let What::Signature(cms) = &self.what { cms.signers() } else { 0 }
    }

    fn time_stamp(&self, by: &Validation<'_>) -> Option<TimeStampReport> {
        let What::TimeStamp(cms, token) = &self.what else { return None };
        Some(verify_time_stamp(token, cms, &self.xml, by))
    }

    /// The verdict on what is over this manifest, with the time-stamps over that; files are not looked at.
    fn judge(
        &self,
        stamps: &[(&Self, Option<TimeStampReport>)],
        digests: &Digests,
        by: &Validation<'_>,
    ) -> VerificationReport {
        let mut report = VerificationReport::new(None, by.at);
        let over = self.manifest.signature.to_string();
        match &self.what {
            What::Signature(cms) => {
                let mut own = Vec::new();
                for (stamp, judged) in stamps {
                    let Some(judged) = judged else { continue };
                    own.push(stamp.of(&self.manifest.signature, judged, digests));
                }
                report = verify_stamped_cms(cms, &self.xml, &own, by);
            }
            What::Missing => report.add(Finding::open(
                SubIndication::SignedDataNotFound,
                ContainerFact::SignatureMissing { over, manifest: self.name.to_string() },
            )),
            What::Unreadable(error) => report.add(Finding::failed(
                SubIndication::FormatFailure,
                ContainerFact::SignatureUnreadable { over, error: error.clone() },
            )),
            What::TimeStamp(..) => {}
        }
        report
    }

    /// The verdict on a time-stamp of this manifest, as one over a signature: what it lists must be what is there.
    fn of(
        &self,
        signature: &EntryName,
        judged: &TimeStampReport,
        digests: &Digests,
    ) -> TimeStampReport {
        let mut out = judged.clone();
        let listed = digests.fit(&self.manifest).find(|(name, _)| *name == signature);
        let (stamp, over) = (self.manifest.signature.to_string(), signature.to_string());
        let fact = match listed {
            Some((_, Some(true))) => return out,
            Some(_) => StampFact::OtherState { stamp, over },
            None => StampFact::NotListed { stamp, over },
        };
        out.finding = Finding::open(SubIndication::TimestampFailure, fact);
        out
    }
}

/// EN 319 162-1 §4.4.3.1. What differs in form says nothing against the signatures.
fn judge_mimetype<R: Read + Seek>(
    archive: &mut Archive<R>,
    report: &mut VerificationReport,
) -> Result<(), ProtocolError> {
    let name = EntryName::new("mimetype")?;
    let stated = match archive.entry(&name) {
        Some(_) => archive.bytes(&name, 256)?,
        None => Vec::new(),
    };
    let stated = String::from_utf8_lossy(&stated).into_owned();
    if stated == ASIC_E {
        return Ok(());
    }
    let trimmed = stated.trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
    let comment = String::from_utf8_lossy(archive.comment()).trim().to_ascii_lowercase();
    let finding = if trimmed == ASIC_E {
        Finding::passed(ContainerFact::MimetypeForm { stated })
    } else if archive.entry(&name).is_some() {
        return Err(UnsupportedFault::Mimetype { stated, known: ASIC_E }.into());
    } else if comment.strip_prefix("mimetype=").is_some_and(|stated| stated == ASIC_E) {
        Finding::passed(ContainerFact::MimetypeInComment)
    } else {
        Finding::passed(ContainerFact::NoMimetype)
    };
    report.add(finding);
    Ok(())
}

/// Why a container without CAdES signatures is not read.
fn check_readable(names: &[(Kind, EntryName)], stamped: &[&Over]) -> Result<(), ProtocolError> {
    let first =
        |kind: Kind| names.iter().find(|(k, _)| *k == kind).map(|(_, name)| name.to_string());
    if !stamped.is_empty() {
        return Ok(());
    }
    Err(if let Some(file) = first(Kind::Xades) {
        UnsupportedFault::Xades { file }.into()
    } else if let Some(file) = first(Kind::Signature).or_else(|| first(Kind::TimeStamp)) {
        UnsupportedFault::NoManifest { file }.into()
    } else if let Some(file) = first(Kind::EvidenceRecord) {
        UnsupportedFault::EvidenceRecord { file }.into()
    } else {
        ContainerFault::NoSignature.into()
    })
}

/// A container with time-stamps alone: they are judged, and nobody has signed.
fn nobody_signed(
    report: &mut VerificationReport,
    stamps: &[(&Over, Option<TimeStampReport>)],
    digests: &Digests,
) {
    report.add(Finding::open(SubIndication::SigConstraintsFailure, ContainerFact::NobodySigned));
    for (stamp, judged) in stamps {
        let Some(judged) = judged else { continue };
        let right = digests.fit(&stamp.manifest).all(|(_, right)| right == Some(true));
        if right || judged.finding.indication != Indication::TotalPassed {
            report.add(judged.finding.clone());
        }
    }
}

/// Each file, and what each signature covers.
fn judge_files(
    report: &mut VerificationReport,
    signed: &[&Over],
    stamped: &[&Over],
    files: &[EntryName],
    digests: &Digests,
) {
    // Without a signature the time-stamps say what should be there.
    let sources = if signed.is_empty() { stamped } else { signed };
    let mut found: BTreeMap<&EntryName, Option<bool>> = BTreeMap::new();
    for (name, right) in sources.iter().flat_map(|one| digests.fit(&one.manifest)) {
        let so_far = found.entry(name).or_insert(right);
        // One wrong digest is enough.
        if right != Some(true) && *so_far == Some(true) {
            *so_far = right;
        }
    }
    for (name, right) in found {
        if signed.is_empty() && right == Some(true) {
            report.add(Finding::passed(ContainerFact::Stamped { file: name.to_string() }));
        } else {
            report.check_object(name.as_str(), right);
        }
    }
    for name in files {
        let covers = |one: &&&Over| one.manifest.objects.iter().any(|object| object.name == *name);
        let without: Vec<_> = sources.iter().filter(|one| !covers(one)).collect();
        if without.len() == sources.len() {
            report.unsigned_content(name.as_str());
            continue;
        }
        for one in without {
            let over = one.manifest.signature.to_string();
            let fact = ContainerFact::NotCovered { over, file: name.to_string() };
            report.add(Finding::open(SubIndication::UnsignedContent, fact));
        }
    }
}

/// What stands beside: it is said, and signatures that nobody can place leave the verdict open.
fn beside(
    report: &mut VerificationReport,
    names: &[(Kind, EntryName)],
    named: &BTreeSet<&EntryName>,
) {
    for (kind, name) in names {
        let file = name.to_string();
        let finding = match kind {
            Kind::Signature if !named.contains(name) => Finding::open(
                SubIndication::SigConstraintsFailure,
                ContainerFact::Unplaced { file },
            ),
            Kind::Xades | Kind::EvidenceRecord => {
                Finding::passed(ContainerFact::OtherForm { file })
            }
            Kind::TimeStamp if !named.contains(name) => {
                Finding::passed(ContainerFact::UnplacedStamp { file })
            }
            _ => continue,
        };
        report.add(finding);
    }
}

/// Our own document: its header and parts are the files, none more and none less, and those who made the CAdES
/// signatures are those who signed it.
fn judge_document<R: Read + Seek>(
    archive: &mut Archive<R>,
    report: &mut VerificationReport,
    signed: &[&Over],
    files: &[EntryName],
    digests: Option<&Digests>,
    by: &Validation<'_>,
) -> Result<SignedDocument, ProtocolError> {
    let name = EntryName::new(ASIC_DOCUMENT)?;
    let bytes = archive.bytes(&name, chancery_crypto::cbor::MAX_BYTES as u64)?;
    let document = SignedDocument::decode(&bytes)?;
    if let Some(digests) = digests {
        let header = EntryName::new(ASIC_HEADER)?;
        let found = digests.sha256(&header);
        let right = found.map(|found| found == *document.id().digest());
        if right != Some(true) {
            report.check_object(ASIC_HEADER, right);
        }
        let mut own = BTreeSet::from([header]);
        for part in &document.header().parts {
            let name = EntryName::of_part(&part.name)?;
            report.check_part(part, digests.sha256(&name));
            own.insert(name);
        }
        files.iter().filter(|name| !own.contains(name)).for_each(|name| {
            report.unsigned_content(name.as_str());
        });
    }
    for one in signed {
        let What::Signature(cms) = &one.what else { continue };
        if !accompanies(&document, cms, &one.xml) {
            let over = one.manifest.signature.to_string();
            let fact = ContainerFact::ForeignSigner { over };
            report.add(Finding::open(SubIndication::SigConstraintsFailure, fact));
        }
    }
    // What signs the container does not use up what the document's own signers need.
    let own = verify_document_by(&document, &Validation { budget: None, ..*by });
    report.document = own.document;
    report.absorb(own);
    Ok(document)
}

/// The header of a document of ours without its signatures: who sent it, and that it is whole, is in those.
fn lacks_document<R: Read + Seek>(
    archive: &mut Archive<R>,
    report: &mut VerificationReport,
) -> Result<(), ProtocolError> {
    let name = EntryName::new(ASIC_HEADER)?;
    let limit = chancery_crypto::cbor::MAX_BYTES as u64;
    if archive.entry(&name).is_none_or(|entry| entry.size > limit) {
        return Ok(());
    }
    if unsigned_header::decode(&archive.bytes(&name, limit)?).is_ok() {
        report.add(Finding::open(SubIndication::SignedDataNotFound, ContainerFact::HeaderAlone));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
