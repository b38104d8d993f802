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
                ("\"{name}\" is no name: a small letter, then small letters, digits, _ and -, at most 60"),
                ("“{name}”不能作名称：应以小写字母开头，由小写字母、数字、_ 和 - 组成，最多 60 个字符")
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
            Self::HiddenShown(name) => say!(
                language,
                ("the title shows \"{name}\", which is hidden: whoever reads anything reads the title"),
                ("标题会显示应当隐去的“{name}”：能看到事项的人都能看到标题")
            ),
            Self::NoOffice(role) => say!(
                language,
                ("the role \"{role}\" is held in offices, and no matter of the case belongs to one: give it \"office\""),
                ("角色“{role}”以处所为范围，而此类事项不属于任何处所：须写明 office")
            ),
            Self::Unset { field } => {
                say!(language, ("\"it.{field}\" is set by no act"), ("没有动作设置“it.{field}”"))
            }
        }
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
            Self::Word(word) => say!(
                language,
                ("\"{word}\" is no period, unit or way of rounding"),
                ("“{word}”不是期间、单位或舍入方式")
            ),
        }
    }
}
