//! What people read: the one place of this room in which sentences stand, in Chinese and English.

use chancery_crypto::{Language, say};

use crate::{FontError, NoPdf, NoPrint, Warning};

impl NoPrint {
    /// Why there is no file, and how to mend it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::State(error) => error.to_string(),
            Self::Paper(why) => why.say(language),
            Self::Pdf(why) => why.say(language),
        }
    }
}

impl NoPdf {
    /// Why there is no file, and how to mend it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Code { block } => say!(
                language,
                ("what the code in the block \"{block}\" says is too long: a code holds 2,331 bytes"),
                ("版块“{block}”中二维码的内容过长：最多 2331 字节")
            ),
            Self::NoFont(face) => say!(
                language,
                ("the fonts of {face:?} have no sign at all: give others"),
                ("{face:?} 所用的字体中没有任何可用的字符：请改用其他字体")
            ),
            Self::Refused(why) => say!(
                language,
                ("PDF/A forbids something of it: {why}"),
                ("PDF/A 不允许其中的内容：{why}")
            ),
        }
    }
}

impl FontError {
    /// Which font cannot be used, and why.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::File { path, error } => {
                let path = path.display();
                say!(
                    language,
                    ("the font {path} cannot be read ({error}): name one that is there, or install fonts-noto-cjk"),
                    ("无法读取字体 {path}（{error}）：请指定现有的字体，或安装 fonts-noto-cjk")
                )
            }
            Self::NoFont { path, family } => {
                let (path, family) = (path.display(), family.as_deref().unwrap_or("…"));
                say!(language, ("{path} has no font \"{family}\""), ("{path} 中没有字体“{family}”"))
            }
            Self::NoFace(face) => {
                say!(language, ("no font is named for {face:?}"), ("没有为 {face:?} 指定字体"))
            }
        }
    }
}

impl Warning {
    /// Which character is not printed as it should be, and where.
    pub fn say(&self, language: Language) -> String {
        let Self { character, selector, page, block, line, .. } = self;
        let number = u32::from(*character);
        match selector {
            Some(selector) => {
                let selector = u32::from(*selector);
                say!(
                    language,
                    ("page {page}, block \"{block}\", \"{line}\": no font has the form U+{selector:04X} of {character} (U+{number:04X}), which is printed in its usual form"),
                    ("第 {page} 页版块“{block}”“{line}”：没有字体带有“{character}”（U+{number:04X}）的 U+{selector:04X} 字形，已按通常字形打印")
                )
            }
            None => say!(
                language,
                ("page {page}, block \"{block}\", \"{line}\": no font has {character} (U+{number:04X}), in whose place 〓 is printed: add a font that has it before this is given out"),
                ("第 {page} 页版块“{block}”“{line}”：没有字体带有“{character}”（U+{number:04X}），该处印作〓：发出之前请增加带有此字的字体")
            ),
        }
    }
}
