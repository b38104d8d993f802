//! Who may do what on this node: roles from `node.toml`, rules in Cedar.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    str::FromStr as _,
    sync::{Mutex, PoisonError},
};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId,
    EntityTypeName, EntityUid, PolicyId, PolicySet, PrincipalConstraint, Request,
    RestrictedExpression, Schema, SchemaFragment, ValidationMode, Validator,
};
use chancery_bus::{AccessSettings, NodeConfig, NodeError};
use chancery_certs::{AgencyName, SignerName};
use chancery_ledger::unix_now;
use chancery_protocol::{DocumentHeader, SecrecyLevel};
use chancery_store::files::read_text;

/// The rules of a node that names no others.
pub const DEFAULT_POLICIES: &str = include_str!("access.default.cedar");

/// What rules can speak of.
pub const POLICY_SCHEMA: &str = include_str!("access.cedarschema");

/// What somebody wants to do: something of the node's own, or of a module's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action<'a> {
    /// The module; none for the node's own.
    module: Option<&'a str>,
    name: &'a str,
}

impl Action<'_> {
    /// Send a document.
    pub const SEND: Action<'static> = Action::own("send");
    /// Have the agency's seal put on an envelope.
    pub const SEAL: Action<'static> = Action::own("seal");
    /// Receive and register a document (签收).
    pub const RECEIVE: Action<'static> = Action::own("receive");
    /// Return a document with a reason (退回).
    pub const RETURN: Action<'static> = Action::own("return");
    /// Withdraw a document (撤回).
    pub const WITHDRAW: Action<'static> = Action::own("withdraw");
    /// See that there is a document.
    pub const LIST: Action<'static> = Action::own("list");
    /// Open a document.
    pub const READ: Action<'static> = Action::own("read");
    /// See how a document went.
    pub const TRACE: Action<'static> = Action::own("trace");
    /// See how the node does.
    pub const STATUS: Action<'static> = Action::own("status");
    /// Be told of what happens.
    pub const WATCH: Action<'static> = Action::own("watch");
    /// See the ledger.
    pub const AUDIT: Action<'static> = Action::own("audit");
    /// Operate the node.
    pub const OPERATE: Action<'static> = Action::own("operate");
    /// Have content removed for good.
    pub const PURGE: Action<'static> = Action::own("purge");
    /// File with a module, as an enterprise or a citizen, and read what is kept of it.
    pub const FILE: Action<'static> = Action::own("file");
    /// Take out what modules have decided, with all that was filed: whoever may that reads all of it.
    pub const EXPORT: Action<'static> = Action::own("export");
}

impl<'a> Action<'a> {
    const fn own(name: &'a str) -> Self {
        Self { module: None, name }
    }

    /// An action of a module, which its fragment declares.
    pub fn of(module: &'a str, name: &'a str) -> Self {
        Self { module: Some(module), name }
    }

    /// Its name in policies.
    pub fn name(self) -> &'a str {
        self.name
    }
}

/// What rules can read of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Texts in no order.
    Texts(Vec<String>),
}

impl Attribute {
    fn expression(&self) -> RestrictedExpression {
        let text = |text: &String| RestrictedExpression::new_string(text.clone());
        match self {
            Self::Text(value) => text(value),
            Self::Number(value) => RestrictedExpression::new_long(*value),
            Self::Flag(value) => RestrictedExpression::new_bool(*value),
            Self::Texts(values) => RestrictedExpression::new_set(values.iter().map(text)),
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
    /// A thing of a module's, as its fragment declares it: module, kind, what rules can read of it.
    Thing(&'a str, &'a str, &'a [(String, Attribute)]),
}

/// What a module adds to what rules can speak of, and its own rules. All of it stands in a namespace of the module's name.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The module.
    pub module: String,
    /// Its part of the schema, in Cedar's own notation.
    pub schema: String,
    /// Its rules, each with an `@id`. They speak of the module's own actions alone.
    pub policies: String,
}

/// The namespace of a module: names there have no hyphens.
fn namespace(module: &str) -> String {
    module.replace('-', "_")
}

/// The roles whose members are cleared, and how far. Whoever is in none of them is not.
const CLEARED: [(&str, SecrecyLevel); 3] = [
    ("cleared", SecrecyLevel::TopSecret),
    ("cleared-highly-secret", SecrecyLevel::HighlySecret),
    ("cleared-secret", SecrecyLevel::Secret),
];

/// What stands before the name of an enterprise or a citizen.
const PARTY: &str = "party:";

/// Somebody who asks: an officer by name, `party:NAME`, `unix:NAME`, or `token:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller(pub(crate) String);

impl Caller {
    /// An officer or agency that has proved it with a certificate or a signature.
    pub fn signer(name: impl std::fmt::Display) -> Self {
        Self(name.to_string())
    }

    /// Whoever a certificate names. Parties are told apart from officers by more than where they are named.
    pub fn of(name: &SignerName) -> Self {
        match name {
            SignerName::Party(name) => Self(format!("{PARTY}{name}")),
            name => Self::signer(name),
        }
    }

    /// The name of an enterprise or a citizen.
    pub fn party(&self) -> Option<&str> {
        self.0.strip_prefix(PARTY)
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
    /// Tokens, and the officers as whom they read what modules keep. They are in no role by that.
    tokens: BTreeMap<String, String>,
    types: Types,
    /// Questions that were answered with yes. Rules and roles do not change while the node runs, so neither do answers.
    known: Mutex<HashSet<String>>,
}

/// The reason when there is no other.
const NO_RULE: &str = "the rule that what no rule permits is refused";

/// Answered questions that are remembered.
const MAX_KNOWN: usize = 4096;

/// All that an answer can depend on, as one text: what rules are given to read of the object stands in it whole, and they are
/// given nothing else. Every piece is preceded by its length: no two questions are one text.
fn question(principal: &Caller, caller: &Caller, action: Action<'_>, object: &Asked) -> String {
    let mut text = String::new();
    let mut piece = |piece: &str| {
        text.push_str(&piece.len().to_string());
        text.push(':');
        text.push_str(piece);
    };
    piece(principal.name());
    piece(caller.name());
    piece(action.module.unwrap_or_default());
    piece(action.name);
    piece(&object.kind);
    for (name, value) in &object.attributes {
        piece(name);
        match value {
            Attribute::Text(value) => piece(value),
            Attribute::Number(value) => piece(&value.to_string()),
            Attribute::Flag(value) => piece(if *value { "yes" } else { "no" }),
            Attribute::Texts(values) => {
                piece(&values.len().to_string());
                values.iter().for_each(|value| piece(value));
            }
        }
    }
    text
}

/// An object as rules are asked about it: its type in policies, and all that they can read of it.
struct Asked {
    kind: String,
    attributes: Vec<(String, Attribute)>,
}

impl Asked {
    fn of(object: Object<'_>) -> Self {
        match object {
            Object::Node => Self { kind: "Node".to_owned(), attributes: Vec::new() },
            Object::Document(header, incoming) => {
                Self { kind: "Document".to_owned(), attributes: attributes(header, incoming) }
            }
            Object::Thing(module, kind, attributes) => Self {
                kind: format!("{}::{kind}", namespace(module)),
                attributes: attributes.to_vec(),
            },
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("roles", &self.roles).finish_non_exhaustive()
    }
}

struct Types {
    user: EntityTypeName,
    role: EntityTypeName,
}

impl Types {
    fn new() -> Result<Self, String> {
        Ok(Self { user: named("User")?, role: named("Role")? })
    }
}

fn named(name: &str) -> Result<EntityTypeName, String> {
    EntityTypeName::from_str(name).map_err(|e| e.to_string())
}

/// An action as policies name it.
fn action_uid(action: Action<'_>) -> Result<EntityUid, String> {
    let kind = match action.module {
        Some(module) => named(&format!("{}::Action", namespace(module)))?,
        None => named("Action")?,
    };
    Ok(uid(&kind, action.name))
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// Adds rules. Those of a module have its name before their own, and speak of its own actions alone: it cannot permit, or forbid,
/// what is the node's or another's.
fn add_policies(all: &mut PolicySet, text: &str, module: Option<&str>) -> Result<(), String> {
    for policy in PolicySet::from_str(text).map_err(|e| e.to_string())?.policies() {
        let id = policy.annotation("id").filter(|id| !id.is_empty());
        let id = id.ok_or("every policy must have an @id: refusals name it")?;
        let id = match module {
            None => id.to_owned(),
            Some(module) => {
                let own = named(&format!("{}::Action", namespace(module)))?;
                let speaks_of_own = match policy.action_constraint() {
                    ActionConstraint::Any => false,
                    ActionConstraint::In(actions) => {
                        actions.iter().all(|action| *action.type_name() == own)
                    }
                    ActionConstraint::Eq(action) => *action.type_name() == own,
                };
                if !speaks_of_own {
                    return Err(format!(
                        "the rule {id} speaks of more than the module's own actions"
                    ));
                }
                format!("{module}/{id}")
            }
        };
        all.add(policy.new_id(PolicyId::new(id))).map_err(|e| e.to_string())?;
    }
    Ok(())
}

impl Access {
    /// Reads and checks the rules that the configuration names.
    ///
    /// # Errors
    /// [`NodeError::Config`], naming the rule that is not right.
    pub fn load(config: &NodeConfig) -> Result<Self, NodeError> {
        let AccessSettings { policies, roles, users, appointer: _ } = &config.access;
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
        let tokens = config.api.tokens.iter();
        let tokens = tokens.filter_map(|token| {
            Some((format!("token:{}", token.name), token.officer.as_ref()?.to_string()))
        });
        Ok(Self { users: users.collect(), tokens: tokens.collect(), ..access })
    }

    /// How secret a document may be that somebody sees at a time. This is asked whichever door he comes in by. Whoever is
    /// in a role at all is an officer of the agency, or stands for one: what is 内部 is for him.
    pub fn clearance(&self, officer: &Caller, _at: i64) -> SecrecyLevel {
        // A party is nobody's officer, whatever roles the rules know it by.
        if officer.party().is_some() {
            return SecrecyLevel::None;
        }
        let roles = self.roles_of(officer);
        let cleared = CLEARED.iter().filter(|(role, _)| roles.contains(role));
        let most = cleared.map(|(_, level)| *level).max();
        let own = if roles.is_empty() { SecrecyLevel::None } else { SecrecyLevel::Internal };
        most.unwrap_or(own)
    }

    /// The officer that somebody is known to be: himself, or whose user of this machine or token he is.
    pub fn officer_of(&self, caller: &Caller) -> Option<Caller> {
        let named = self.users.get(caller.name()).or_else(|| self.tokens.get(caller.name()));
        let own = || (!caller.name().contains(':')).then(|| caller.clone());
        named.map(|officer| Caller(officer.clone())).or_else(own)
    }

    /// Whether somebody may see what is written over a document: its title, its number, the names of its parts.
    pub fn may_see(&self, caller: &Caller, header: &DocumentHeader, at: i64) -> bool {
        header.level() <= self.clearance(caller, at)
    }

    /// Refuses whom no rule could permit something, with whatever object. Nothing is looked for on his behalf.
    ///
    /// # Errors
    /// [`NodeError::NotPermitted`].
    pub fn could(&self, principal: &Caller, action: Action<'_>) -> Result<(), NodeError> {
        let roles = self.roles_of(principal);
        let of_role =
            |role: &EntityUid| roles.iter().any(|own| uid(&self.types.role, own) == *role);
        let user = uid(&self.types.user, principal.name());
        let wanted = action_uid(action).ok();
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
                ActionConstraint::In(actions) => {
                    wanted.as_ref().is_some_and(|wanted| actions.contains(wanted))
                }
                ActionConstraint::Eq(one) => Some(one) == wanted,
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
        Self::with_modules(text, roles, &[])
    }

    /// With what modules add: their fragments of the schema, and their own rules.
    fn with_modules(
        text: &str,
        roles: Vec<(String, Vec<String>)>,
        fragments: &[Fragment],
    ) -> Result<Self, String> {
        let (own, _) =
            SchemaFragment::from_cedarschema_str(POLICY_SCHEMA).map_err(|e| e.to_string())?;
        let mut schemas = vec![own];
        let mut policies = PolicySet::new();
        add_policies(&mut policies, text, None)?;
        for Fragment { module, schema, policies: text } in fragments {
            let of = |why: String| format!("module {module}: {why}");
            let (schema, _) =
                SchemaFragment::from_cedarschema_str(schema).map_err(|e| of(e.to_string()))?;
            // Nobody redeclares what is another's.
            let own = namespace(module);
            if let Some(other) = schema
                .namespaces()
                .find(|name| name.as_ref().is_none_or(|name| name.to_string() != own))
            {
                let other = other.map_or("the node's own".to_owned(), |name| name.to_string());
                return Err(of(format!("it declares something in the namespace {other}")));
            }
            schemas.push(schema);
            add_policies(&mut policies, text, Some(module)).map_err(of)?;
        }
        let schema = Schema::from_schema_fragments(schemas).map_err(|e| e.to_string())?;
        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if let Some(error) = checked.validation_errors().next() {
            return Err(error.to_string());
        }
        let authorizer = Authorizer::new();
        let known = Mutex::default();
        let (users, tokens) = Default::default();
        let types = Types::new()?;
        Ok(Self { authorizer, policies, schema, roles, users, tokens, types, known })
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
        action: Action<'_>,
        object: Object<'_>,
    ) -> Result<(), NodeError> {
        let asked = Asked::of(object);
        let question = question(principal, caller, action, &asked);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&question) {
            return Ok(());
        }
        drop(known);
        let roles = self.roles_of(principal);
        let answer = self.ask(principal, caller, &roles, action, &asked);
        // A rule that cannot be evaluated must not let anybody in.
        let Some(rule) = answer.unwrap_or_else(Some) else {
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
            Object::Thing(module, kind, _) => format!("a {kind} of {module}"),
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
        action: Action<'_>,
        object: &Asked,
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
        let resource = uid(&named(&object.kind)?, "it");
        let read = object.attributes.iter().map(|(name, value)| (name.clone(), value.expression()));
        let entity = Entity::new(resource.clone(), read.collect(), HashSet::new());
        entities.push(entity.map_err(|e| e.to_string())?);
        let entities = Entities::from_entities(entities, Some(&self.schema));
        let entities = entities.map_err(|e| e.to_string())?;
        let caller = RestrictedExpression::new_string(caller.name().to_owned());
        let context = Context::from_pairs([("caller".to_owned(), caller)]);
        let action = action_uid(action)?;
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

/// What rules can read of a document.
fn attributes(header: &DocumentHeader, incoming: bool) -> Vec<(String, Attribute)> {
    let text = |text: &str| Attribute::Text(text.to_owned());
    let to = header.recipients().into_iter().map(|agency| agency.as_str().to_owned());
    [
        ("kind", text(&header.kind)),
        ("module", text(&header.module)),
        ("urgency", text(header.urgency.name())),
        ("classification", text(header.level().mark())),
        ("level", Attribute::Number(header.level().rank().into())),
        ("from", text(header.from.as_str())),
        ("to", Attribute::Texts(to.collect())),
        ("incoming", Attribute::Flag(incoming)),
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

fn default_roles(agency: &AgencyName, own: &Caller) -> [(String, Vec<String>); 5] {
    let officers = format!("*@{agency}");
    [
        ("operator".into(), vec!["unix:root".into(), own.name().into()]),
        ("clerk".into(), vec!["unix:*".into(), officers]),
        ("auditor".into(), Vec::new()),
        // Whom a registrar of the trust domain has certified as an enterprise or a citizen.
        ("party".into(), vec!["party:*".into()]),
        // Nobody, until somebody says so.
        ("cleared".into(), Vec::new()),
    ]
}

/// Whether a role's entry means somebody: a name, or one with a star for everything before or after it.
fn fits(entry: &str, caller: &Caller) -> bool {
    let name = caller.name();
    // Those of one registrar: party:*@party.zj.gov.cn.
    if let Some(end) = entry.strip_prefix("party:*") {
        return caller
            .party()
            .is_some_and(|name| end.is_empty() || end.starts_with('@') && name.ends_with(end));
    }
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
            crit: Vec::new(),
            filing: None,
            form: Default::default(),
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
            ("wang@a.gov.cn", Action::SEND, plain),
            ("wang@a.gov.cn", Action::SEAL, plain),
            ("wang@a.gov.cn", Action::READ, secret),
            ("unix:li", Action::READ, plain),
            ("unix:root", Action::OPERATE, node),
            ("token:audit", Action::AUDIT, node),
            ("token:audit", Action::TRACE, plain),
        ] {
            assert_eq!(refusal(&access, who, action, object), None, "{who} {action:?}");
        }
        for (who, action, object, rule) in [
            ("wang@b.gov.cn", Action::SEND, plain, "no rule permits"),
            // A name that only looks like one of the agency's.
            ("wang@xa.gov.cn", Action::SEND, plain, "no rule permits"),
            ("unix:lin", Action::READ, plain, "no rule permits"),
            ("unix:root", Action::READ, plain, "no rule permits"),
            ("unix:li", Action::OPERATE, node, "no rule permits"),
            ("token:audit", Action::READ, plain, "no rule permits"),
            ("zhang@a.gov.cn", Action::READ, secret, "rule secrets-are-for-the-cleared"),
            ("zhang@a.gov.cn", Action::SEND, secret, "rule secrets-are-for-the-cleared"),
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
            let read = refusal(&access, who, Action::READ, Object::Document(&header, true));
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
            ("li@a.gov.cn", Action::LIST),
            ("token:audit", Action::TRACE),
            ("token:one", Action::LIST),
        ] {
            could(who, action).expect(who);
        }
        for (who, action) in [
            ("token:erp", Action::LIST),
            ("wang@b.gov.cn", Action::READ),
            ("token:audit", Action::READ),
            ("token:one", Action::TRACE),
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

    const TENDERS: &str = r#"
        namespace tenders {
            entity Bid = { lot: Long, sealed: Bool, by: String };
            action open, score appliesTo { principal: User, resource: Bid, context: { caller: String } };
        }
    "#;

    fn module(schema: &str, policies: &str) -> Fragment {
        let [module, schema, policies] = ["tenders", schema, policies].map(str::to_owned);
        Fragment { module, schema, policies }
    }

    fn with(fragment: Fragment) -> Result<Access, String> {
        Access::with_modules(DEFAULT_POLICIES, roles(&[("panel", &["li@a.gov.cn"])]), &[fragment])
    }

    #[test]
    fn a_module_has_actions_and_rules_of_its_own_and_answers_are_kept_by_all_that_they_read() {
        let opened = r#"@id("opened-bids") permit (principal in Role::"panel", action == tenders::Action::"score",
            resource) when { !resource.sealed && resource.lot < 3 };"#;
        let access = with(module(TENDERS, opened)).expect("it is right");
        let li = Caller::signer("li@a.gov.cn");
        let bid = |lot: i64, sealed: bool| {
            [
                ("lot".to_owned(), Attribute::Number(lot)),
                ("sealed".to_owned(), Attribute::Flag(sealed)),
                ("by".to_owned(), Attribute::Text("wang".into())),
            ]
        };
        let score = |bid: &[(String, Attribute)]| {
            let action = Action::of("tenders", "score");
            access.check(&li, &li, action, Object::Thing("tenders", "Bid", bid)).is_ok()
        };
        // A yes about one says nothing of another, in whatever order they are asked about.
        for _ in 0..2 {
            assert!(score(&bid(1, false)) && score(&bid(2, false)));
            assert!(!score(&bid(1, true)) && !score(&bid(3, false)));
        }
        let open = Action::of("tenders", "open");
        let bid = bid(1, false);
        let refused = access.check(&li, &li, open, Object::Thing("tenders", "Bid", &bid));
        assert!(matches!(refused, Err(NodeError::NotPermitted { .. })), "no rule permits it");
        // The node's own actions of that name are others.
        assert!(access.could(&li, Action::own("score")).is_err());
        assert!(access.could(&li, Action::of("tenders", "score")).is_ok());
    }

    #[test]
    fn no_module_declares_or_permits_what_is_not_its_own() {
        let foreign = [
            (r#"namespace other { entity Bid; }"#, ""),
            (r#"entity Node2;"#, ""),
            (TENDERS, r#"@id("x") permit (principal, action, resource);"#),
            (TENDERS, r#"@id("x") permit (principal, action == Action::"purge", resource);"#),
            (
                TENDERS,
                r#"@id("x") forbid (principal, action in [tenders::Action::"open", Action::"read"], resource);"#,
            ),
            (TENDERS, r#"permit (principal, action == tenders::Action::"open", resource);"#),
            (
                TENDERS,
                r#"@id("x") permit (principal, action == tenders::Action::"open", resource) when { resource.none };"#,
            ),
        ];
        for (schema, policies) in foreign {
            let refused = with(module(schema, policies)).expect_err(policies);
            assert!(!refused.is_empty());
        }
        let own = r#"@id("x") permit (principal, action == tenders::Action::"open", resource);"#;
        with(module(TENDERS, own)).expect("its own is its own");
    }
}
