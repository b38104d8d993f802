//! From words to a tree.

use super::{
    Each, Fault, Kind, MAX_DEPTH, NoFormula, Node, Operator,
    functions::FUNCTIONS,
    lex::{Token, Word, words},
};
use crate::nearest::nearest;

/// Operators by how loosely they bind, loosest first.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<", Operator::Less),
        ("<=", Operator::AtMost),
        (">", Operator::More),
        (">=", Operator::AtLeast),
        ("in", Operator::In),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[("*", Operator::Times), ("/", Operator::Divided), ("%", Operator::Rest)],
];

/// The level of comparisons, of which only one may stand without brackets.
const COMPARISONS: usize = 2;

pub(super) fn parse(text: &str) -> Result<Node, NoFormula> {
    let mut parser = Parser { words: words(text)?, place: 0, depth: 0 };
    let node = parser.expression()?;
    match parser.peek().word {
        Word::End => Ok(node),
        _ => Err(parser.expected("the end")),
    }
}

struct Parser {
    words: Vec<Token>,
    place: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        // The last word is the end, and nothing is taken after it.
        self.words.get(self.place).or_else(|| self.words.last()).expect("a text has an end")
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.place += usize::from(token.word != Word::End);
        token
    }

    fn sees(&self, sign: &str) -> bool {
        matches!(&self.peek().word, Word::Sign(found) if *found == sign)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let sees = self.sees(sign);
        self.place += usize::from(sees);
        sees
    }

    fn must(&mut self, sign: &str) -> Result<(), NoFormula> {
        match self.takes(sign) {
            true => Ok(()),
            false => Err(self.expected(sign)),
        }
    }

    fn expected(&self, wanted: &str) -> NoFormula {
        let token = self.peek();
        let found = match &token.word {
            Word::Literal(value) => value.to_string(),
            Word::Name(name) => name.clone(),
            Word::Sign(sign) => (*sign).to_owned(),
            Word::End => String::new(),
        };
        let fault = Fault::Expected { wanted: wanted.to_owned(), found };
        NoFormula { fault, at: token.span.start }
    }

    /// Goes one deeper, and comes back.
    fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, NoFormula>,
    ) -> Result<T, NoFormula> {
        if self.depth == MAX_DEPTH {
            return Err(NoFormula { fault: Fault::Depth, at: self.peek().span.start });
        }
        self.depth += 1;
        let found = inside(self);
        self.depth -= 1;
        found
    }

    fn expression(&mut self) -> Result<Node, NoFormula> {
        self.deeper(|parser| {
            let condition = parser.level(0)?;
            if !parser.takes("?") {
                return Ok(condition);
            }
            let yes = parser.expression()?;
            parser.must(":")?;
            let no = parser.expression()?;
            let span = condition.span.start..no.span.end;
            Ok(Node { kind: Kind::Choice(Box::new(condition), Box::new(yes), Box::new(no)), span })
        })
    }

    fn level(&mut self, level: usize) -> Result<Node, NoFormula> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        let mut height = self.depth;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.sees(sign)) {
            self.place += 1;
            // Each operand of a chain is one level deeper in the tree, which is walked by recursion.
            height += 1;
            if height > MAX_DEPTH * 4 {
                return Err(NoFormula { fault: Fault::Depth, at: left.span.end });
            }
            let right = self.level(level + 1)?;
            let span = left.span.start..right.span.end;
            left = Node { kind: Kind::Binary(*operator, Box::new(left), Box::new(right)), span };
            if level == COMPARISONS {
                break;
            }
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, NoFormula> {
        let start = self.peek().span.start;
        let make: fn(Box<Node>) -> Kind = if self.takes("!") {
            Kind::Not
        } else if self.takes("-") {
            Kind::Negative
        } else {
            return self.postfix();
        };
        let of = self.deeper(Self::unary)?;
        let span = start..of.span.end;
        Ok(Node { kind: make(Box::new(of)), span })
    }

    fn postfix(&mut self) -> Result<Node, NoFormula> {
        let mut node = self.primary()?;
        let mut links = 0;
        loop {
            links += 1;
            if links > MAX_DEPTH {
                return Err(NoFormula { fault: Fault::Depth, at: node.span.end });
            }
            let start = node.span.start;
            if self.takes(".") {
                let token = self.next();
                let Word::Name(name) = token.word else {
                    self.place -= 1;
                    return Err(self.expected("a name"));
                };
                node = match self.takes("(") {
                    false => Node {
                        kind: Kind::Field(Box::new(node), name),
                        span: start..token.span.end,
                    },
                    true => self.method(node, &name, token.span.start)?,
                };
            } else if self.takes("[") {
                let index = self.expression()?;
                let end = self.peek().span.end;
                self.must("]")?;
                node =
                    Node { kind: Kind::Index(Box::new(node), Box::new(index)), span: start..end };
            } else {
                return Ok(node);
            }
        }
    }

    /// What stands behind `of.name(`.
    fn method(&mut self, of: Node, name: &str, at: usize) -> Result<Node, NoFormula> {
        let start = of.span.start;
        let mut arguments = self.arguments(")")?;
        let end = self.words.get(self.place - 1).map_or(start, |token| token.span.end);
        if let (Some(each), 2) = (Each::named(name), arguments.len()) {
            let body = arguments.pop().map(Box::new);
            let variable = arguments.pop();
            if let (Some(body), Some(Node { kind: Kind::Name(variable), .. })) = (body, variable) {
                return Ok(Node {
                    kind: Kind::Each(each, Box::new(of), variable, body),
                    span: start..end,
                });
            }
            let fault = Fault::Expected { wanted: format!("{name}(x, …)"), found: String::new() };
            return Err(NoFormula { fault, at });
        }
        // `org.rank(a)` is a function of that name, and no method of something.
        let name = match &of.kind {
            Kind::Name(space) if space == "org" => format!("org.{name}"),
            _ => {
                arguments.insert(0, of);
                name.to_owned()
            }
        };
        call(name, arguments, start..end, at)
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Node>, NoFormula> {
        let mut found = Vec::new();
        while !self.takes(end) {
            found.push(self.expression()?);
            if !self.sees(end) {
                self.must(",")?;
            }
        }
        Ok(found)
    }

    fn primary(&mut self) -> Result<Node, NoFormula> {
        let token = self.next();
        let start = token.span.start;
        let kind = match token.word {
            Word::Literal(value) => Kind::Literal(value),
            Word::Name(name) => match self.takes("(") {
                false => Kind::Name(name),
                true => {
                    let arguments = self.arguments(")")?;
                    let end = self.words.get(self.place - 1).map_or(start, |token| token.span.end);
                    return call(name, arguments, start..end, start);
                }
            },
            Word::Sign("(") => {
                let inside = self.expression()?;
                self.must(")")?;
                return Ok(inside);
            }
            Word::Sign("[") => Kind::List(self.deeper(|parser| parser.arguments("]"))?),
            Word::Sign("{") => Kind::Map(self.deeper(Self::entries)?),
            _ => {
                self.place = self.place.saturating_sub(usize::from(token.word != Word::End));
                return Err(self.expected("a value"));
            }
        };
        let end = self.words.get(self.place - 1).map_or(start, |token| token.span.end);
        Ok(Node { kind, span: start..end })
    }

    fn entries(&mut self) -> Result<Vec<(String, Node)>, NoFormula> {
        let mut found: Vec<(String, Node)> = Vec::new();
        while !self.takes("}") {
            let token = self.next();
            let name = match token.word {
                Word::Name(name) if found.iter().all(|(known, _)| *known != name) => name,
                _ => {
                    self.place = self.place.saturating_sub(usize::from(token.word != Word::End));
                    return Err(self.expected("a name"));
                }
            };
            self.must(":")?;
            found.push((name, self.expression()?));
            if !self.sees("}") {
                self.must(",")?;
            }
        }
        Ok(found)
    }
}

fn call(
    name: String,
    arguments: Vec<Node>,
    span: std::ops::Range<usize>,
    at: usize,
) -> Result<Node, NoFormula> {
    let known = FUNCTIONS.iter().find(|function| function.name == name);
    let Some(function) = known else {
        let names = FUNCTIONS.iter().map(|function| function.name);
        let nearest = nearest(&name, names);
        return Err(NoFormula { fault: Fault::Function { name, nearest }, at });
    };
    let (least, most) = function.arguments;
    match (least..=most).contains(&arguments.len()) {
        true => Ok(Node { kind: Kind::Call(name, arguments), span }),
        false => {
            let given = arguments.len();
            let fault = Fault::Arguments { name, takes: function.arguments, given };
            Err(NoFormula { fault, at })
        }
    }
}
