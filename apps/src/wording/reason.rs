use chancery_crypto::{Language, say};
use chancery_protocol::Hand;

use crate::{
    civil::{Instant, Zone},
    manifest::{FormFault, Module},
    mechanism::Status,
    reason::{Reason, Refusal},
};

impl Reason {
    /// Why it is refused, in a sentence: the rule's own text where it has one, and the article.
    pub fn say(&self, module: &Module, language: Language) -> String {
        let why = self.why.say(Some(module), &self.rule, language);
        match &self.law {
            Some(law) => say!(language, ("{why} ({law})"), ("{why}（{law}）")),
            None => why,
        }
    }

    /// As [`Reason::say`], where the module is not at hand.
    pub fn say_plainly(&self, language: Language) -> String {
        let why = self.why.say(None, &self.rule, language);
        match &self.law {
            Some(law) => say!(language, ("{why} ({law})"), ("{why}（{law}）")),
            None => why,
        }
    }
}

impl Refusal {
    fn say(&self, module: Option<&Module>, rule: &str, language: Language) -> String {
        let zone = module.map_or(Zone::CHINA, |module| module.zone);
        let time = |at: i64| zone.show(Instant(at));
        let case = rule.split('/').nth(1).unwrap_or_default();
        let text = |name: &str| module.and_then(|module| module.text(language, name));
        let named = |kind: &str, name: &str| {
            text(&format!("{kind}-{case}-{name}")).map_or_else(|| name.to_owned(), str::to_owned)
        };
        let role = |name: &String| text(&format!("role-{name}")).unwrap_or(name).to_owned();
        let listed = |name: &String| {
            let kinds = ["roll", "draw", "sealed"].map(|kind| format!("{kind}-{name}"));
            kinds.iter().find_map(|kind| text(kind)).unwrap_or(name).to_owned()
        };
        match self {
            Self::NotFiled => say!(
                language,
                ("it does not say where it belongs: it is an ordinary document, and no act on a module"),
                ("文件未指明所属事项，只是普通公文，不是业务办理文件")
            ),
            Self::Mechanism(why) => why.say(zone, language),
            Self::OtherHome { home } => say!(
                language,
                ("it is for the ledger of {home}, and is decided there alone"),
                ("该文件应由 {home} 的账本裁定，不在此处办理")
            ),
            Self::Classified => say!(
                language,
                ("it is classified, and modules keep nothing classified yet"),
                ("该文件标有密级；业务模块目前不办理涉密事项")
            ),
            Self::DecidedBefore => say!(
                language,
                ("it was decided upon before; whoever wants it again signs it again"),
                ("该文件已经裁定过一次；如需再办，请重新签署")
            ),
            Self::TooOld { until } => {
                let until = time(*until);
                say!(
                    language,
                    ("it could be lodged until {until}; whoever still wants it signs it again"),
                    ("该文件的提交期限至 {until}，现已过期；如仍需办理，请重新签署")
                )
            }
            Self::NoModule => say!(
                language,
                ("no such module is in force here: an officer installs it with \"chancery module install\""),
                ("本机关未启用该业务模块，须由经办人用 chancery module install 启用")
            ),
            Self::OtherVersion { holds } => {
                let holds = holds.get(..12).unwrap_or(holds);
                say!(
                    language,
                    ("it was made by another version of the module; version {holds}… holds for it: fill it in again"),
                    ("该文件按模块的另一版本制作，应适用版本 {holds}…，请重新填写")
                )
            }
            Self::Variant { matching } if matching.is_empty() => say!(
                language,
                ("none of the module's variants is about this: see under which conditions each of them is"),
                ("该模块没有适用于本事项的方案，请核对各方案的适用条件")
            ),
            Self::Variant { matching } => {
                let (en, zh) = (matching.join(", "), matching.join("、"));
                say!(
                    language,
                    ("more than one of the module's variants is about this, and nobody can say which holds: {en}"),
                    ("同时有多个方案适用于本事项，无法确定依据哪一个：{zh}")
                )
            }
            Self::NoParent { name } => say!(
                language,
                ("it extends \"{name}\" in a version that was never installed here: install that first"),
                ("本模块所扩展的“{name}”的该版本从未在本机关启用，请先启用")
            ),
            Self::NoPublisher { name, of } => say!(
                language,
                ("{name} is named as a publisher by nobody, or not for \"{of}\": whoever appoints does that with \"chancery module publisher\""),
                ("{name} 未被登记为发布机关，或者不得发布“{of}”的内容；须由任命人用 chancery module publisher 登记")
            ),
            Self::LowerRank { publisher, rank } => say!(
                language,
                ("{publisher}, of rank {rank}, has ordered otherwise, and stands higher"),
                ("{publisher}（级别 {rank}）已另有规定，其级别更高")
            ),
            Self::FiledTwice { what, from, rank } => say!(
                language,
                ("of \"{what}\" there is one from {from} on of rank {rank} already, and nobody would know which holds: give another date"),
                ("“{what}”自 {from} 起、级别为 {rank} 的版本已经存在，无法确定适用哪一个，请另定日期")
            ),
            Self::MigratedBefore { from } => {
                let from = from.get(..12).unwrap_or(from);
                say!(
                    language,
                    ("what runs under version {from}… was led over to another version before"),
                    ("版本 {from}… 的在办事项此前已经迁移到另一版本")
                )
            }
            Self::Unmapped { count, left_out, needless } => {
                let list = |all: &[String], between: &str| match all.is_empty() {
                    true => "-".to_owned(),
                    false => all.join(between),
                };
                let (en_a, en_b) = (list(left_out, "; "), list(needless, ", "));
                let (zh_a, zh_b) = (list(left_out, "；"), list(needless, "、"));
                say!(
                    language,
                    ("the list of what stays behind is not what does not map ({count} differ). Not named: {en_a}. Named needlessly: {en_b}. Look with \"chancery module migrate --try\", and sign the list that it gives"),
                    ("列出的不迁移事项与实际无法对应的事项不符（相差 {count} 项）。未列出的：{zh_a}。不应列出的：{zh_b}。请先用 chancery module migrate --try 查看，再签署其给出的清单")
                )
            }
            Self::NoAct => say!(
                language,
                ("the module has no such act for documents"),
                ("该模块没有这一办理动作")
            ),
            Self::OtherType { wanted } => say!(
                language,
                ("the act is made by a document of type {wanted}"),
                ("该动作应使用类型为 {wanted} 的文件")
            ),
            Self::NoThing => {
                say!(language, ("there is no such matter here"), ("此处没有该事项，请核对编号"))
            }
            Self::About => say!(
                language,
                ("the act opens a matter and names one, or names none and opens none"),
                ("该动作用于新立事项时不应指明已有事项，办理已有事项时必须指明")
            ),
            Self::Moved { seen, is } => say!(
                language,
                ("the matter has moved since: its signer saw step {seen}, and it stands at {is}; look at it and sign again"),
                ("该事项已有变化：签署人看到的是第 {seen} 步，现为第 {is} 步；请重新查看后再签署")
            ),
            Self::NotEntitled { who, by, office } => {
                let by: Vec<_> = by.iter().map(role).collect();
                let (en, zh) = (by.join(", "), by.join("、"));
                match office {
                    None => say!(
                        language,
                        ("{who} is none of those who may: {en}"),
                        ("{who} 无权办理，应由{zh}办理")
                    ),
                    Some(office) => say!(
                        language,
                        ("{who} is none of those who may in the office {office}: {en}"),
                        ("{who} 在 {office} 无权办理，应由该处的{zh}办理")
                    ),
                }
            }
            Self::Excluded { who, not_by } => {
                let not_by = role(not_by);
                say!(
                    language,
                    ("{who} may not, being also: {not_by}"),
                    ("{who} 同时是“{not_by}”，应当回避")
                )
            }
            Self::NoProxy { how } => {
                let (en, zh) = hand(*how);
                say!(
                    language,
                    ("nobody may do this for another as {en}: the party does it itself, or as its module says"),
                    ("该动作不得以{zh}身份代办，应由当事人本人办理，或者按模块规定的方式办理")
                )
            }
            Self::NoMandate { who, party, how } => match how {
                Hand::Agent => say!(
                    language,
                    ("{who} has no power of attorney from {party} that is in force and for this act: the party gives one with \"chancery party empower\""),
                    ("{who} 没有 {party} 就该动作出具的有效授权委托书；当事人可用 chancery party empower 出具")
                ),
                Hand::Guardian => say!(
                    language,
                    ("{who} is not recorded as the guardian of {party}: an officer records it with \"chancery party guardian\""),
                    ("{who} 未登记为 {party} 的监护人；由工作人员用 chancery party guardian 登记")
                ),
                Hand::Assisted => say!(
                    language,
                    ("{who} is not appointed to help {party} or anybody at a counter here (the office's role \"counter\")"),
                    ("{who} 未被任命为本机关的窗口帮办人员（office 的 counter 角色），不得为 {party} 帮办")
                ),
            },
            Self::WrongState { state, since, from } => {
                let (state, since) = (named("state", state), time(*since));
                let from: Vec<_> = from.iter().map(|name| named("state", name)).collect();
                let (en, zh) = (from.join(", "), from.join("、"));
                say!(
                    language,
                    ("the matter is \"{state}\" since {since}; this is possible when it is: {en}"),
                    ("该事项自 {since} 起为“{state}”；仅在“{zh}”时可办理")
                )
            }
            Self::AtMost { times } => say!(
                language,
                ("it was done {times} times, and may not be done more often"),
                ("已办理 {times} 次，不得再办")
            ),
            Self::Window { due, day, early } => {
                let due = named("due", due);
                match early {
                    true => say!(
                        language,
                        ("it is too early: \"{due}\" lasts until the end of {day}"),
                        ("尚未到时：“{due}”至 {day} 终了")
                    ),
                    false => say!(
                        language,
                        ("it is too late: \"{due}\" ended with {day}"),
                        ("已逾期：“{due}”已于 {day} 届满")
                    ),
                }
            }
            Self::Extension { due, left } => {
                let due = named("due", due);
                say!(
                    language,
                    ("\"{due}\" can be extended by at most {left} more, and by 1 at least"),
                    ("“{due}”最多还可延长 {left}，每次至少为 1")
                )
            }
            Self::Form(fault) => fault.say(language),
            Self::NoReason => {
                say!(language, ("a reason must be given"), ("必须说明理由"))
            }
            Self::Need { say } => text(say).unwrap_or(say).to_owned(),
            Self::Unknown { what } => say!(
                language,
                ("it cannot be said whether it may: {what}"),
                ("无法判断是否符合条件：{what}")
            ),
            Self::NotUnique { value } => say!(
                language,
                ("there is another already with: {value}"),
                ("已存在相同的记录：{value}")
            ),
            Self::NoRecord { registry } => {
                let registry = text(&format!("registry-{registry}")).unwrap_or(registry);
                say!(language, ("\"{registry}\" has no such record"), ("“{registry}”中没有该记录"))
            }
            Self::NoCredential { id } => say!(
                language,
                ("there is no credential \"{id}\"; look its number up"),
                ("没有编号为“{id}”的证件，请核对证件编号")
            ),
            Self::Status { is, now } => {
                let (is, now) = (status(language, is), status(language, now));
                say!(
                    language,
                    ("the credential is {is} and cannot become {now}; what is revoked is issued anew"),
                    ("证件目前的状态为“{is}”，不能改为“{now}”；已撤销的证件只能重新签发")
                )
            }
            Self::NotCommitted { who } => say!(
                language,
                ("{who} has filed no commitment before the list was frozen; open another draw with all who contribute"),
                ("{who} 在名单固定之前没有提交承诺值；请另行组织抽取，并由全体参与人先行承诺")
            ),
            Self::NotRevealed { who } => say!(
                language,
                ("{who} has not revealed the value to which he has committed; nothing is drawn before all have"),
                ("{who} 尚未揭示其承诺的数值；全体揭示之后方可抽取")
            ),
            Self::OtherValue { who } => say!(
                language,
                ("this is not the value to which {who} has committed"),
                ("该数值与 {who} 此前承诺的不一致")
            ),
            Self::OneEntry { draw } => say!(
                language,
                ("the list of \"{draw}\" and what is drawn by must stand in different entries; do this after the list is frozen"),
                ("“{draw}”的名单与抽取依据不能出自同一条记录；请在名单固定之后另行办理")
            ),
            Self::NoCheckpoint { least } => say!(
                language,
                ("no checkpoint after the list has been signed by {least} witnesses yet; try again when there is one"),
                ("名单固定之后，尚无经 {least} 个见证方签署的检查点，请稍后再办")
            ),
            Self::TooFew { stratum, have, need } => say!(
                language,
                ("{need} are to be drawn and there are {have} ({stratum})"),
                ("应抽取 {need} 个，现有 {have} 个（{stratum}）")
            ),
            Self::NotListed { who } => say!(
                language,
                ("{who} is not among those who were drawn"),
                ("{who} 不在抽取结果之中")
            ),
            Self::NoToken => say!(
                language,
                ("the token is on no list of those who were asked; type it as it was given"),
                ("该答卷码不在受邀名单之中，请核对后重新输入")
            ),
            Self::UsedToken => say!(
                language,
                ("the token has answered; each answers once"),
                ("该答卷码已经使用，每个答卷码只能作答一次")
            ),
            Self::NoEnvelope { who } => say!(
                language,
                ("{who} has deposited no envelope here"),
                ("{who} 在此没有存入密封件")
            ),
            Self::Envelope { why } => {
                let why = envelope(language, *why);
                say!(
                    language,
                    ("{why}; seal it again to the holders of this matter, or give the share of this envelope"),
                    ("{why}；请按本事项的密钥持有人重新密封，或者提交该密封件的份额")
                )
            }
            Self::Shares { have, need } => say!(
                language,
                ("{have} holders have given their shares and it takes {need}; nothing is opened"),
                ("已有 {have} 名密钥持有人提交份额，需要 {need} 名；密封件均未开启")
            ),
            Self::Quota { say, most } => {
                let rule = text(say).unwrap_or(say);
                say!(language, ("{rule}: {most} are taken"), ("{rule}：已满 {most} 份"))
            }
            Self::Frozen { list } => {
                let list = listed(list);
                say!(
                    language,
                    ("\"{list}\" is frozen and is made once; whoever wants another opens another matter"),
                    ("“{list}”已经固定，不能再次生成；如需另行生成，请另立事项")
                )
            }
            Self::NotFrozen { list } => {
                let list = listed(list);
                say!(
                    language,
                    ("\"{list}\" is not frozen yet; do first what freezes it"),
                    ("“{list}”尚未固定，请先办理固定名单的动作")
                )
            }
            Self::NoWork { work } => say!(
                language,
                ("nothing is published under \"{work}\": see its name"),
                ("没有以“{work}”为名的已发布文本，请核对名称")
            ),
            Self::NoPart { address } => say!(
                language,
                ("no version of it has the part {address}: see the addresses of its parts"),
                ("其各版本均无 {address} 这一部分，请核对条款位置")
            ),
            Self::Event { event, day, status } => {
                let name = text(&format!("event-{event}")).unwrap_or(event);
                let status = Status::said(status.as_deref(), language);
                say!(
                    language,
                    ("\"{name}\" cannot be on {day}: it is \"{status}\" then; give another day, or do first what it needs"),
                    ("“{name}”不能发生在 {day}：届时其状态为“{status}”；请更正日期，或者先办理其前提事项")
                )
            }
            Self::Limit { say, left } => {
                let why = text(say).unwrap_or(say);
                say!(language, ("{why}; there would be: {left}"), ("{why}；将为：{left}"))
            }
            Self::Taken { resource, next } => {
                let (en, zh) = (next.join(", "), next.join("、"));
                match next.is_empty() {
                    true => say!(
                        language,
                        ("{resource} is taken at that time"),
                        ("{resource} 在该时段已被占用")
                    ),
                    false => say!(
                        language,
                        ("{resource} is taken at that time; free from: {en}"),
                        ("{resource} 在该时段已被占用；可改自：{zh}")
                    ),
                }
            }
            Self::Slot { what, slot } => say!(
                language,
                ("{what} is not made of whole slots of {slot}"),
                ("{what} 不是以 {slot} 为单位的时段")
            ),
            Self::Purpose { known } => {
                say!(language, ("a purpose must be named: {known}"), ("必须指明查询目的：{known}"))
            }
            Self::NoVote { who } => say!(
                language,
                ("{who} is not asked now, or has answered"),
                ("{who} 现在不在征求意见之列，或者已经表态")
            ),
            Self::Suspended { since, until } => {
                let since = time(*since);
                match until.map(time) {
                    None => say!(
                        language,
                        ("the matter stands still since {since}, until it is resumed"),
                        ("该事项自 {since} 起中止，须先恢复办理")
                    ),
                    Some(until) => say!(
                        language,
                        ("the matter stands still since {since} until {until}, unless it is resumed before"),
                        ("该事项自 {since} 起中止，至 {until} 止；此前须先恢复办理")
                    ),
                }
            }
            Self::NotSuspended => say!(
                language,
                ("the matter does not stand still, so that there is nothing to resume"),
                ("该事项没有中止，无须恢复")
            ),
            Self::NotLast { act, last } => {
                let (act, last) = (named("act", act), named("act", last));
                say!(
                    language,
                    ("\"{act}\" is taken back only before the next act, and \"{last}\" was done last: ask for a return"),
                    ("“{act}”只能在下一步办理之前撤回，而最近办理的是“{last}”；请改为申请退回")
                )
            }
            Self::NotWithin { who } => say!(
                language,
                ("{who} cannot take it over: name another officer who may have it here"),
                ("不能转给 {who}：应为本处可以承办的另一名人员")
            ),
            Self::Past { until } => {
                let until = time(*until);
                say!(
                    language,
                    ("{until} has passed: name a later day, or none"),
                    ("{until} 已过；请填写以后的日期，或者不填")
                )
            }
            Self::NoRound { round } => {
                say!(
                    language,
                    ("the round \"{round}\" does not run now"),
                    ("会签轮次“{round}”现在没有进行")
                )
            }
            Self::Asked { who } => {
                say!(language, ("{who} is asked already"), ("{who} 已在会签人员之列"))
            }
            Self::LastAsked => say!(
                language,
                ("nobody would be asked any more: end the round by a return instead"),
                ("减签后将无人会签；如不再会签，请退回")
            ),
            Self::OtherText => say!(
                language,
                ("the vote is for another text than the matter has now: read the new one and vote again"),
                ("所签文本与现行文本不一致；请阅读新文本后重新表态")
            ),
            Self::NotSigned { who, as_what } => {
                let what = role(as_what);
                say!(
                    language,
                    ("{who} ({what}) must have signed this very document, and has not"),
                    ("{who}（{what}）须在同一文件上签名，现未签名")
                )
            }
            Self::Folder { mistakes, first } => say!(
                language,
                ("the module has {mistakes} mistakes, the first being {first}: see \"chancery module check\""),
                ("该模块有 {mistakes} 处错误，首处为 {first}；请用 chancery module check 查看")
            ),
            Self::OtherFolder => say!(
                language,
                ("the module that came along is not the one that is named"),
                ("所附模块与所指明的模块不一致")
            ),
            Self::OtherTable { table } => say!(
                language,
                ("what came along is not the table \"{table}\" with the kind and columns that the module in force gives it"),
                ("所附内容不是参数表“{table}”，或者其种类、列与现行模块的规定不一致")
            ),
            Self::Field { field } => say!(
                language,
                ("the field \"{field}\" is missing or is not what it must be"),
                ("字段“{field}”缺失或者不合要求")
            ),
            Self::OfTheNode => say!(
                language,
                ("a node makes it by itself, and nobody else"),
                ("该类文书由节点自动制作，不能由他人提交")
            ),
            Self::NamesNothing { kind } => say!(
                language,
                ("a {kind} names the document that it is about"),
                ("“{kind}”必须指明所针对的文件")
            ),
            Self::NotHere { document } => say!(
                language,
                ("the document {document} is not here, or went the other way"),
                ("此处没有文件 {document}，或者其收发方向不符")
            ),
            Self::NotSentTo { agency } => {
                say!(language, ("it was not sent to {agency}"), ("该文件未曾发往 {agency}"))
            }
            Self::GoesElsewhere { to } => say!(
                language,
                ("it goes to {to} alone, which sent the document"),
                ("只能发往该文件的发送机关 {to}")
            ),
            Self::TookEffect { kind, time: at } => {
                let at = time(*at);
                say!(
                    language,
                    ("{kind} took effect on it at {at}, and only the first act does"),
                    ("“{kind}”已于 {at} 生效，只有最先的动作有效")
                )
            }
            Self::Failed => say!(
                language,
                ("the program failed at it, and it has changed nothing: its operator finds it in the node's log"),
                ("程序处理该文件时出错，未作任何变更；请由运维人员查看节点日志")
            ),
            Self::NotAccepted { code } => say!(
                language,
                ("it is not taken ({code}): ask the agency what stands against it"),
                ("不予办理（{code}）；具体原因请向该机关询问")
            ),
            Self::Unverified { what } => say!(
                language,
                ("it is not known yet whether the document holds: {what}"),
                ("尚不能确认该文件是否有效：{what}")
            ),
            Self::Side { received: true } => say!(
                language,
                ("the act is made by documents that come from another agency, and this one was made here"),
                ("该动作由其他机关来文办理，不能由本机关文件办理")
            ),
            Self::Side { received: false } => say!(
                language,
                ("the act is made by documents of the agency itself, and this one comes from another: file it there as a request that the module takes in"),
                ("该动作由本机关文件办理，不受理其他机关来文；请改用该模块受理来文的动作")
            ),
            Self::NoRecipient { who } if who.is_empty() => say!(
                language,
                ("it goes to nobody: name the agency to which it is sent"),
                ("没有收件机关：请指明发往哪个机关")
            ),
            Self::NoRecipient { who } => say!(
                language,
                ("it cannot be sent to {who}: that is no other agency"),
                ("不能发往 {who}：它不是其他机关的名称")
            ),
            Self::Unsealed { agency } => say!(
                language,
                ("the seal of {agency} is not on it: its node adds it to what it sends"),
                ("该文件没有 {agency} 的机关电子印章，应由其节点加盖后发出")
            ),
            Self::SealAlone { form } => say!(
                language,
                ("only a seal has signed it, and the module does not list \"{form}\" among what a seal may say alone: an officer has to sign it"),
                ("该文件只有机关印章，而模块未把“{form}”列为可单凭印章发出的文书，须由经办人签署")
            ),
            Self::Cost => say!(
                language,
                ("it would take more steps than a decision may"),
                ("裁定所需的运算步数超过上限")
            ),
        }
    }
}

/// What is wrong with an envelope.
fn envelope(language: Language, fault: crate::envelope::EnvelopeFault) -> &'static str {
    use crate::envelope::EnvelopeFault as F;
    match fault {
        F::Unread => language.pick("it is no envelope", "内容不是密封件"),
        F::Holders => language.pick("it is sealed to other holders", "密封件的密钥持有人不符"),
        F::Share => {
            language.pick("the share is not the one that belongs to it", "份额与该密封件不符")
        }
        F::Length => language.pick("it is longer than an envelope holds", "内容超过密封件的容量"),
        F::TooFew => language.pick("there are too few shares", "份额不足"),
        F::Sealed => language.pick(
            "the shares are right and it does not open: it was sealed wrongly",
            "份额无误而无法开启：密封时有误",
        ),
        F::Keys => language.pick("no keys can be made here", "此处无法生成密钥"),
    }
}

/// What became of a credential.
fn status(language: Language, name: &str) -> &str {
    match name {
        "valid" => language.pick("valid", "有效"),
        "suspended" => language.pick("suspended", "暂扣"),
        "revoked" => language.pick("revoked", "撤销"),
        other => other,
    }
}

/// As what somebody acts, in words.
fn hand(how: Hand) -> (&'static str, &'static str) {
    match how {
        Hand::Agent => ("an agent", "代理人"),
        Hand::Guardian => ("a guardian", "监护人"),
        Hand::Assisted => ("an officer who helps", "帮办人员"),
    }
}

impl FormFault {
    /// What is wrong, where, and what is asked for.
    pub fn say(&self, language: Language) -> String {
        let Self { at, keyword, wanted } = self;
        let at = if at.is_empty() { "/" } else { at };
        match keyword.as_str() {
            "required" => say!(language, ("{at}: it must be filled in"), ("{at}：必填")),
            "visible" => say!(
                language,
                ("{at}: it may be there only when {wanted}"),
                ("{at}：仅在 {wanted} 时才可填写")
            ),
            "x-visible" => say!(
                language,
                ("{at}: it cannot be said whether it may be there ({wanted})"),
                ("{at}：无法判断是否可以填写（{wanted}）")
            ),
            "x-required" => say!(
                language,
                ("{at}: it cannot be said whether it must be filled in ({wanted})"),
                ("{at}：无法判断是否必填（{wanted}）")
            ),
            "additionalProperties" => {
                say!(language, ("{at}: the form has no such field"), ("{at}：表单没有这个字段"))
            }
            "type" | "x-type" => {
                say!(language, ("{at}: it is to be: {wanted}"), ("{at}：应为 {wanted} 类型"))
            }
            "x-code" => say!(
                language,
                ("{at}: it is no code of the list \"{wanted}\" on that day"),
                ("{at}：不是代码表“{wanted}”在当日有效的代码")
            ),
            "enum" | "const" => {
                say!(language, ("{at}: it is to be one of {wanted}"), ("{at}：应为 {wanted} 之一"))
            }
            "maxLength" | "maxItems" | "maximum" | "exclusiveMaximum" => {
                say!(language, ("{at}: at most {wanted}"), ("{at}：不得超过 {wanted}"))
            }
            "minLength" | "minItems" | "minimum" | "exclusiveMinimum" => {
                say!(language, ("{at}: at least {wanted}"), ("{at}：不得少于 {wanted}"))
            }
            "pattern" | "format" => {
                say!(
                    language,
                    ("{at}: it is to have the form {wanted}"),
                    ("{at}：格式应为 {wanted}")
                )
            }
            other => say!(
                language,
                ("{at}: it does not fit the schema ({other} {wanted})"),
                ("{at}：不符合表单规则（{other} {wanted}）")
            ),
        }
    }
}
