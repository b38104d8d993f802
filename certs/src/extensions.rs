//! Extensions of certificates, each decoded once (RFC 5280 §4.2). What is known here must decode completely and
//! encode to the same bytes again; nothing may stand twice.

use x509_parser::{
    asn1_rs::{FromDer as _, Oid},
    extensions::{GeneralName as ParsedName, ParsedExtension, X509Extension},
    x509::{AttributeTypeAndValue, RelativeDistinguishedName},
};

use crate::{
    Assurance,
    distinguished::{Attribute, encode_part, tag_of},
    encoding::{self, named_bits, tlv, unsigned},
    general_name::GeneralName,
    oid::{ObjectId, known},
};

/// An extension's value, and whether it is critical.
#[derive(Debug, Clone)]
pub(crate) struct Extension<T> {
    pub(crate) critical: bool,
    pub(crate) value: T,
}

#[derive(Debug, Clone)]
pub(crate) struct BasicConstraints {
    pub(crate) ca: bool,
    pub(crate) path_len: Option<u32>,
}

/// Subtrees; `minimum` and `maximum` are what RFC 5280 wants them to be, or the certificate was refused.
#[derive(Debug, Clone)]
pub(crate) struct NameConstraints {
    pub(crate) permitted: Option<Vec<GeneralName>>,
    pub(crate) excluded: Option<Vec<GeneralName>>,
}

#[derive(Debug, Clone)]
pub(crate) struct PolicyConstraints {
    pub(crate) require_explicit: Option<u32>,
    pub(crate) inhibit_mapping: Option<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct AuthorityKey {
    pub(crate) id: Option<Vec<u8>>,
    pub(crate) issuer: Option<Vec<GeneralName>>,
    pub(crate) serial: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(crate) enum PointName {
    Full(Vec<GeneralName>),
    Relative(Vec<Attribute>),
}

#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) name: Option<PointName>,
    pub(crate) reasons: Option<u16>,
    pub(crate) issuer: Option<Vec<GeneralName>>,
}

/// A policy and its qualifiers, which decide nothing and are kept as they are.
type Policy = (ObjectId, Option<Vec<(ObjectId, Vec<u8>)>>);

/// All extensions of a certificate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions {
    pub(crate) authority_key: Option<Extension<AuthorityKey>>,
    pub(crate) subject_key: Option<Extension<Vec<u8>>>,
    /// Bits as RFC 5280 §4.2.1.3 numbers them.
    pub(crate) key_usage: Option<Extension<u16>>,
    pub(crate) policies: Option<Extension<Vec<Policy>>>,
    pub(crate) mappings: Option<Extension<Vec<(ObjectId, ObjectId)>>>,
    pub(crate) subject_names: Option<Extension<Vec<GeneralName>>>,
    pub(crate) issuer_names: Option<Extension<Vec<GeneralName>>>,
    pub(crate) basic: Option<Extension<BasicConstraints>>,
    pub(crate) name_constraints: Option<Extension<NameConstraints>>,
    pub(crate) policy_constraints: Option<Extension<PolicyConstraints>>,
    pub(crate) extended: Option<Extension<Vec<ObjectId>>>,
    pub(crate) points: Option<Extension<Vec<Point>>>,
    pub(crate) freshest: Option<Extension<Vec<Point>>>,
    pub(crate) inhibit_any: Option<Extension<u32>>,
    pub(crate) authority_access: Option<Extension<Vec<(ObjectId, GeneralName)>>>,
    pub(crate) subject_access: Option<Extension<Vec<(ObjectId, GeneralName)>>>,
    /// Of a party: how surely the key is its own.
    pub(crate) party: Option<Extension<Assurance>>,
    /// The value of cRLDistributionPoints as it stands.
    pub(crate) points_der: Option<Vec<u8>>,
    /// What is not known here, and whether it is critical.
    pub(crate) others: Vec<Extension<ObjectId>>,
    /// Somewhere a default is spelled out, which DER forbids and which means nothing else.
    pub(crate) spelled_default: bool,
}

type Read<T> = Result<T, &'static str>;

fn oid(read: &Oid<'_>) -> Read<ObjectId> {
    ObjectId::new(read.as_bytes()).ok_or("an object identifier in it is none")
}

fn names(read: &[ParsedName<'_>]) -> Read<Vec<GeneralName>> {
    read.iter().map(GeneralName::read).collect()
}

fn encode_names(tag: u8, names: &[GeneralName]) -> Vec<u8> {
    tlv(tag, &names.iter().map(GeneralName::encode).collect::<Vec<_>>().concat())
}

fn encode_oid(id: &ObjectId) -> Vec<u8> {
    tlv(encoding::OBJECT_ID, id.as_bytes())
}

fn sequence(parts: Vec<Vec<u8>>) -> Vec<u8> {
    tlv(encoding::SEQUENCE, &parts.concat())
}

/// What the parser reads completely.
const KNOWN: [&[u8]; 13] = [
    known::AUTHORITY_KEY,
    known::SUBJECT_KEY,
    known::KEY_USAGE,
    known::POLICIES,
    known::POLICY_MAPPINGS,
    known::SUBJECT_NAMES,
    known::ISSUER_NAMES,
    known::BASIC_CONSTRAINTS,
    known::NAME_CONSTRAINTS,
    known::POLICY_CONSTRAINTS,
    known::INHIBIT_ANY,
    known::AUTHORITY_ACCESS,
    known::SUBJECT_ACCESS,
];

/// Which extension it is, for people.
fn title(id: &ObjectId) -> String {
    let name = match id.as_bytes() {
        known::AUTHORITY_KEY => "authorityKeyIdentifier",
        known::SUBJECT_KEY => "subjectKeyIdentifier",
        known::KEY_USAGE => "keyUsage",
        known::POLICIES => "certificatePolicies",
        known::POLICY_MAPPINGS => "policyMappings",
        known::SUBJECT_NAMES => "subjectAltName",
        known::ISSUER_NAMES => "issuerAltName",
        known::BASIC_CONSTRAINTS => "basicConstraints",
        known::NAME_CONSTRAINTS => "nameConstraints",
        known::POLICY_CONSTRAINTS => "policyConstraints",
        known::EXTENDED_KEY_USAGE => "extKeyUsage",
        known::DISTRIBUTION_POINTS => "cRLDistributionPoints",
        known::FRESHEST_CRL => "freshestCRL",
        known::INHIBIT_ANY => "inhibitAnyPolicy",
        known::AUTHORITY_ACCESS => "authorityInfoAccess",
        known::SUBJECT_ACCESS => "subjectInfoAccess",
        known::PARTY => "party extension",
        _ => return format!("extension {id}"),
    };
    name.to_owned()
}

impl Extensions {
    /// Takes over the extensions that the parser read.
    ///
    /// # Errors
    /// A sentence: one stands twice, or does not decode completely.
    pub(crate) fn read(parsed: &[X509Extension<'_>]) -> Result<Self, String> {
        let mut all = Self::default();
        let mut seen = std::collections::HashSet::new();
        for extension in parsed {
            let id = oid(&extension.oid)?;
            if !seen.insert(id.clone()) {
                return Err(format!("its {} stands twice", title(&id)));
            }
            all.take(&id, extension)
                .map_err(|why| format!("its {} is malformed: {why}", title(&id)))?;
        }
        Ok(all)
    }

    fn take(&mut self, id: &ObjectId, extension: &X509Extension<'_>) -> Read<()> {
        let (critical, der) = (extension.critical, extension.value);
        let parsed = extension.parsed_extension();
        // What the parser does not know by this identifier, or reads without what is needed.
        let encoded = match id.as_bytes() {
            known::EXTENDED_KEY_USAGE => {
                let (_, list) = <Vec<Oid<'_>>>::from_der(der).map_err(|_| "it is no list")?;
                let value = list.iter().map(oid).collect::<Read<Vec<_>>>()?;
                let encoded = sequence(value.iter().map(encode_oid).collect());
                self.extended = Some(Extension { critical, value });
                encoded
            }
            known::DISTRIBUTION_POINTS => {
                let value = points(der)?;
                let encoded = sequence(value.iter().map(Point::encode).collect());
                self.points = Some(Extension { critical, value });
                self.points_der = Some(der.to_vec());
                encoded
            }
            known::FRESHEST_CRL => {
                let value = points(der)?;
                let encoded = sequence(value.iter().map(Point::encode).collect());
                self.freshest = Some(Extension { critical, value });
                encoded
            }
            known::PARTY => {
                let value = Assurance::read(der).ok_or("it is no assurance")?;
                self.party = Some(Extension { critical, value });
                value.der()
            }
            _ if KNOWN.contains(&id.as_bytes()) => self.take_parsed(parsed, critical, der)?,
            _ => {
                self.others.push(Extension { critical, value: id.clone() });
                return Ok(());
            }
        };
        encoding::check(der)?;
        if encoded == der { Ok(()) } else { Err("it is not DER, or holds what nobody reads") }
    }

    /// Keeps what the parser made of an extension, and encodes it again.
    fn take_parsed(
        &mut self,
        parsed: &ParsedExtension<'_>,
        critical: bool,
        der: &[u8],
    ) -> Read<Vec<u8>> {
        Ok(match parsed {
            ParsedExtension::AuthorityKeyIdentifier(key) => {
                let value = AuthorityKey {
                    id: key.key_identifier.as_ref().map(|id| id.0.to_vec()),
                    issuer: key.authority_cert_issuer.as_deref().map(names).transpose()?,
                    serial: key.authority_cert_serial.map(<[u8]>::to_vec),
                };
                let id = value.id.as_ref().map(|id| tlv(0x80, id));
                let issuer = value.issuer.as_ref().map(|names| encode_names(0xa1, names));
                let serial = value.serial.as_ref().map(|serial| tlv(0x82, serial));
                let encoded = sequence([id, issuer, serial].into_iter().flatten().collect());
                self.authority_key = Some(Extension { critical, value });
                encoded
            }
            ParsedExtension::SubjectKeyIdentifier(id) => {
                self.subject_key = Some(Extension { critical, value: id.0.to_vec() });
                tlv(encoding::OCTET_STRING, id.0)
            }
            ParsedExtension::KeyUsage(usage) => {
                self.key_usage = Some(Extension { critical, value: usage.flags });
                named_bits(encoding::BIT_STRING, usage.flags)
            }
            ParsedExtension::CertificatePolicies(list) => {
                let mut value: Vec<Policy> = Vec::new();
                for policy in list {
                    let qualifiers = policy.policy_qualifiers.as_ref().map(|list| {
                        let pair = |q: &x509_parser::extensions::PolicyQualifierInfo<'_>| {
                            Ok((oid(&q.policy_qualifier_id)?, q.qualifier.to_vec()))
                        };
                        list.iter().map(pair).collect::<Read<Vec<_>>>()
                    });
                    value.push((oid(&policy.policy_id)?, qualifiers.transpose()?));
                }
                let encoded = sequence(value.iter().map(encode_policy).collect());
                self.policies = Some(Extension { critical, value });
                encoded
            }
            ParsedExtension::PolicyMappings(list) => {
                let pair = |m: &x509_parser::extensions::PolicyMapping<'_>| {
                    Ok((oid(&m.issuer_domain_policy)?, oid(&m.subject_domain_policy)?))
                };
                let value = list.mappings.iter().map(pair).collect::<Read<Vec<_>>>()?;
                let encode = |(from, to): &(ObjectId, ObjectId)| {
                    sequence(vec![encode_oid(from), encode_oid(to)])
                };
                let encoded = sequence(value.iter().map(encode).collect());
                self.mappings = Some(Extension { critical, value });
                encoded
            }
            ParsedExtension::SubjectAlternativeName(list) => {
                let value = names(&list.general_names)?;
                let encoded = encode_names(encoding::SEQUENCE, &value);
                self.subject_names = Some(Extension { critical, value });
                encoded
            }
            ParsedExtension::IssuerAlternativeName(list) => {
                let value = names(&list.general_names)?;
                let encoded = encode_names(encoding::SEQUENCE, &value);
                self.issuer_names = Some(Extension { critical, value });
                encoded
            }
            ParsedExtension::BasicConstraints(basic) => {
                let value = BasicConstraints { ca: basic.ca, path_len: basic.path_len_constraint };
                let ca = value.ca.then(|| tlv(encoding::BOOLEAN, &[0xff]));
                let depth = value.path_len.map(|depth| unsigned(encoding::INTEGER, depth));
                let mut encoded = sequence([ca, depth.clone()].into_iter().flatten().collect());
                // cA FALSE spelled out, which older software writes.
                let no = tlv(encoding::BOOLEAN, &[0]);
                let spelled = sequence([Some(no), depth].into_iter().flatten().collect());
                if !value.ca && spelled == der {
                    self.spelled_default = true;
                    encoded = spelled;
                }
                self.basic = Some(Extension { critical, value });
                encoded
            }
            ParsedExtension::NameConstraints(read) => {
                let trees = |list: &Option<Vec<x509_parser::extensions::GeneralSubtree<'_>>>| {
                    let read = |list: &Vec<x509_parser::extensions::GeneralSubtree<'_>>| {
                        list.iter()
                            .map(|tree| GeneralName::read(&tree.base))
                            .collect::<Read<Vec<_>>>()
                    };
                    list.as_ref().map(read).transpose()
                };
                let permitted = trees(&read.permitted_subtrees)?;
                let excluded = trees(&read.excluded_subtrees)?;
                let encode = |tag: u8, list: &Option<Vec<GeneralName>>| {
                    let tree = |base: &GeneralName| sequence(vec![base.encode()]);
                    list.as_ref()
                        .map(|l| tlv(tag, &l.iter().map(tree).collect::<Vec<_>>().concat()))
                };
                let both = [encode(0xa0, &permitted), encode(0xa1, &excluded)];
                let value = NameConstraints { permitted, excluded };
                self.name_constraints = Some(Extension { critical, value });
                sequence(both.into_iter().flatten().collect())
            }
            ParsedExtension::PolicyConstraints(read) => {
                let value = PolicyConstraints {
                    require_explicit: read.require_explicit_policy,
                    inhibit_mapping: read.inhibit_policy_mapping,
                };
                let explicit = value.require_explicit.map(|skip| unsigned(0x80, skip));
                let mapping = value.inhibit_mapping.map(|skip| unsigned(0x81, skip));
                self.policy_constraints = Some(Extension { critical, value });
                sequence([explicit, mapping].into_iter().flatten().collect())
            }
            ParsedExtension::InhibitAnyPolicy(skip) => {
                self.inhibit_any = Some(Extension { critical, value: skip.skip_certs });
                unsigned(encoding::INTEGER, skip.skip_certs)
            }
            ParsedExtension::AuthorityInfoAccess(list) => {
                let value = access(list.iter())?;
                let encoded = sequence(value.iter().map(encode_access).collect());
                self.authority_access = Some(Extension { critical, value });
                encoded
            }
            ParsedExtension::SubjectInfoAccess(list) => {
                let value = access(list.iter())?;
                let encoded = sequence(value.iter().map(encode_access).collect());
                self.subject_access = Some(Extension { critical, value });
                encoded
            }
            _ => return Err("it does not decode"),
        })
    }

    /// The first extension that is critical and not known here.
    pub(crate) fn unknown_critical(&self) -> Option<&ObjectId> {
        self.others.iter().find(|other| other.critical).map(|other| &other.value)
    }

    /// All names under subjectAltName.
    pub(crate) fn subject_names(&self) -> &[GeneralName] {
        self.subject_names.as_ref().map(|e| e.value.as_slice()).unwrap_or_default()
    }

    /// Whether keyUsage has a bit; `None` without keyUsage, which allows everything.
    pub(crate) fn key_usage_has(&self, bit: u32) -> Option<bool> {
        self.key_usage.as_ref().map(|usage| usage.value >> bit & 1 == 1)
    }
}

/// Distribution points. The parser looks for a SET in nameRelativeToCRLIssuer, which is tagged implicitly.
fn points(der: &[u8]) -> Read<Vec<Point>> {
    const WRONG: &str = "it is no list of distribution points";
    let list = |der: &[u8]| {
        let (mut rest, mut list) = (der.to_vec(), Vec::new());
        while !rest.is_empty() {
            let (after, name) = ParsedName::from_der(&rest).map_err(|_| WRONG)?;
            list.push(GeneralName::read(&name)?);
            rest = after.to_vec();
        }
        Ok::<_, &'static str>(list)
    };
    let (_, mut rest, _) = encoding::element(der)?;
    let mut points = Vec::new();
    while !rest.is_empty() {
        let (_, mut parts, after) = encoding::element(rest)?;
        let mut point = Point { name: None, reasons: None, issuer: None };
        while !parts.is_empty() {
            let (tag, content, others) = encoding::element(parts)?;
            match tag {
                0xa0 => {
                    let (kind, content, _) = encoding::element(content)?;
                    point.name = Some(match kind {
                        0xa0 => PointName::Full(list(content)?),
                        _ => PointName::Relative(relative(content).ok_or(WRONG)?),
                    });
                }
                0x81 => {
                    let octets = content.get(1..).unwrap_or_default().iter().take(2).rev();
                    let bits = octets.fold(0, |bits, o| bits << 8 | u16::from(o.reverse_bits()));
                    point.reasons = Some(bits);
                }
                _ => point.issuer = Some(list(content)?),
            }
            parts = others;
        }
        points.push(point);
        rest = after;
    }
    Ok(points)
}

fn relative(content: &[u8]) -> Option<Vec<Attribute>> {
    let der = tlv(encoding::SET, content);
    let (_, part) = RelativeDistinguishedName::from_der(&der).ok()?;
    let attribute = |a: &AttributeTypeAndValue<'_>| {
        let kind = ObjectId::new(a.attr_type().as_bytes())?;
        Some(Attribute { kind, tag: tag_of(a.attr_value())?, value: a.as_slice().to_vec() })
    };
    part.iter().map(attribute).collect()
}

impl Point {
    fn encode(&self) -> Vec<u8> {
        let name = self.name.as_ref().map(|name| match name {
            PointName::Full(names) => encode_names(0xa0, names),
            PointName::Relative(part) => {
                let mut part = encode_part(part);
                // [1] IMPLICIT in place of SET.
                if let Some(tag) = part.first_mut() {
                    *tag = 0xa1;
                }
                part
            }
        });
        let name = name.map(|name| tlv(0xa0, &name));
        let reasons = self.reasons.map(|reasons| named_bits(0x81, reasons));
        let issuer = self.issuer.as_ref().map(|names| encode_names(0xa2, names));
        sequence([name, reasons, issuer].into_iter().flatten().collect())
    }
}

fn encode_policy((policy, qualifiers): &Policy) -> Vec<u8> {
    let qualifier =
        |(kind, value): &(ObjectId, Vec<u8>)| sequence(vec![encode_oid(kind), value.clone()]);
    let list = qualifiers.as_ref().map(|list| sequence(list.iter().map(qualifier).collect()));
    sequence([Some(encode_oid(policy)), list].into_iter().flatten().collect())
}

fn access<'a>(
    list: impl Iterator<Item = &'a x509_parser::extensions::AccessDescription<'a>>,
) -> Read<Vec<(ObjectId, GeneralName)>> {
    list.map(|a| Ok((oid(&a.access_method)?, GeneralName::read(&a.access_location)?))).collect()
}

fn encode_access((method, location): &(ObjectId, GeneralName)) -> Vec<u8> {
    sequence(vec![encode_oid(method), location.encode()])
}
