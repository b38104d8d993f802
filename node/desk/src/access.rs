//! Who may do what on this node: roles from `node.toml`, rules in Cedar.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    str::FromStr as _,
    sync::{Mutex, PoisonError},
};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId,
    EntityTypeName, EntityUid, PolicyId, PolicySet, PrincipalConstraint, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};
use chancery_bus::{AccessSettings, NodeConfig, NodeError};
use chancery_certs::AgencyName;
use chancery_ledger::unix_now;
use chancery_protocol::{DocumentHeader, SecrecyLevel};
use chancery_store::files::read_text;

/// The rules of a node that names no others.
pub const DEFAULT_POLICIES: &str = include_str!("access.default.cedar");

/// What rules can speak of.
pub const POLICY_SCHEMA: &str = include_str!("access.cedarschema");

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a document.
    Send,
    /// Have the agency's seal put on an envelope.
    Seal,
    /// Receive and register a document (签收).
    Receive,
    /// Return a document with a reason (退回).
    Return,
    /// Withdraw a document (撤回).
    Withdraw,
    /// See that there is a document.
    List,
    /// Open a document.
    Read,
    /// See how a document went.
    Trace,
    /// See how the node does.
    Status,
    /// Be told of what happens.
    Watch,
    /// See the ledger.
    Audit,
    /// Operate the node.
    Operate,
    /// Have content removed for good.
    Purge,
}

impl Action {
    /// Its name in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Seal => "seal",
            Self::Receive => "receive",
            Self::Return => "return",
            Self::Withdraw => "withdraw",
            Self::List => "list",
            Self::Read => "read",
            Self::Trace => "trace",
            Self::Status => "status",
            Self::Watch => "watch",
            Self::Audit => "audit",
            Self::Operate => "operate",
            Self::Purge => "purge",
        }
    }
}

/// With what.
#[derive(Debug, Clone, Copy)]
pub enum Object<'a> {
    /// The node as a whole.
    Node,
    /// A document, and whether it came in.
    Document(&'a DocumentHeader, bool),
}

/// The roles whose members are cleared, and how far. Whoever is in none of them is not.
const CLEARED: [(&str, SecrecyLevel); 3] = [
    ("cleared", SecrecyLevel::TopSecret),
    ("cleared-highly-secret", SecrecyLevel::HighlySecret),
    ("cleared-secret", SecrecyLevel::Secret),
];

/// Somebody who asks: an officer by name, `unix:NAME`, or `token:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller(String);

impl Caller {
    /// An officer or agency that has proved it with a certificate or a signature.
    pub fn signer(name: impl std::fmt::Display) -> Self {
        Self(name.to_string())
    }

    /// A user of this machine.
    pub fn unix(uid: u32) -> Self {
        Self(format!("unix:{}", user_name(uid).unwrap_or_else(|| uid.to_string())))
    }

    /// The holder of a token.
    pub fn token(name: &str) -> Self {
        Self(format!("token:{name}"))
    }

    /// The name, as roles speak of it.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a user of this machine. Users that only a directory service knows go by their number.
fn user_name(uid: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The rules in force.
pub struct Access {
    authorizer: Authorizer,
    policies: PolicySet,
    schema: Schema,
    roles: Vec<(String, Vec<String>)>,
    /// Users of this machine, and the officers that they are.
    users: BTreeMap<String, String>,
    types: Types,
    /// Questions that were answered with yes. Rules and roles do not change while the node runs, so neither do answers.
    known: Mutex<HashSet<String>>,
}

/// The reason when there is no other.
const NO_RULE: &str = "the rule that what no rule permits is refused";

/// Answered questions that are remembered.
const MAX_KNOWN: usize = 4096;

/// All that an answer can depend on, as one text. Every piece is preceded by its length: no two questions are one text.
fn question(principal: &Caller, caller: &Caller, action: Action, object: Object<'_>) -> String {
    let mut text = String::new();
    let mut piece = |piece: &str| {
        text.push_str(&piece.len().to_string());
        text.push(':');
        text.push_str(piece);
    };
    piece(principal.name());
    piece(caller.name());
    piece(action.name());
    if let Object::Document(header, incoming) = object {
        piece(&header.kind);
        piece(&header.module);
        piece(header.urgency.name());
        piece(header.level().mark());
        piece(header.from.as_str());
        piece(if incoming { "in" } else { "out" });
        for recipient in header.recipients() {
            piece(recipient.as_str());
        }
    }
    text
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("roles", &self.roles).finish_non_exhaustive()
    }
}

struct Types {
    user: EntityTypeName,
    role: EntityTypeName,
    node: EntityTypeName,
    document: EntityTypeName,
    action: EntityTypeName,
}

impl Types {
    fn new() -> Result<Self, String> {
        let of = |name: &str| EntityTypeName::from_str(name).map_err(|e| e.to_string());
        Ok(Self {
            user: of("User")?,
            role: of("Role")?,
            node: of("Node")?,
            document: of("Document")?,
            action: of("Action")?,
        })
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

impl Access {
    /// Reads and checks the rules that the configuration names.
    ///
    /// # Errors
    /// [`NodeError::Config`], naming the rule that is not right.
    pub fn load(config: &NodeConfig) -> Result<Self, NodeError> {
        let AccessSettings { policies, roles, users } = &config.access;
        let text = match policies {
            Some(path) => read_text(path)?,
            None => DEFAULT_POLICIES.to_owned(),
        };
        let own = Caller::unix(process_user());
        let mut members: Vec<_> = default_roles(&config.agency, &own).into();
        for (role, given) in roles {
            members.retain(|(name, _)| name != role);
            members.push((role.clone(), given.clone()));
        }
        let users =
            users.iter().map(|(user, officer)| (format!("unix:{user}"), officer.to_string()));
        let access = Self::new(&text, members).map_err(|why| NodeError::Config {
            path: policies.clone().unwrap_or_else(|| "the default policies".into()),
            why,
        })?;
        Ok(Self { users: users.collect(), ..access })
    }

    /// How secret a document may be that somebody sees at a time. This is asked whichever door he comes in by. Whoever is
    /// in a role at all is an officer of the agency, or stands for one: what is 内部 is for him.
    pub fn clearance(&self, officer: &Caller, _at: i64) -> SecrecyLevel {
        let roles = self.roles_of(officer);
        let cleared = CLEARED.iter().filter(|(role, _)| roles.contains(role));
        let most = cleared.map(|(_, level)| *level).max();
        let own = if roles.is_empty() { SecrecyLevel::None } else { SecrecyLevel::Internal };
        most.unwrap_or(own)
    }

    /// Whether somebody may see what is written over a document: its title, its number, the names of its parts.
    pub fn may_see(&self, caller: &Caller, header: &DocumentHeader, at: i64) -> bool {
        header.level() <= self.clearance(caller, at)
    }

    /// Refuses whom no rule could permit something, with whatever object. Nothing is looked for on his behalf.
    ///
    /// # Errors
    /// [`NodeError::NotPermitted`].
    pub fn could(&self, principal: &Caller, action: Action) -> Result<(), NodeError> {
        let roles = self.roles_of(principal);
        let of_role =
            |role: &EntityUid| roles.iter().any(|own| uid(&self.types.role, own) == *role);
        let (user, wanted) =
            (uid(&self.types.user, principal.name()), uid(&self.types.action, action.name()));
        let permits = self.policies.policies().any(|policy| {
            let principal = match policy.principal_constraint() {
                PrincipalConstraint::In(role) | PrincipalConstraint::IsIn(_, role) => {
                    of_role(&role) || role == user
                }
                PrincipalConstraint::Eq(name) => name == user,
                PrincipalConstraint::Any | PrincipalConstraint::Is(_) => true,
            };
            let action = match policy.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::In(actions) => actions.contains(&wanted),
                ActionConstraint::Eq(one) => one == wanted,
            };
            policy.effect() == Effect::Permit && principal && action
        });
        if permits {
            return Ok(());
        }
        let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
        let why = format!("{principal} (roles: {roles}) may not {} anything", action.name());
        Err(NodeError::NotPermitted { rule: NO_RULE.to_owned(), why })
    }

    fn members<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a str> {
        let lists = self.roles.iter().filter(move |(role, _)| role == wanted);
        lists.flat_map(|(_, members)| members.iter().map(String::as_str))
    }

    /// Who works with documents and is not cleared for what is secret: by the entries of the role of clerks.
    pub fn uncleared(&self) -> Vec<&str> {
        let cleared: HashSet<_> = CLEARED.iter().flat_map(|(role, _)| self.members(role)).collect();
        let is_cleared = |entry: &str| {
            let one = || self.clearance(&Caller(entry.to_owned()), unix_now()).is_secret();
            cleared.contains(entry) || !entry.contains('*') && one()
        };
        self.members("clerk").filter(|entry| !is_cleared(entry)).collect()
    }

    fn new(text: &str, roles: Vec<(String, Vec<String>)>) -> Result<Self, String> {
        let (schema, _) = Schema::from_cedarschema_str(POLICY_SCHEMA).map_err(|e| e.to_string())?;
        let parsed = PolicySet::from_str(text).map_err(|e| e.to_string())?;
        let mut policies = PolicySet::new();
        for policy in parsed.policies() {
            let id = policy.annotation("id").filter(|id| !id.is_empty());
            let id = id.ok_or("every policy must have an @id: refusals name it")?;
            let named = policy.new_id(PolicyId::new(id));
            policies.add(named).map_err(|e| e.to_string())?;
        }
        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if let Some(error) = checked.validation_errors().next() {
            return Err(error.to_string());
        }
        let authorizer = Authorizer::new();
        let known = Mutex::default();
        let users = BTreeMap::new();
        Ok(Self { authorizer, policies, schema, roles, users, types: Types::new()?, known })
    }

    /// The roles that somebody is in.
    pub fn roles_of(&self, caller: &Caller) -> Vec<&str> {
        // A user of this machine who is an officer is in the officer's roles besides.
        let officer = self.users.get(caller.name()).map(|officer| Caller(officer.clone()));
        let fits = |entry: &String| {
            fits(entry, caller) || officer.as_ref().is_some_and(|officer| fits(entry, officer))
        };
        let is_in = |(_, members): &&(String, Vec<String>)| members.iter().any(fits);
        self.roles.iter().filter(is_in).map(|(role, _)| role.as_str()).collect()
    }

    /// Asks whether `principal` may do this. `caller` is who asks for it.
    ///
    /// # Errors
    /// [`NodeError::NotPermitted`] with the rule that forbids it, or that none permits it.
    pub fn check(
        &self,
        principal: &Caller,
        caller: &Caller,
        action: Action,
        object: Object<'_>,
    ) -> Result<(), NodeError> {
        let question = question(principal, caller, action, object);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&question) {
            return Ok(());
        }
        drop(known);
        let roles = self.roles_of(principal);
        let asked = self.ask(principal, caller, &roles, action, object);
        // A rule that cannot be evaluated must not let anybody in.
        let Some(rule) = asked.unwrap_or_else(Some) else {
            known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(question);
            return Ok(());
        };
        let what = match object {
            Object::Node => "this node".to_owned(),
            Object::Document(header, _) => match header.level().mark() {
                "" => format!("a {}", header.kind),
                mark => format!("a {} ({mark})", header.kind),
            },
        };
        let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
        let why = format!("{principal} (roles: {roles}) may not {} {what}", action.name());
        Err(NodeError::NotPermitted { rule, why })
    }

    /// `None` when it is allowed, else the rule.
    fn ask(
        &self,
        principal: &Caller,
        caller: &Caller,
        roles: &[&str],
        action: Action,
        object: Object<'_>,
    ) -> Result<Option<String>, String> {
        let types = &self.types;
        let roles: HashSet<_> = roles.iter().map(|role| uid(&types.role, role)).collect();
        let user = uid(&types.user, principal.name());
        let mut entities: Vec<_> =
            roles.iter().map(|role| Entity::new_no_attrs(role.clone(), HashSet::new())).collect();
        let clearance = self.clearance(principal, unix_now()).rank();
        let clearance = RestrictedExpression::new_long(clearance.into());
        let known = HashMap::from([("clearance".to_owned(), clearance)]);
        let entity = Entity::new(user.clone(), known, roles);
        entities.push(entity.map_err(|e| e.to_string())?);
        let resource = match object {
            Object::Node => uid(&types.node, "node"),
            Object::Document(header, incoming) => {
                let document = uid(&types.document, "document");
                let attributes = attributes(header, incoming);
                let entity = Entity::new(document.clone(), attributes, HashSet::new());
                entities.push(entity.map_err(|e| e.to_string())?);
                document
            }
        };
        let entities = Entities::from_entities(entities, Some(&self.schema));
        let entities = entities.map_err(|e| e.to_string())?;
        let caller = RestrictedExpression::new_string(caller.name().to_owned());
        let context = Context::from_pairs([("caller".to_owned(), caller)]);
        let action = uid(&types.action, action.name());
        let context = context.map_err(|e| e.to_string())?;
        let request = Request::new(user, action, resource, context, Some(&self.schema));
        let request = request.map_err(|e| e.to_string())?;
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        if response.decision() == Decision::Allow {
            return Ok(None);
        }
        let forbidding = response.diagnostics().reason().map(ToString::to_string);
        let forbidding = forbidding.collect::<Vec<_>>().join(", ");
        let rule = match forbidding.is_empty() {
            true => NO_RULE.to_owned(),
            false => format!("rule {forbidding}"),
        };
        Ok(Some(rule))
    }
}

fn attributes(header: &DocumentHeader, incoming: bool) -> HashMap<String, RestrictedExpression> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let to = header.recipients().into_iter().map(|agency| text(agency.as_str()));
    [
        ("kind", text(&header.kind)),
        ("module", text(&header.module)),
        ("urgency", text(header.urgency.name())),
        ("classification", text(header.level().mark())),
        ("level", RestrictedExpression::new_long(header.level().rank().into())),
        ("from", text(header.from.as_str())),
        ("to", RestrictedExpression::new_set(to)),
        ("incoming", RestrictedExpression::new_bool(incoming)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The user that this process runs as.
fn process_user() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    // A process owns its own entry. Where there is no /proc, nobody is the node's user.
    std::fs::metadata("/proc/self").map_or(u32::MAX, |entry| entry.uid())
}

fn default_roles(agency: &AgencyName, own: &Caller) -> [(String, Vec<String>); 4] {
    let officers = format!("*@{agency}");
    [
        ("operator".into(), vec!["unix:root".into(), own.name().into()]),
        ("clerk".into(), vec!["unix:*".into(), officers]),
        ("auditor".into(), Vec::new()),
        // Nobody, until somebody says so.
        ("cleared".into(), Vec::new()),
    ]
}

/// Whether a role's entry means somebody: a name, or one with a star for everything before or after it.
fn fits(entry: &str, caller: &Caller) -> bool {
    let name = caller.name();
    match (entry.strip_prefix('*'), entry.strip_suffix('*')) {
        (Some(end), _) if end.starts_with('@') => name.ends_with(end) && !name.contains(':'),
        (_, Some(start)) if start == "unix:" || start == "token:" => name.starts_with(start),
        _ => entry == name,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chancery_crypto::Digest;
    use chancery_protocol::Urgency;

    use super::*;

    fn header(classification: Option<&str>) -> DocumentHeader {
        DocumentHeader {
            kind: "通知".into(),
            number: None,
            title: "t".into(),
            from: "a.gov.cn".parse().expect("a name"),
            to: vec!["b.gov.cn".parse().expect("a name")],
            cc: Vec::new(),
            classification: classification.map(str::to_owned),
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: 0,
            deadline: None,
            in_reply_to: None,
            module: "official-documents".into(),
            fields: BTreeMap::new(),
            parts: Vec::new(),
            nonce: Digest::of(b""),
        }
    }

    fn roles(entries: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let members = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        entries.iter().map(|(role, list)| ((*role).to_owned(), members(list))).collect()
    }

    fn refusal(access: &Access, who: &str, action: Action, object: Object<'_>) -> Option<String> {
        let who = Caller(who.into());
        access.check(&who, &who, action, object).err().map(|error| {
            assert_eq!(error.code(), "CHY-4018");
            error.to_string()
        })
    }

    #[test]
    fn the_default_rules_permit_by_role_and_every_refusal_names_its_rule() {
        let members = roles(&[
            ("clerk", &["*@a.gov.cn", "unix:li"]),
            ("operator", &["unix:root"]),
            ("auditor", &["token:audit"]),
            ("cleared", &["wang@a.gov.cn"]),
        ]);
        let access = Access::new(DEFAULT_POLICIES, members).expect("they are sound");
        let plain = header(None);
        let (plain, node) = (Object::Document(&plain, true), Object::Node);
        let secret = header(Some("绝密"));
        let secret = Object::Document(&secret, true);
        for (who, action, object) in [
            ("wang@a.gov.cn", Action::Send, plain),
            ("wang@a.gov.cn", Action::Seal, plain),
            ("wang@a.gov.cn", Action::Read, secret),
            ("unix:li", Action::Read, plain),
            ("unix:root", Action::Operate, node),
            ("token:audit", Action::Audit, node),
            ("token:audit", Action::Trace, plain),
        ] {
            assert_eq!(refusal(&access, who, action, object), None, "{who} {action:?}");
        }
        for (who, action, object, rule) in [
            ("wang@b.gov.cn", Action::Send, plain, "no rule permits"),
            // A name that only looks like one of the agency's.
            ("wang@xa.gov.cn", Action::Send, plain, "no rule permits"),
            ("unix:lin", Action::Read, plain, "no rule permits"),
            ("unix:root", Action::Read, plain, "no rule permits"),
            ("unix:li", Action::Operate, node, "no rule permits"),
            ("token:audit", Action::Read, plain, "no rule permits"),
            ("zhang@a.gov.cn", Action::Read, secret, "rule secrets-are-for-the-cleared"),
            ("zhang@a.gov.cn", Action::Send, secret, "rule secrets-are-for-the-cleared"),
        ] {
            let said = refusal(&access, who, action, object).expect(who);
            assert!(said.contains(rule) && said.contains(who), "{said}");
            assert!(said.contains(action.name()), "{said}");
        }
    }

    #[test]
    fn every_notation_of_a_secret_is_for_the_cleared_and_what_is_internal_for_all() {
        let members = roles(&[
            ("clerk", &["*@a.gov.cn", "unix:*"]),
            ("cleared", &["wang@a.gov.cn"]),
            ("cleared-secret", &["zhang@a.gov.cn"]),
        ]);
        let access = Access::new(DEFAULT_POLICIES, members).expect("they are sound");
        let users = BTreeMap::from([("unix:w".to_owned(), "wang@a.gov.cn".to_owned())]);
        let access = Access { users, ..access };
        let may = |who: &str, classification: &str| {
            let header = header(Some(classification));
            let read = refusal(&access, who, Action::Read, Object::Document(&header, true));
            let seen = access.may_see(&Caller(who.into()), &header, 0);
            assert_eq!(read.is_none(), seen, "{who} {classification}");
            seen
        };
        for secret in ["绝密", "绝密★30年", "机密★1年", "机密 ", "　绝密", "機密", "绝密\u{200b}"]
        {
            assert!(may("wang@a.gov.cn", secret) && may("unix:w", secret), "{secret}");
            assert!(!may("li@a.gov.cn", secret) && !may("unix:li", secret), "{secret}");
            assert!(!may("zhang@a.gov.cn", secret), "{secret}");
        }
        for unknown in ["TOP SECRET", "机秘", "绝密（核心）"] {
            assert!(may("wang@a.gov.cn", unknown) && !may("zhang@a.gov.cn", unknown), "{unknown}");
        }
        for least in ["秘密", "秘密★5年"] {
            assert!(may("zhang@a.gov.cn", least) && !may("li@a.gov.cn", least), "{least}");
        }
        for open in ["内部", "", "无"] {
            assert!(may("li@a.gov.cn", open) && may("unix:li", open), "{open}");
        }
        assert_eq!(access.uncleared(), ["*@a.gov.cn", "unix:*"]);
    }

    #[test]
    fn whom_no_rule_could_permit_anything_is_refused_before_anything_is_looked_for() {
        let members = roles(&[("clerk", &["li@a.gov.cn"]), ("auditor", &["token:audit"])]);
        let own = format!(
            "{DEFAULT_POLICIES}\n@id(\"one\") permit (principal == User::\"token:one\", \
             action == Action::\"list\", resource) when {{ resource.kind == \"函\" }};"
        );
        let access = Access::new(&own, members).expect("they are sound");
        let could = |who: &str, action| access.could(&Caller(who.into()), action);
        for (who, action) in [
            ("li@a.gov.cn", Action::List),
            ("token:audit", Action::Trace),
            ("token:one", Action::List),
        ] {
            could(who, action).expect(who);
        }
        for (who, action) in [
            ("token:erp", Action::List),
            ("wang@b.gov.cn", Action::Read),
            ("token:audit", Action::Read),
            ("token:one", Action::Trace),
        ] {
            assert_eq!(could(who, action).expect_err(who).code(), "CHY-4018");
        }
    }

    #[test]
    fn rules_that_cannot_mean_what_they_say_are_refused_at_the_start() {
        for (text, named) in [
            ("permit (principal, action, resource);", "@id"),
            (
                "@id(\"x\") permit (principal, action, resource) when { resource.colour == 1 };",
                "colour",
            ),
            ("@id(\"x\") permit (principal, action == Action::\"snd\", resource);", "snd"),
            ("@id(\"x\") permit (principal in Roles::\"clerk\", action, resource);", "Roles"),
            ("@id(\"x\") permit (", "unexpected"),
            (
                "@id(\"x\") permit (principal, action, resource); @id(\"x\") permit (principal, action, \
                 resource);",
                "x",
            ),
        ] {
            let error = Access::new(text, Vec::new()).expect_err(text);
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn members_are_exact_names_or_stars_in_the_places_that_mean_something() {
        let fits = |entry, name: &str| fits(entry, &Caller(name.into()));
        assert!(fits("*@a.gov.cn", "li@a.gov.cn"));
        assert!(fits("unix:*", "unix:li") && fits("token:*", "token:erp"));
        assert!(!fits("*", "li@a.gov.cn"), "a lone star is nobody");
        assert!(!fits("*.gov.cn", "li@a.gov.cn") && !fits("unix:l*", "unix:li"));
        assert!(!fits("*@a.gov.cn", "token:x@a.gov.cn"));
    }
}
