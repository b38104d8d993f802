use chancery_crypto::{Language, say};

use crate::{
    civil::{Instant, Zone},
    manifest::{FormFault, Module},
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
        match self {
            Self::NotFiled => say!(
                language,
                ("it does not say where it belongs: it is an ordinary document, and no act on a module"),
                ("文件未指明所属事项，只是普通公文，不是业务办理文件")
            ),
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
