use chancery_crypto::{Language, say};

use crate::paper::NotPrinted;

impl NotPrinted {
    /// Why it is not printed, and how to mend it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Template { name, nearest } => {
                let hint = match nearest {
                    Some(nearest) => {
                        say!(
                            language,
                            ("; did you mean \"{nearest}\"?"),
                            ("；是否应为“{nearest}”？")
                        )
                    }
                    None => String::new(),
                };
                say!(
                    language,
                    ("there is no template \"{name}\" for this{hint}"),
                    ("此处没有名为“{name}”的模板{hint}")
                )
            }
            Self::Thing => say!(
                language,
                ("there is no such matter, or not for whoever asks"),
                ("没有这件事项，或者无权查看")
            ),
            Self::Value { block, formula, why } => say!(
                language,
                ("\"{formula}\" in the block \"{block}\" has no value that can be printed ({why}): print it when that is there, or have the template ask has(…) first"),
                ("版块“{block}”中的“{formula}”没有可以打印的值（{why}）：请待该值具备后再打印，或在模板中先以 has(…) 判断")
            ),
            Self::Hidden { block, formula, name } => say!(
                language,
                ("\"{formula}\" in the block \"{block}\" would show \"{name}\", which is hidden from whoever asks: somebody who sees it has to print it"),
                ("版块“{block}”中的“{formula}”会显示对申请人隐去的“{name}”：请由能看到它的人打印")
            ),
            Self::Character { block, formula, character } => {
                let number = u32::from(*character);
                say!(
                    language,
                    ("\"{formula}\" in the block \"{block}\" has the character U+{number:04X}, which cannot be seen or changes how others look: it has to be corrected first"),
                    ("版块“{block}”中的“{formula}”含有字符 U+{number:04X}，它不可见或会改变其他字符的样子：须先更正")
                )
            }
            Self::Fit { block } => say!(
                language,
                ("what stands in the block \"{block}\" does not fit its place: give it more lines or columns, or smaller letters"),
                ("版块“{block}”的内容放不下：请增加行数、列数，或改用较小的字号")
            ),
            Self::Size => say!(
                language,
                ("it would be more than 2,000 pages, or 20,000 rows, or 2,000,000 characters: print a part of it"),
                ("超过 2000 页、20000 行或 200 万字：请分部分打印")
            ),
        }
    }

    /// Its name, by which programs know it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Template { .. } => "no-template",
            Self::Thing => "no-thing",
            Self::Value { .. } => "no-value",
            Self::Hidden { .. } => "hidden",
            Self::Character { .. } => "character",
            Self::Fit { .. } => "no-room",
            Self::Size => "too-large",
        }
    }
}
