//! The verdict on a container: what each of its signatures covers, and whether that is what lies in it.
//!
//! The order bounds the work: names and manifests first, then signatures, and only under a signature that may hold are
//! the files unpacked, each once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek},
};

use chancery_certs::SignedCms;
use chancery_crypto::{Digest, HashAlgorithm, StreamingHash, equal};

use super::{ASIC_E, ASIC_HEADER, Archive, EntryName, MAX_MANIFEST, Manifest, refuse, unsupported};
use crate::{
    DocumentBudget, Finding, Indication, ProtocolError, SignedDocument, SubIndication,
    TimeStampReport, Validation, VerificationReport, unsigned_header,
    validation::{accompanies, verify_stamped_cms, verify_time_stamp},
    verdict::text,
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
        kind.ok_or_else(|| refuse(format!("{:?} is nothing that META-INF may hold", name.as_str())))
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
    Unreadable(String),
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
            return Err(refuse(format!("it has more than {MAX_MANIFESTS} manifests")));
        }
        let one = Over::read(archive, name)?;
        references += one.manifest.objects.len();
        manifests.push(one);
    }
    if references > MAX_REFERENCES {
        return Err(refuse(format!("its manifests list more than {MAX_REFERENCES} files")));
    }
    let mut named = BTreeSet::new();
    if let Some(twice) = manifests.iter().find(|one| !named.insert(&one.manifest.signature)) {
        let name = twice.manifest.signature.as_str();
        return Err(refuse(format!("{name:?} is to be over two manifests")));
    }
    let (stamped, signed): (Vec<_>, Vec<_>) =
        manifests.iter().partition(|one| matches!(one.what, What::TimeStamp(..)));
    if signed.is_empty() {
        check_readable(&names, &stamped)?;
    }
    let signers: usize = signed.iter().map(|one| one.signers()).sum();
    if signers > MAX_SIGNERS {
        return Err(refuse(format!("it has more than {MAX_SIGNERS} signers")));
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
        let text = text!(
            ("no signature is right, so the files were not looked at"),
            ("没有正确的签名，故未检查各文件")
        );
        report.add(Finding::failed(SubIndication::SigCryptoFailure, text));
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
            return Err(refuse(format!(
                "the signature {:?} lies outside of META-INF",
                over.as_str()
            )));
        }
        let what = if archive.entry(over).is_none() {
            What::Missing
        } else {
            let bytes = archive.bytes(over, MAX_SIGNATURE)?;
            match SignedCms::from_der(&bytes) {
                Ok(cms) if cms.is_time_stamp() => What::TimeStamp(cms, bytes),
                Ok(cms) => What::Signature(cms),
                Err(error) => What::Unreadable(error.to_string()),
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
        let over = self.manifest.signature.as_str();
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
                text!(
                    ("the signature {over:?} that {:?} names is not there", self.name.as_str()),
                    ("缺少清单“{}”所指的签名“{over}”", self.name)
                ),
            )),
            What::Unreadable(why) => report.add(Finding::failed(
                SubIndication::FormatFailure,
                text!(("{over:?} cannot be read: {why}"), ("“{over}”无法读取：{why}")),
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
        let (en, zh) = match listed {
            Some((_, Some(true))) => return out,
            Some(_) => ("is of another state of", "所证明的并非当前的"),
            None => ("does not list", "未列出"),
        };
        let (name, over) = (self.manifest.signature.as_str(), signature.as_str());
        out.finding = Finding::open(
            SubIndication::TimestampFailure,
            text!(("the time-stamp {name:?} {en} {over:?}"), ("时间戳“{name}”{zh}“{over}”")),
        );
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
        Finding::passed(text!(
            ("its mimetype is written in another form ({stated:?}); that is tolerated"),
            ("其 mimetype 写法不规范（{stated:?}），予以容许")
        ))
    } else if archive.entry(&name).is_some() {
        return Err(unsupported(format!(
            "its mimetype is {stated:?}; ASiC-E containers ({ASIC_E}) are read here"
        )));
    } else if comment.strip_prefix("mimetype=").is_some_and(|stated| stated == ASIC_E) {
        Finding::passed(text!(
            ("its mimetype stands in the comment of the ZIP only; that is tolerated"),
            ("其 mimetype 仅见于 ZIP 注释，予以容许")
        ))
    } else {
        Finding::passed(text!(
            ("it has no mimetype; that is tolerated"),
            ("容器没有 mimetype，予以容许")
        ))
    };
    report.add(finding);
    Ok(())
}

/// Why a container without CAdES signatures is not read.
fn check_readable(names: &[(Kind, EntryName)], stamped: &[&Over]) -> Result<(), ProtocolError> {
    let first = |kind: Kind| names.iter().find(|(k, _)| *k == kind).map(|(_, name)| name.as_str());
    if !stamped.is_empty() {
        return Ok(());
    }
    if let Some(name) = first(Kind::Xades) {
        return Err(unsupported(format!(
            "XAdES signatures ({name}); CAdES signatures are read here"
        )));
    }
    if let Some(name) = first(Kind::Signature).or(first(Kind::TimeStamp)) {
        return Err(unsupported(format!(
            "{name} without an ASiCManifest that says what it is over"
        )));
    }
    if let Some(name) = first(Kind::EvidenceRecord) {
        return Err(unsupported(format!("an evidence record ({name}), and no signature")));
    }
    Err(refuse("it holds no signature"))
}

/// A container with time-stamps alone: they are judged, and nobody has signed.
fn nobody_signed(
    report: &mut VerificationReport,
    stamps: &[(&Over, Option<TimeStampReport>)],
    digests: &Digests,
) {
    report.add(Finding::open(
        SubIndication::SigConstraintsFailure,
        text!(
            ("it holds time-stamps and no signature: nobody has signed it"),
            ("容器仅有时间戳而无签名：无人签署")
        ),
    ));
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
            report.add(Finding::passed(text!(
                ("file {:?} is the one that a time-stamp is over", name.as_str()),
                ("文件“{name}”与时间戳所证明的一致")
            )));
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
            let over = one.manifest.signature.as_str();
            let text = text!(
                ("the signature {over:?} does not cover {:?}", name.as_str()),
                ("签名“{over}”未覆盖“{name}”")
            );
            report.add(Finding::open(SubIndication::UnsignedContent, text));
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
        let finding = match kind {
            Kind::Signature if !named.contains(name) => Finding::open(
                SubIndication::SigConstraintsFailure,
                text!(
                    ("no manifest names {:?}: nobody can say what it signs", name.as_str()),
                    ("没有清单指向“{name}”：无从知道它签署了什么")
                ),
            ),
            Kind::Xades | Kind::EvidenceRecord => Finding::passed(text!(
                ("{:?} is of a form that is not read here; it was left aside", name.as_str()),
                ("“{name}”的形式此处无法读取，未予考虑")
            )),
            Kind::TimeStamp if !named.contains(name) => Finding::passed(text!(
                ("no manifest names {:?}; it was left aside", name.as_str()),
                ("没有清单指向“{name}”，未予考虑")
            )),
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
            let over = one.manifest.signature.as_str();
            let text = text!(
                ("the signature {over:?} is not that of a signer of the document inside"),
                ("签名“{over}”不属于容器内文件的签署人")
            );
            report.add(Finding::open(SubIndication::SigConstraintsFailure, text));
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
        let text = text!(
            ("{ASIC_HEADER:?} is the header of a document whose own signatures, {ASIC_DOCUMENT:?}, are not there"),
            ("“{ASIC_HEADER}”是一份文件的文件头，但缺少该文件自身的签名“{ASIC_DOCUMENT}”")
        );
        report.add(Finding::open(SubIndication::SignedDataNotFound, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
