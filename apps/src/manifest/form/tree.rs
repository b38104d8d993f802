//! JSON with the line of each name and value, and with every name that is written twice, both of which `serde_json` drops.

use serde_json::Value as Json;

/// A value, and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub line: usize,
    pub of: Of,
}

#[derive(Debug)]
pub(super) enum Of {
    /// Text, a number, true, false or null.
    Plain(Json),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// A named value, and where its name stands.
#[derive(Debug)]
pub(super) struct Member {
    pub name: String,
    pub line: usize,
    pub value: Node,
}

impl Node {
    /// Reads a text.
    ///
    /// # Errors
    /// The line, and what is wrong there.
    pub(super) fn read(text: &str) -> Result<Self, (usize, String)> {
        // What is JSON, and how deep it may nest, `serde_json` says; the walk has only to find its way.
        if let Err(error) = serde_json::from_str::<Json>(text) {
            return Err((error.line().max(1), error.to_string()));
        }
        let mut walk = Walk { rest: text, line: 1 };
        walk.node().ok_or_else(|| (walk.line, "JSON".to_owned()))
    }

    pub(super) fn json(&self) -> Json {
        match &self.of {
            Of::Plain(json) => json.clone(),
            Of::List(list) => list.iter().map(Self::json).collect(),
            Of::Map(members) => Json::Object(
                members.iter().map(|one| (one.name.clone(), one.value.json())).collect(),
            ),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.of {
            Of::Plain(json) => json.as_str(),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Self]> {
        match &self.of {
            Of::List(list) => Some(list),
            _ => None,
        }
    }

    pub(super) fn members(&self) -> Option<&[Member]> {
        match &self.of {
            Of::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The named value of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Member> {
        self.members()?.iter().find(|one| one.name == name)
    }
}

struct Walk<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Walk<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        self.line += taken.matches('\n').count();
        Some(taken)
    }

    /// The next character that is no blank.
    fn next(&mut self) -> Option<char> {
        let blank = self.rest.len() - self.rest.trim_ascii_start().len();
        self.take(blank)?;
        self.rest.chars().next()
    }

    fn node(&mut self) -> Option<Node> {
        let first = self.next()?;
        let line = self.line;
        let of = match first {
            '{' => Of::Map(self.members()?),
            '[' => Of::List(self.list()?),
            '"' => Of::Plain(Json::String(self.string()?)),
            _ => {
                let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | ']' | '}');
                let end = self.rest.find(ends).unwrap_or(self.rest.len());
                Of::Plain(serde_json::from_str(self.take(end)?).ok()?)
            }
        };
        Some(Node { line, of })
    }

    fn members(&mut self) -> Option<Vec<Member>> {
        self.take(1)?;
        let mut found = Vec::new();
        loop {
            match self.next()? {
                '}' => break,
                '"' => {
                    let (line, name) = (self.line, self.string()?);
                    (self.next()? == ':').then(|| self.take(1))??;
                    found.push(Member { name, line, value: self.node()? });
                }
                _ => drop(self.take(1)?),
            }
        }
        self.take(1)?;
        Some(found)
    }

    fn list(&mut self) -> Option<Vec<Node>> {
        self.take(1)?;
        let mut found = Vec::new();
        loop {
            match self.next()? {
                ']' => break,
                ',' => drop(self.take(1)?),
                _ => found.push(self.node()?),
            }
        }
        self.take(1)?;
        Some(found)
    }

    fn string(&mut self) -> Option<String> {
        let mut escaped = false;
        let end = self.rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        serde_json::from_str(self.take(end + 2)?).ok()
    }
}
