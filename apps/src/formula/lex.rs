//! The words of a formula.

use std::ops::Range;

use rust_decimal::Decimal;

use super::{Fault, MAX_TEXT, NoFormula};
use crate::value::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Literal(Value),
    Name(String),
    Sign(&'static str),
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub word: Word,
    pub span: Range<usize>,
}

/// All signs; a longer one stands before those with which it begins.
const SIGNS: [&str; 24] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

/// The words of a text, the last of which is [`Word::End`].
pub(super) fn words(text: &str) -> Result<Vec<Token>, NoFormula> {
    if text.len() > MAX_TEXT {
        return Err(NoFormula { fault: Fault::Length, at: MAX_TEXT });
    }
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        if matches!(first, ' ' | '\t' | '\n' | '\r') {
            at += 1;
            continue;
        }
        let (word, len) = match first {
            '0'..='9' => number(rest, at)?,
            'a'..='z' | 'A'..='Z' | '_' => name(rest),
            '\'' | '"' => quoted(rest, at)?,
            other => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or(NoFormula { fault: Fault::Character(other), at })?;
                (Word::Sign(sign), sign.len())
            }
        };
        found.push(Token { word, span: at..at + len });
        at += len;
    }
    found.push(Token { word: Word::End, span: at..at });
    Ok(found)
}

fn name(rest: &str) -> (Word, usize) {
    let len = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let name = rest.get(..len).unwrap_or_default();
    let word = match name {
        "true" => Word::Literal(Value::Bool(true)),
        "false" => Word::Literal(Value::Bool(false)),
        "none" => Word::Literal(Value::None),
        "in" => Word::Sign("in"),
        name => Word::Name(name.to_owned()),
    };
    (word, len)
}

fn number(rest: &str, at: usize) -> Result<(Word, usize), NoFormula> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    let fraction = rest.get(whole..).and_then(|rest| rest.strip_prefix('.')).map_or(0, digits);
    let len = if fraction > 0 { whole + 1 + fraction } else { whole };
    let text = rest.get(..len).unwrap_or_default();
    let bad = || NoFormula { fault: Fault::Number(text.to_owned()), at };
    let value = if fraction > 0 {
        Value::Decimal(Decimal::from_str_exact(text).map_err(|_| bad())?)
    } else {
        Value::Int(text.parse().map_err(|_| bad())?)
    };
    // `1x` is no number and a name beside each other.
    let next = rest.get(len..).and_then(|rest| rest.chars().next());
    match next {
        Some(c) if c.is_ascii_alphanumeric() || c == '_' => Err(bad()),
        _ => Ok((Word::Literal(value), len)),
    }
}

/// A text in single or double quotes, with the escapes of CEL that texts of law need.
fn quoted(rest: &str, at: usize) -> Result<(Word, usize), NoFormula> {
    let bad = || NoFormula { fault: Fault::Quotes, at };
    let mut chars = rest.char_indices();
    let (_, quote) = chars.next().ok_or_else(bad)?;
    let mut text = String::new();
    while let Some((place, c)) = chars.next() {
        match c {
            '\\' => match chars.next().ok_or_else(bad)?.1 {
                'n' => text.push('\n'),
                escaped @ ('\\' | '\'' | '"') => text.push(escaped),
                _ => return Err(bad()),
            },
            c if c == quote => return Ok((Word::Literal(Value::Text(text)), place + 1)),
            '\n' => return Err(bad()),
            c => text.push(c),
        }
    }
    Err(bad())
}
