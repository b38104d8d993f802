use chancery_crypto::{Language, say};

use crate::{
    formula::{Fault, KindFault},
    manifest::{Mistake, What},
};

impl Mistake {
    /// The place and what is wrong there, in a line.
    pub fn say(&self, language: Language) -> String {
        format!("{}:{}: {}", self.at.file, self.at.line, self.what.say(language))
    }
}

/// What somebody may have meant.
fn hint(language: Language, nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => say!(language, ("; did you mean \"{name}\"?"), ("；是否应为“{name}”？")),
        None => String::new(),
    }
}

impl What {
    /// What is wrong, and how to mend it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Toml(why) => say!(language, ("it is no TOML: {why}"), ("不是 TOML：{why}")),
            Self::Schema(why) => say!(
                language,
                ("it is no JSON Schema as forms have them: {why}"),
                ("不是表单所用的 JSON Schema：{why}")
            ),
            Self::NoParent { name } => say!(
                language,
                ("it extends \"{name}\", whose folder is not at hand: lay it beside this one, or name it by --parent; at the node, install it first"),
                ("本模块扩展“{name}”，但未找到其文件夹：请放在同级目录下或用 --parent 指明；在节点上须先启用该模块")
            ),
            Self::OtherParent { name, found } => say!(
                language,
                ("the folder at hand is not the \"{name}\" that it extends: of that folder it would be extends = \"{name}@{found}\""),
                ("现有文件夹不是所扩展的“{name}”；如确为该文件夹，应写作 extends = \"{name}@{found}\"")
            ),
            Self::ParamRange { name, value } => say!(
                language,
                ("{value} is outside the bounds of the parameter \"{name}\""),
                ("{value} 超出参数“{name}”的上下限")
            ),
            Self::NoParam { name } => say!(
                language,
                ("the parameter \"{name}\" has no default, and no value here"),
                ("参数“{name}”既无默认值，此处也未给出取值")
            ),
            Self::VariantGap { place } => say!(
                language,
                ("no variant matches when {place}: it is refused"),
                ("当 {place} 时没有任何方案适用，届时将不予受理")
            ),
            Self::VariantOverlap { this, with, place } => say!(
                language,
                ("both \"{this}\" and \"{with}\" match when {place}: it is refused"),
                ("当 {place} 时“{this}”和“{with}”两个方案同时适用，届时将不予受理")
            ),
            Self::VariantNever { case } => say!(
                language,
                ("under this variant nothing of the case \"{case}\" is ever opened, or comes to an end"),
                ("按此方案，事项“{case}”无法开始，或者永远不能办结")
            ),
            Self::ParentLaw => say!(
                language,
                ("the bare articles of what it extends are of the text that is named there: name another one under [laws]"),
                ("所扩展的模块中不带文名的条款均指原文：其他依据请列入 [laws]")
            ),
            Self::NothingOff { name } => say!(
                language,
                ("\"{name}\" is taken away and is not there in what it extends"),
                ("要去掉的“{name}”在所扩展的模块中并不存在")
            ),
            Self::UnknownKey { key, nearest } => {
                let hint = hint(language, nearest.as_deref());
                say!(language, ("there is no key \"{key}\"{hint}"), ("没有键“{key}”{hint}"))
            }
            Self::MissingKey { key } => {
                say!(language, ("the key \"{key}\" is missing"), ("缺少键“{key}”"))
            }
            Self::Kind { key, wanted } => {
                say!(language, ("\"{key}\" is to be: {wanted}"), ("“{key}”应为 {wanted}"))
            }
            Self::Float { key } => say!(
                language,
                ("\"{key}\" has a fraction: write it in quotes, so that it is a decimal and no float"),
                ("“{key}”是带小数的数：请加引号书写，作为十进制数而不是浮点数")
            ),
            Self::Name(name) => say!(
                language,
                ("\"{name}\" is no name: a small letter, then small letters, digits, _ and -, at most 60; a module's name may be several with dots between"),
                ("“{name}”不能作名称：应以小写字母开头，由小写字母、数字、_ 和 - 组成，最多 60 个字符；模块名可以由几个名称以点相连")
            ),
            Self::NoThing => say!(
                language,
                ("nothing of a module is described by such a file: see docs/modules.md for the folders"),
                ("模块中没有这种文件；目录结构见 docs/modules.md")
            ),
            Self::Twice(name) => {
                say!(language, ("\"{name}\" stands for two things"), ("“{name}”指两样东西"))
            }
            Self::Formula { text, fault, byte } => {
                let fault = fault.say(language);
                say!(
                    language,
                    ("\"{text}\" is no formula: at byte {byte}, {fault}"),
                    ("“{text}”不是公式：第 {byte} 字节处，{fault}")
                )
            }
            Self::Kinds { text, fault } => {
                let fault = fault.say(language);
                say!(language, ("in \"{text}\", {fault}"), ("“{text}”中，{fault}"))
            }
            Self::Result { text, wanted, found } => say!(
                language,
                ("\"{text}\" is to give {wanted}, and gives {found}"),
                ("“{text}”应得 {wanted}，实得 {found}")
            ),
            Self::Word { key, word, known } => {
                let (en, zh) = (known.join(", "), known.join("、"));
                say!(
                    language,
                    ("{key}: \"{word}\" is none of: {en}"),
                    ("{key}：“{word}”不在以下之列：{zh}")
                )
            }
            Self::Undeclared { kind, name, nearest } => {
                let hint = hint(language, nearest.as_deref());
                let of = kind_zh(kind);
                say!(language, ("there is no {kind} \"{name}\"{hint}"), ("没有{of}“{name}”{hint}"))
            }
            Self::Personal { publication, field } => say!(
                language,
                ("everybody would read the field \"{field}\" of \"{publication}\", which is personal: publish a form without it"),
                ("“{publication}”将公开个人信息字段“{field}”，应改用不含该字段的表单")
            ),
            Self::Needless { key, of } => say!(
                language,
                ("\"{of}\" takes no \"{key}\": leave it out"),
                ("“{of}”不用“{key}”，应当删去")
            ),
            Self::Unreachable(state) => say!(
                language,
                ("nothing ever leads to the state \"{state}\""),
                ("没有任何动作或期限通向状态“{state}”")
            ),
            Self::Stuck(state) => say!(
                language,
                ("a matter can get stuck in the state \"{state}\": no act leaves it, no deadline ends it, and it is no end"),
                ("事项会停在状态“{state}”：没有动作离开它，没有期限结束它，它也不是终态")
            ),
            Self::EndLeft { act, state } => say!(
                language,
                ("the act \"{act}\" leaves the state \"{state}\", which is an end"),
                ("动作“{act}”从终态“{state}”出发")
            ),
            Self::NeverOpened => say!(
                language,
                ("no act opens the case: one needs from = \"\", or no from"),
                ("没有动作开立此类事项：须有一个动作 from = \"\" 或不写 from")
            ),
            Self::NoLaw(rule) => say!(
                language,
                ("the rule \"{rule}\" cites no article: nobody is refused anything without one (law = \"15\")"),
                ("规则“{rule}”没有依据条文：没有条文不得拒绝任何人（law = \"15\"）")
            ),
            Self::DueTime(due) => say!(
                language,
                ("the due \"{due}\" has either \"at\", or \"start\" and \"in\""),
                ("期限“{due}”应写 at，或者写 start 和 in")
            ),
            Self::Constant(need) => say!(
                language,
                ("the need \"{need}\" is the same whatever is filed"),
                ("条件“{need}”与所提交的内容无关，恒为同一结果")
            ),
            Self::DecidedTime(need) => say!(
                language,
                ("the need \"{need}\" reads \"at\", when it is decided: being in time goes by \"lodged\""),
                ("条件“{need}”读取裁定时间 at；是否按期应以提交时间 lodged 判断")
            ),
            Self::NoText { name, language: missing } => say!(
                language,
                ("the text \"{name}\" is missing in {missing}: texts/{missing}.ftl"),
                ("缺少 {missing} 文本“{name}”：texts/{missing}.ftl")
            ),
            Self::UnusedText(name) => {
                say!(language, ("nothing names the text \"{name}\""), ("文本“{name}”没有用到"))
            }
            Self::TextLine => say!(
                language,
                ("the line says nothing: name = text, once each"),
                ("此行无法识别：应为“名称 = 文本”，且名称不重复")
            ),
            Self::UnusedRole(name) => {
                say!(language, ("no act names the role \"{name}\""), ("角色“{name}”没有用到"))
            }
            Self::Circle(names) => {
                let names = names.join(" -> ");
                say!(
                    language,
                    ("these rest on each other in a circle: {names}"),
                    ("以下名称互相依赖成环：{names}")
                )
            }
            Self::Unbounded { field, keyword } => say!(
                language,
                ("the field \"{field}\" has no \"{keyword}\", so that nobody can say what a formula over it costs"),
                ("字段“{field}”没有“{keyword}”，无法确定公式的运算量")
            ),
            Self::FloatField(field) => say!(
                language,
                ("the field \"{field}\" is a number with a fraction: \"type\": \"string\" and \"x-type\": \"decimal\" or \"money\""),
                ("字段“{field}”是带小数的数：应写 \"type\": \"string\"，并以 \"x-type\": \"decimal\" 或 \"money\" 标明")
            ),
            Self::NumberPattern(pattern) => say!(
                language,
                ("the pattern \"{pattern}\" leaves out {{n}}, or a key such as {{0}}: two numbers would be the same"),
                ("编号格式“{pattern}”缺少 {{n}} 或 {{0}} 等键，会出现相同的编号")
            ),
            Self::NoLimit { account, place } => say!(
                language,
                ("no limit of the account \"{account}\" speaks of the place \"{place}\""),
                ("账户“{account}”的限额没有约束“{place}”")
            ),
            Self::NoIndex { text } => say!(
                language,
                ("\"{text}\" looks for records neither by their key nor by an index"),
                ("“{text}”既不按主键也不按索引查找记录")
            ),
            Self::Keyword { keyword, nearest } => {
                let hint = hint(language, nearest.as_deref());
                say!(
                    language,
                    ("forms have no keyword \"{keyword}\"{hint}: docs/modules.md lists all that there are"),
                    ("表单没有关键字“{keyword}”{hint}：全部关键字见 docs/modules.md")
                )
            }
            Self::KeywordPlace { keyword, place } => {
                let (en, zh) = place_words(place);
                say!(
                    language,
                    ("the keyword \"{keyword}\" has no place in {en}"),
                    ("关键字“{keyword}”不能用于{zh}")
                )
            }
            Self::Clash { this, with } => {
                say!(language, ("{this} does not go with {with}"), ("{this} 不能与 {with} 并用"))
            }
            Self::KeyTwice(key) => say!(
                language,
                ("the key \"{key}\" stands there twice, and one of them would be dropped"),
                ("键“{key}”写了两次，其中之一会被丢弃")
            ),
            Self::Repeated { key, value } => {
                say!(language, ("{key}: {value} stands there twice"), ("{key}：{value} 重复"))
            }
            Self::TooMany { key, most } => {
                say!(language, ("\"{key}\": at most {most}"), ("“{key}”：最多 {most} 项"))
            }
            Self::Alike { name, other } => say!(
                language,
                ("\"{name}\" and \"{other}\" differ in case, _ or - alone: people take one for the other"),
                ("“{name}”与“{other}”仅大小写或 _、- 不同，容易混淆")
            ),
            Self::Bound { keyword, given, least, most } => say!(
                language,
                ("\"{keyword}\" is to be a whole number from {least} to {most}, and is {given}"),
                ("“{keyword}”应为 {least} 至 {most} 的整数，实为 {given}")
            ),
            Self::Bounds { low, high } => say!(
                language,
                ("nothing fits both \"{low}\" and \"{high}\""),
                ("没有值能同时符合“{low}”和“{high}”")
            ),
            Self::Unfit { keyword, value, fault } => {
                let why = fault.say(language);
                say!(
                    language,
                    ("{keyword}: {value} does not fit the field itself: {why}"),
                    ("{keyword}：{value} 不符合字段自身的规定：{why}")
                )
            }
            Self::FieldConstant { field, keyword } => say!(
                language,
                ("\"{keyword}\" of the field \"{field}\" is the same whatever is filled in"),
                ("字段“{field}”的“{keyword}”与所填内容无关，恒为同一结果")
            ),
            Self::FieldItself { field, keyword } => say!(
                language,
                ("\"{keyword}\" of the field \"{field}\" reads that field, or the whole form: it may read others alone"),
                ("字段“{field}”的“{keyword}”读取了该字段自身或整份表单；只能读取其他字段")
            ),
            Self::FieldAlways(field) => say!(
                language,
                ("the field \"{field}\" is in \"required\" and has \"x-visible\": it must always be there, and may not always"),
                ("字段“{field}”既列入“required”又有“x-visible”：始终必填而未必可填")
            ),
            Self::Hidden(c) => {
                let code = u32::from(*c);
                say!(
                    language,
                    ("a text has the character U+{code:04X}, which cannot be seen or makes it look like another"),
                    ("文本含有字符 U+{code:04X}，该字符不可见或会改变文本的显示")
                )
            }
            Self::Order(what) => say!(
                language,
                ("\"{what}\" does not come after the one before it: dates and edges rise"),
                ("“{what}”不晚于或不大于前一个；日期和级距应依次递增")
            ),
            Self::Gap { table, place } => say!(
                language,
                ("no row of the table \"{table}\" is for: {place}"),
                ("参数表“{table}”没有涵盖：{place}")
            ),
            Self::Overlap { table, place } => say!(
                language,
                ("two rows of the table \"{table}\" are for: {place}"),
                ("参数表“{table}”中有两行同时涵盖：{place}")
            ),
            Self::Jump { table, edge, wanted } => say!(
                language,
                ("the table \"{table}\" jumps at {edge}: deduct {wanted}, or write jump = true if the text has it so"),
                ("参数表“{table}”在 {edge} 处不连续：速算扣除数应为 {wanted}；如条文确实如此，请写 jump = true")
            ),
            Self::TableSize { table, most } => say!(
                language,
                ("\"{table}\" is too large: at most {most}"),
                ("“{table}”过大：至多 {most}")
            ),
            Self::Csv => say!(
                language,
                ("the line is no CSV with as many cells as the header"),
                ("此行不是 CSV，或者列数与标题行不同")
            ),
            Self::OneEntry { draw } => say!(
                language,
                ("the act freezes the list of the draw \"{draw}\": what is drawn by must come by another act, after it"),
                ("该动作固定抽取“{draw}”的名单；承诺、揭示和抽取须由其他动作分别办理")
            ),
            Self::NothingToCount(form) => say!(
                language,
                ("the form \"{form}\" has no field that can be counted; give one \"enum\", \"x-code\" or the type boolean"),
                ("表单“{form}”没有可以统计的字段；请使用 enum、x-code 或者布尔类型的字段")
            ),
            Self::Excess { what, most } => {
                let of = kind_zh(what);
                say!(
                    language,
                    ("there are more than {most} of a kind here ({what})"),
                    ("{of}超过 {most} 个")
                )
            }
            Self::Deep(name) => say!(
                language,
                ("\"{name}\" rests on other names that rest on others, too deep to be worked out"),
                ("“{name}”逐层依赖其他名称，层数过多，无法计算")
            ),
            Self::Endless(dues) => {
                let dues = dues.join(" -> ");
                say!(
                    language,
                    ("when it has passed, the due begins again and passes at once, without end: {dues}"),
                    ("期限届满后立即重新开始并再次届满，永无止境：{dues}")
                )
            }
            Self::Fixed { due, key } => say!(
                language,
                ("the due \"{due}\" ends at a moment, which no {key} moves: count it from a start (start, in)"),
                ("期限“{due}”在固定时刻届满，{key} 对其不起作用；应写明起算（start、in）")
            ),
            Self::PerhapsEndless(dues) => {
                let dues = dues.join(" -> ");
                say!(
                    language,
                    ("when it has passed, the due begins again, and nobody can say that this takes time: {dues}"),
                    ("期限届满后重新开始，而无法确定其间是否有时间经过：{dues}")
                )
            }
            Self::Both { name, keys } => {
                say!(
                    language,
                    ("\"{name}\" stands in both of: {keys}"),
                    ("“{name}”同时写在 {keys} 之中")
                )
            }
            Self::NeverDone(act) => say!(
                language,
                ("the act \"{act}\" can never be done: nobody may, no state comes, or nothing leads to it"),
                ("动作“{act}”永远无法办理：无人有权、状态不会出现，或者没有任何期限、轮次引起它")
            ),
            Self::NeverHolds(name) => say!(
                language,
                ("no votes ever fulfil \"{name}\" (where both hold, fail goes before done)"),
                ("无论怎样表决，“{name}”都不会成立（两者都成立时，fail 先于 done）")
            ),
            Self::Nobody(name) => {
                say!(language, ("there is never anybody in \"{name}\""), ("“{name}”中永远没有人"))
            }
            Self::Empty { key } => say!(
                language,
                ("\"{key}\" is an empty list: name something, or leave it out"),
                ("“{key}”是空列表：请写明内容，或者删去此键")
            ),
            Self::NotHere { text, name } => say!(
                language,
                ("\"{text}\" speaks of \"{name}\", and no document is there when it is worked out"),
                ("“{text}”读取“{name}”，而计算它时没有文件")
            ),
            Self::Text { key, fault } => {
                let fault = fault.say(language);
                match key.is_empty() {
                    true => say!(language, ("in this line: {fault}"), ("此行{fault}")),
                    false => say!(language, ("\"{key}\": {fault}"), ("“{key}”{fault}")),
                }
            }
            Self::TextLength { key, most } => say!(
                language,
                ("\"{key}\" has more than {most} characters"),
                ("“{key}”超过 {most} 个字符")
            ),
            Self::NoTime(text) => say!(
                language,
                ("\"{text}\" is no date or moment (2026-03-02, 2026-03-02T09:00:00+08:00)"),
                ("“{text}”不是日期或时刻（2026-03-02、2026-03-02T09:00:00+08:00）")
            ),
            Self::Backwards(text) => {
                say!(language, ("{text} is before the step before"), ("{text} 早于前一步"))
            }
            Self::NoAgency(name) => {
                say!(language, ("\"{name}\" is no name of an agency"), ("“{name}”不是机关名称"))
            }
            Self::OtherYear { day, year } => {
                say!(language, ("{day} is no day of {year}"), ("{day} 不在 {year} 年"))
            }
            Self::HiddenShown(name) => say!(
                language,
                ("the title shows \"{name}\", which is hidden: whoever reads anything reads the title"),
                ("标题会显示应当隐去的“{name}”：能看到事项的人都能看到标题")
            ),
            Self::Stock(fault) => fault.say(language),
            Self::PaperShows(name) => say!(
                language,
                ("the paper would show something of another case, which hides \"{name}\": set what is to be printed in this one"),
                ("打印件会显示另一类事项的内容，而那里隐去“{name}”：请在本事项中以 set 写明要打印的内容")
            ),
            Self::Brace(text) => say!(
                language,
                ("a brace has no other in \"{text}\": values stand in {{ }}, and a brace itself is written twice"),
                ("“{text}”中的花括号不成对：取值写在 {{ }} 之内，花括号本身须写两个")
            ),
            Self::Outside { what, most } => say!(
                language,
                ("\"{what}\" is out of bounds: there is room for {most} at most"),
                ("“{what}”超出范围：最多只有 {most}")
            ),
            Self::Covers { block, other } => say!(
                language,
                ("the block \"{block}\" stands over \"{other}\": give one of them other lines or columns"),
                ("版块“{block}”与“{other}”重叠：请给其中一个另外的行或列")
            ),
            Self::NoRoom(block) => say!(
                language,
                ("nothing is left of the sheet for \"{block}\": what has a fixed place takes it all"),
                ("纸面已被固定位置的版块占满，没有“{block}”的位置")
            ),
            Self::NoOffice(role) => say!(
                language,
                ("the role \"{role}\" is held in offices, and no matter of the case belongs to one: give it \"office\""),
                ("角色“{role}”以处所为范围，而此类事项不属于任何处所：须写明 office")
            ),
            Self::Mechanism(fault) => fault.say(language),
            Self::RoleElsewhere(role) => say!(
                language,
                ("an act that another agency sends is done by agencies, and \"{role}\" is a role here: name them in [who] (anybody = \"me.agency\")"),
                ("来文动作由机关办理，而“{role}”是本机关的角色：请在 [who] 中指明机关（如 anybody = \"me.agency\"）")
            ),
            Self::NotReceived(form) => say!(
                language,
                ("no act takes in \"{form}\" where it is sent to: one needs side = \"received\" and that form"),
                ("收件方没有动作受理“{form}”：须有一个动作写明 side = \"received\" 并使用该表单")
            ),
            Self::NotSent(form) => say!(
                language,
                ("\"{form}\" would go out under the seal alone: list it in module.toml, sent = [\"{form}\"]"),
                ("“{form}”将只凭机关印章发出：须在 module.toml 中列明 sent = [\"{form}\"]")
            ),
            Self::Unset { field } => {
                say!(language, ("\"it.{field}\" is set by no act"), ("没有动作设置“it.{field}”"))
            }
        }
    }
}

/// A place in a form, in both languages.
fn place_words(place: &str) -> (&'static str, &'static str) {
    match place {
        "form" => ("the form as a whole", "整份表单"),
        "field" => ("a field", "字段"),
        "nested" => (
            "a field of an object: it stands in fields of the form itself",
            "对象内的字段（只用于表单的顶层字段）",
        ),
        _ => ("\"items\"", "“items”"),
    }
}

fn kind_zh(kind: &str) -> &'static str {
    match kind {
        "state" => "状态",
        "act" => "动作",
        "inner act" => "内部动作",
        "role" => "角色或参与人",
        "form" => "表单",
        "due" => "期限",
        "law" => "法律简称",
        "field" => "字段",
        "number" => "编号序列",
        "round" => "会签轮次",
        "table" => "参数表",
        "code list" => "代码表",
        "computation" => "计算",
        "input" => "输入",
        "result" => "结果",
        "code" => "代码",
        "column" => "列",
        "key" => "查找列",
        "row" => "行",
        "officer" => "人员",
        "label" => "先前步骤的标记",
        "case" => "事项",
        "rule" => "规则",
        "set" => "由动作设置的内容",
        "unique" => "唯一性规则",
        "byte" => "字节",
        "roll" => "名单",
        "registry or case" => "登记簿或事项",
        "credential" => "证件",
        "draw" => "抽取",
        "survey" => "调查",
        "sealed" => "密封件",
        _ => "名称",
    }
}

impl Fault {
    /// Why a text is no formula.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Length => say!(
                language,
                ("it is longer than {} bytes", crate::formula::MAX_TEXT),
                ("超过 {} 字节", crate::formula::MAX_TEXT)
            ),
            Self::Depth => say!(
                language,
                ("it nests deeper than {}", crate::formula::MAX_DEPTH),
                ("嵌套超过 {} 层", crate::formula::MAX_DEPTH)
            ),
            Self::Character(c) => {
                say!(language, ("{c:?} means nothing there"), ("字符 {c:?} 没有意义"))
            }
            Self::Quotes => say!(
                language,
                ("a text in quotes does not end, or has an unknown escape"),
                ("引号中的文本没有结束，或有不认识的转义")
            ),
            Self::Number(text) => {
                say!(language, ("{text} is no number that there is"), ("{text} 不是可用的数"))
            }
            Self::Expected { wanted, found } if found.is_empty() => {
                say!(language, ("{wanted} was expected"), ("应为 {wanted}"))
            }
            Self::Expected { wanted, found } => say!(
                language,
                ("{wanted} was expected in place of \"{found}\""),
                ("应为 {wanted}，而不是“{found}”")
            ),
            Self::Function { name, nearest } => {
                let hint = hint(language, *nearest);
                say!(
                    language,
                    ("there is no function \"{name}\"{hint}"),
                    ("没有函数“{name}”{hint}")
                )
            }
            Self::Arguments { name, takes: (least, most), given } => say!(
                language,
                ("{name} takes {least} to {most} arguments, and has {given}"),
                ("函数 {name} 需要 {least} 至 {most} 个参数，实有 {given} 个")
            ),
        }
    }
}

impl KindFault {
    /// Which kinds do not go together.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Name { name, nearest } => {
                let hint = hint(language, nearest.as_deref());
                say!(
                    language,
                    ("\"{name}\" stands for nothing here{hint}"),
                    ("“{name}”在此没有所指{hint}")
                )
            }
            Self::Field { of, name, nearest } => {
                let hint = hint(language, nearest.as_deref());
                say!(language, ("{of} has no \"{name}\"{hint}"), ("{of} 没有“{name}”{hint}"))
            }
            Self::Takes { what, given } => {
                let given: Vec<_> = given.iter().map(ToString::to_string).collect();
                let (en, zh) = (given.join(", "), given.join("、"));
                say!(language, ("{what} does not take: {en}"), ("{what} 不能用于：{zh}"))
            }
            Self::Unlike(a, b) => say!(
                language,
                ("{a} and {b} stand where one kind must"),
                ("此处应为同一类型，却有 {a} 与 {b}")
            ),
            Self::NoData { kind, name, nearest } => {
                let (hint, of) = (hint(language, nearest.as_deref()), kind_zh(kind));
                say!(language, ("there is no {kind} \"{name}\"{hint}"), ("没有{of}“{name}”{hint}"))
            }
            Self::NotWritten(name) => say!(
                language,
                ("{name} names what it asks in quotes, so that it can be checked"),
                ("{name} 应以引号写明所查的表名，以便核对")
            ),
            Self::AskedBy { table, by } => say!(
                language,
                ("the table \"{table}\" is asked by: {by}"),
                ("参数表“{table}”应这样查：{by}")
            ),
            Self::Size => say!(
                language,
                ("a value has more parts than can be checked"),
                ("值的组成部分过多，无法检查")
            ),
            Self::Word(word) => say!(
                language,
                ("\"{word}\" is no period, unit or way of rounding"),
                ("“{word}”不是期间、单位或舍入方式")
            ),
        }
    }
}
