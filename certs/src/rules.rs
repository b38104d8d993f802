//! RFC 5280 §6.1 over the one decoded form: what must hold along a path whose signatures are verified.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Certificate, PathError, PathFault, PathReason, Purpose,
    extensions::NameConstraints,
    general_name::{GeneralName, NameKind},
    oid::{ObjectId, known},
    path::path_error,
    strict::{Place, first_fault},
    usage,
};

const KEY_CERT_SIGN: u32 = 5;

/// A path, leaf first, whose names chain and whose signatures verify, and its anchor.
pub(crate) struct Path<'a> {
    pub(crate) chain: &'a [&'a Certificate],
    pub(crate) anchor: &'a Certificate,
    pub(crate) purpose: Purpose,
    /// Only §6 is asked, not §4.
    pub(crate) lenient: bool,
}

/// The state of §6.1.2. What stands in the anchor binds as in any CA (RFC 5937).
struct State<'a> {
    constraints: Vec<&'a NameConstraints>,
    /// Valid policies of the newest level, and what is expected of the next. Empty is NULL. With any policy
    /// acceptable to us, whether this level is empty is all that is asked of the tree (RFC 9618 §5).
    policies: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    explicit: usize,
    mapping: usize,
    any: usize,
    depth: usize,
}

fn refuse(reason: PathReason, fault: PathFault) -> Result<(), PathError> {
    Err(path_error(reason, fault))
}

fn name_of(certificate: &Certificate) -> String {
    certificate.subject().to_owned()
}

impl Path<'_> {
    /// Checks all that does not depend on time.
    pub(crate) fn check(&self) -> Result<(), PathError> {
        let count = self.chain.len();
        let any = any_policy();
        let mut state = State {
            constraints: Vec::new(),
            policies: [(any.clone(), [any].into())].into(),
            explicit: count + 1,
            mapping: count + 1,
            any: count + 1,
            depth: count,
        };
        // The anchor's own policies, where it states some, are those that there are.
        if let Some(policies) = &self.anchor.0.extensions.policies {
            let own = policies.value.iter().map(|(policy, _)| policy);
            state.policies = own.map(|policy| (policy.clone(), [policy.clone()].into())).collect();
        }
        state.take_constraints(self.anchor);
        if let Some(depth) = self.anchor.path_len() {
            state.depth = state.depth.min(depth as usize);
        }
        known_extensions(self.anchor)?;
        for (index, certificate) in self.chain.iter().enumerate().rev() {
            let last = index == 0;
            let exempt = certificate.is_self_issued() && !last;
            known_extensions(certificate)?;
            if !exempt {
                self.check_names(certificate, &state.constraints)?;
            }
            state.take_policies(certificate, exempt)?;
            if last {
                state.finish(certificate)?;
            } else {
                state.prepare(certificate, exempt)?;
            }
        }
        usage::check_nesting(self.chain, self.anchor, self.purpose)?;
        if self.lenient { Ok(()) } else { self.check_strictly() }
    }

    /// RFC 5280 §4, for each certificate.
    fn check_strictly(&self) -> Result<(), PathError> {
        let anchored = self.chain.len() == 1 && self.chain.first() == Some(&self.anchor);
        let anchor = (!anchored).then_some((self.anchor, Place::Anchor));
        let below = self.chain.iter().enumerate().map(|(index, certificate)| {
            (*certificate, if index == 0 { Place::Leaf } else { Place::Between })
        });
        for (certificate, place) in anchor.into_iter().chain(below) {
            if certificate.public_key().is_none() {
                let (who, kind) = (name_of(certificate), certificate.key_kind().to_owned());
                refuse(PathReason::UnsupportedAlgorithm, PathFault::KeyKind { who, kind })?;
            }
            if let Some(fault) = first_fault(certificate, place, self.purpose) {
                let who = name_of(certificate);
                refuse(PathReason::Profile, PathFault::Profile { who, fault })?;
            }
        }
        Ok(())
    }

    /// §6.1.3 (b) and (c): every name that is read of a certificate, against every constraint above it.
    fn check_names(
        &self,
        certificate: &Certificate,
        constraints: &[&NameConstraints],
    ) -> Result<(), PathError> {
        if constraints.is_empty() {
            return Ok(());
        }
        let names = names_of(certificate);
        let (who, issuer) = (name_of(certificate), certificate.issuer().to_owned());
        let bound = |name: &&GeneralName| constraints.iter().any(|c| !allows(c, name));
        if let Some(name) = names.iter().find(bound) {
            let (name, kind) = (name.shown(), name.kind().name().to_string());
            return refuse(
                PathReason::NameConstraints,
                PathFault::OutsideNames { who, name, kind, issuer },
            );
        }
        // What is not expected where constraints bind is not let pass because nobody thought of it.
        let odd = |name: &&GeneralName| matches!(name.kind(), NameKind::Other(_));
        let Some(name) = names.iter().find(odd).filter(|_| !self.lenient) else { return Ok(()) };
        let (name, kind) = (name.shown(), name.kind().name().to_string());
        refuse(PathReason::NameConstraints, PathFault::NameKind { who, name, kind, issuer })
    }
}

fn any_policy() -> ObjectId {
    ObjectId::new(known::ANY_POLICY).expect("a legal identifier")
}

/// All names that constraints are about: the subject, every alternative name, and mailboxes in the subject.
fn names_of(certificate: &Certificate) -> Vec<GeneralName> {
    let subject = &certificate.0.subject_name;
    let mut names = certificate.0.extensions.subject_names().to_vec();
    if !subject.is_empty() {
        names.push(GeneralName::Directory(subject.clone()));
    }
    for attribute in subject.of_kind(known::EMAIL_ADDRESS) {
        let text = attribute.text().unwrap_or_else(|| "?".into());
        names.push(GeneralName::Email(text.into_owned()));
    }
    names
}

/// Whether constraints allow a name. What cannot be judged is not allowed.
fn allows(constraints: &NameConstraints, name: &GeneralName) -> bool {
    let of_kind = |list: &Option<Vec<GeneralName>>| -> Vec<GeneralName> {
        let same = |base: &&GeneralName| base.kind() == name.kind();
        list.iter().flatten().filter(same).cloned().collect()
    };
    let permitted = of_kind(&constraints.permitted);
    let excluded = of_kind(&constraints.excluded);
    let inside =
        permitted.is_empty() || permitted.iter().any(|base| base.holds(name) == Some(true));
    let clear = excluded.iter().all(|base| base.holds(name) == Some(false) && !base.touches(name));
    // A directory name without parts stands for all of them; other subtrees say so by themselves.
    inside && clear
}

fn known_extensions(certificate: &Certificate) -> Result<(), PathError> {
    let Some(unknown) = certificate.0.extensions.unknown_critical() else { return Ok(()) };
    let (who, oid) = (name_of(certificate), unknown.to_string());
    refuse(PathReason::CriticalExtension, PathFault::CriticalExtension { who, oid })
}

impl<'a> State<'a> {
    /// §6.1.4 (g), (i), (j): what binds those below.
    fn take_constraints(&mut self, certificate: &'a Certificate) {
        let extensions = &certificate.0.extensions;
        if let Some(names) = &extensions.name_constraints {
            self.constraints.push(&names.value);
        }
        if let Some(policy) = &extensions.policy_constraints {
            if let Some(skip) = policy.value.require_explicit {
                self.explicit = self.explicit.min(skip as usize);
            }
            if let Some(skip) = policy.value.inhibit_mapping {
                self.mapping = self.mapping.min(skip as usize);
            }
        }
        if let Some(skip) = &extensions.inhibit_any {
            self.any = self.any.min(skip.value as usize);
        }
    }

    /// §6.1.3 (d), (e), (f).
    fn take_policies(&mut self, certificate: &Certificate, exempt: bool) -> Result<(), PathError> {
        let any = any_policy();
        let before = std::mem::take(&mut self.policies);
        if let Some(policies) = &certificate.0.extensions.policies {
            let own: BTreeSet<_> = policies.value.iter().map(|(policy, _)| policy).collect();
            let expected = |policy: &ObjectId| before.values().any(|set| set.contains(policy));
            for policy in own.iter().filter(|policy| ***policy != any) {
                if expected(policy) || before.contains_key(&any) {
                    self.policies.insert((*policy).clone(), [(*policy).clone()].into());
                }
            }
            if own.contains(&any) && (self.any > 0 || exempt) {
                for policy in before.values().flatten() {
                    let alone = || [policy.clone()].into();
                    self.policies.entry(policy.clone()).or_insert_with(alone);
                }
            }
        }
        self.check_policies(certificate)
    }

    fn check_policies(&self, certificate: &Certificate) -> Result<(), PathError> {
        if self.explicit > 0 || !self.policies.is_empty() {
            return Ok(());
        }
        refuse(PathReason::Policy, PathFault::NoPolicy { who: name_of(certificate) })
    }

    /// §6.1.4: for a certificate that is not the last.
    fn prepare(&mut self, certificate: &'a Certificate, exempt: bool) -> Result<(), PathError> {
        self.map_policies(certificate)?;
        if !exempt {
            self.explicit = self.explicit.saturating_sub(1);
            self.mapping = self.mapping.saturating_sub(1);
            self.any = self.any.saturating_sub(1);
        }
        self.take_constraints(certificate);
        let who = || name_of(certificate);
        if !certificate.is_ca() {
            return refuse(PathReason::NotAnAuthority, PathFault::NoCa { who: who() });
        }
        if !exempt {
            let Some(left) = self.depth.checked_sub(1) else {
                return refuse(PathReason::NotAnAuthority, PathFault::PathLength { who: who() });
            };
            self.depth = left;
        }
        if let Some(depth) = certificate.path_len() {
            self.depth = self.depth.min(depth as usize);
        }
        if certificate.0.extensions.key_usage_has(KEY_CERT_SIGN) == Some(false) {
            return refuse(PathReason::KeyUsage, PathFault::UsageOfCa { who: who() });
        }
        Ok(())
    }

    /// §6.1.4 (a) and (b).
    fn map_policies(&mut self, certificate: &Certificate) -> Result<(), PathError> {
        let any = any_policy();
        let Some(mappings) = &certificate.0.extensions.mappings else { return Ok(()) };
        if mappings.value.iter().any(|(from, to)| *from == any || *to == any) {
            let who = name_of(certificate);
            return refuse(PathReason::Policy, PathFault::MapsAnyPolicy { who });
        }
        let mut targets: BTreeMap<&ObjectId, BTreeSet<ObjectId>> = BTreeMap::new();
        for (from, to) in &mappings.value {
            targets.entry(from).or_default().insert(to.clone());
        }
        for (from, to) in targets {
            if self.mapping == 0 {
                self.policies.remove(from);
            } else if self.policies.contains_key(from) || self.policies.contains_key(&any) {
                self.policies.insert(from.clone(), to);
            }
        }
        Ok(())
    }

    /// §6.1.5: for the last certificate.
    fn finish(&mut self, certificate: &Certificate) -> Result<(), PathError> {
        self.explicit = self.explicit.saturating_sub(1);
        let own = certificate.0.extensions.policy_constraints.as_ref();
        if own.is_some_and(|policy| policy.value.require_explicit == Some(0)) {
            self.explicit = 0;
        }
        self.check_policies(certificate)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use chancery_crypto::{Algorithm, SigningKey};

    use super::*;
    use crate::{
        AgencyName, Issuer, Profile, Subject, TrustStore,
        encoding::{self, element, tlv},
    };

    const NOW: i64 = 1_790_000_000;

    fn agency(name: &str) -> AgencyName {
        name.parse().expect("a name")
    }

    /// A province whose key the attacker has, and a genuine seal of it.
    struct World {
        trust: TrustStore,
        chain: Vec<Certificate>,
        province: Issuer,
        seal: Certificate,
    }

    fn world() -> World {
        let root = Issuer::new_root("Root", &[agency("gov.cn")], Algorithm::EdDsa, NOW);
        let root = root.expect("a root");
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let subject = Subject::authority("Zhejiang", &[agency("zj.gov.cn")], Some(0));
        let own = root.issue(&subject, &key.public_key(), NOW).expect("a province");
        let chain = vec![own, root.certificate().clone()];
        let province = Issuer::new(key, chain.clone()).expect("a CA");
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes").public_key();
        let seal = Subject::agency(Profile::Seal, agency("a.zj.gov.cn"), "A");
        let seal = province.issue(&seal, &key, NOW).expect("a seal");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        World { trust, chain, province, seal }
    }

    fn parts(der: &[u8]) -> Vec<Vec<u8>> {
        let (mut rest, mut parts) = (element(der).expect("DER").1, Vec::new());
        while !rest.is_empty() {
            let after = element(rest).expect("DER").2;
            parts.push(rest[..rest.len() - after.len()].to_vec());
            rest = after;
        }
        parts
    }

    impl World {
        /// The seal with other extensions, signed by the province.
        fn with_extensions(&self, extensions: &[Vec<u8>]) -> Vec<u8> {
            let whole = parts(self.seal.der());
            let mut tbs = parts(&whole[0]);
            *tbs.last_mut().expect("extensions") = tlv(0xa3, &tlv(0x30, &extensions.concat()));
            self.sign(&tlv(0x30, &tbs.concat()), &whole[1])
        }

        fn sign(&self, tbs: &[u8], algorithm: &[u8]) -> Vec<u8> {
            let signature = self.province.key().sign_der(tbs).expect("signs");
            let signature = tlv(3, &[&[0], signature.as_slice()].concat());
            tlv(0x30, &[tbs, algorithm, &signature].concat())
        }

        fn extensions(&self) -> Vec<Vec<u8>> {
            let tbs = parts(&parts(self.seal.der())[0]);
            let wrapped = parts(tbs.last().expect("extensions"));
            parts(&wrapped[0])
        }

        /// Whether it is believed; whatever is believed names nobody outside the province.
        fn believes(&self, der: &[u8]) -> bool {
            let Ok(leaf) = Certificate::from_der(der) else { return false };
            let mut believed = false;
            for purpose in [Purpose::Sign, Purpose::Node, Purpose::Client, Purpose::Any] {
                let valid = self.trust.validate(&leaf, &self.chain, NOW, purpose).is_ok();
                believed |= valid;
                if !valid {
                    continue;
                }
                let inside = |host: &str| host == "zj.gov.cn" || host.ends_with(".zj.gov.cn");
                let lower = |name: &String| name.to_ascii_lowercase();
                let hosts = leaf.dns_names().iter().map(lower);
                let mails = leaf.emails().iter().map(lower).map(|name| {
                    name.split_once('@').map(|(_, host)| host.to_owned()).unwrap_or_default()
                });
                for host in hosts.chain(mails) {
                    assert!(
                        inside(host.trim_start_matches("*.")),
                        "{host} in {}",
                        hex::encode(der)
                    );
                }
                if let Ok(name) = leaf.signer_name() {
                    assert!(inside(name.agency().as_str()), "{name} in {}", hex::encode(der));
                }
                // Every name that is read is one that constraints were asked about.
                let asked = names_of(&leaf);
                let dns = leaf.dns_names().iter().cloned().map(GeneralName::Dns);
                let read = dns.chain(leaf.emails().iter().cloned().map(GeneralName::Email));
                assert!(read.into_iter().all(|name| asked.contains(&name)));
            }
            believed
        }
    }

    fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
        tlv(0x30, &[tlv(encoding::OBJECT_ID, id), tlv(encoding::OCTET_STRING, value)].concat())
    }

    #[test]
    fn no_way_to_write_an_alternative_name_gets_round_the_constraints() {
        let world = world();
        let is_names = |e: &Vec<u8>| e.get(4..7) == Some(known::SUBJECT_NAMES);
        let others: Vec<_> = world.extensions().into_iter().filter(|e| !is_names(e)).collect();
        let with =
            |added: &[Vec<u8>]| world.with_extensions(&[others.clone(), added.to_vec()].concat());
        let names = |list: &[Vec<u8>]| extension(known::SUBJECT_NAMES, &tlv(0x30, &list.concat()));
        let raw = |value: &[u8]| extension(known::SUBJECT_NAMES, value);
        let (own, stolen) = (tlv(0x82, b"a.zj.gov.cn"), tlv(0x82, b"d.js.gov.cn"));
        assert!(world.believes(&with(&[names(std::slice::from_ref(&own))])));
        let uri = tlv(0x86, b"urn:x");
        assert!(world.believes(&with(&[names(&[own.clone(), uri.clone()])])));

        let mut tried = vec![
            with(&[names(std::slice::from_ref(&stolen))]),
            with(&[names(std::slice::from_ref(&uri)), names(std::slice::from_ref(&stolen))]),
            with(&[names(std::slice::from_ref(&stolen)), names(std::slice::from_ref(&own))]),
            with(&[names(&[]), names(std::slice::from_ref(&stolen))]),
            with(&[raw(&[tlv(0x30, &stolen), vec![5, 0]].concat())]),
            with(&[raw(&[&[0x30, 0x81, stolen.len() as u8], stolen.as_slice()].concat())]),
            with(&[raw(&[&[0x30, 0x80], stolen.as_slice(), &[0, 0]].concat())]),
            with(&[names(&[tlv(0xa2, &tlv(0x16, b"d.js.gov.cn"))])]),
            with(&[names(&[tlv(0x82, b"d.js.gov.cn\0.zj.gov.cn")])]),
            with(&[names(&[tlv(0x82, b"d.js.gov.cn.")])]),
            with(&[names(&[tlv(0x82, b"D.JS.GOV.CN")])]),
            with(&[names(&[tlv(0x81, b"x@d.js.gov.cn@a.zj.gov.cn")])]),
            with(&[names(&[tlv(0x81, b"\"x@a.zj.gov.cn\"@d.js.gov.cn")])]),
        ];
        // A second name with every tag there is, with contents that fit and that do not.
        for tag in 0..=255u8 {
            for content in [
                &b"\x05\0"[..],
                b"d.js.gov.cn",
                b"x@d.js.gov.cn",
                b"\xff\xfe",
                b"",
                b"\x06\x03\x2a\x03\x04\x05\0",
            ] {
                let odd = tlv(tag, content);
                tried.push(with(&[names(&[stolen.clone(), odd.clone()])]));
                tried.push(with(&[names(&[odd.clone(), stolen.clone()])]));
                tried.push(with(&[names(&[own.clone(), odd])]));
            }
        }
        let believed = tried.iter().filter(|der| world.believes(der)).count();
        // The own name with a mailbox of the province, a URI or an address beside it may pass; the rest not.
        assert!(believed < 8, "{believed}");
    }

    #[test]
    fn whatever_is_changed_in_a_certificate_and_signed_again_names_nobody_outside_the_constraints()
    {
        let world = world();
        let whole = parts(world.seal.der());
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let stolen = [tlv(0x82, b"d.js.gov.cn"), tlv(0x81, b"li@d.js.gov.cn")];
        let (mut read, mut believed) = (0, 0);
        for round in 0..6000 {
            let der = match round % 3 {
                // Bytes anywhere in what is signed.
                0 => {
                    let mut tbs = whole[0].clone();
                    for _ in 0..=random(3) {
                        let at = random(tbs.len());
                        match random(3) {
                            0 => tbs[at] ^= 1 << random(8),
                            1 => tbs.insert(at, random(256) as u8),
                            _ => drop(tbs.remove(at)),
                        }
                    }
                    world.sign(&tbs, &whole[1])
                }
                // Extensions doubled, moved, or given a stolen name.
                1 => {
                    let mut list = world.extensions();
                    let at = random(list.len());
                    let twin = list[random(list.len())].clone();
                    list.insert(at, twin);
                    if random(2) == 0 {
                        let names = tlv(0x30, &stolen[random(2)]);
                        list.insert(random(list.len()), extension(known::SUBJECT_NAMES, &names));
                        list.remove(random(list.len()));
                    }
                    world.with_extensions(&list)
                }
                // A list of names with something odd in it.
                _ => {
                    let mut names = vec![tlv(0x82, b"a.zj.gov.cn")];
                    for _ in 0..=random(2) {
                        let mut name = stolen[random(2)].clone();
                        if random(2) == 0 {
                            let at = random(name.len());
                            name[at] ^= 1 << random(8);
                        }
                        names.insert(random(names.len() + 1), name);
                    }
                    let mut value = tlv(0x30, &names.concat());
                    if random(2) == 0 {
                        let at = random(value.len());
                        value[at] ^= 1 << random(8);
                    }
                    let mut list = world.extensions();
                    list.retain(|e| e.get(4..7) != Some(known::SUBJECT_NAMES));
                    list.push(extension(known::SUBJECT_NAMES, &value));
                    world.with_extensions(&list)
                }
            };
            read += usize::from(Certificate::from_der(&der).is_ok());
            believed += usize::from(world.believes(&der));
        }
        assert!(
            read > 300 && believed > 50,
            "{read} read, {believed} believed: the test tries nothing"
        );
    }
}
