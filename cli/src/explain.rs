//! `chancery explain`: what an error code means, and what to do.

use std::process::ExitCode;

use crate::{
    codes::{CODES, Code, find},
    failure::{Failure, NO},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  chancery explain CHY-4011")]
pub(crate) struct Explain {
    /// The code (default: all)
    code: Option<String>,
}

impl Explain {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let all: Vec<&Code> = match &self.code {
            None => CODES.iter().collect(),
            Some(code) => vec![find(&code.to_ascii_uppercase()).ok_or_else(|| {
                let what = format!("there is no error code {code:?}");
                let remedy = "Run `chancery explain` for all of them.";
                Failure { exit: NO, ..Failure::usage("CHY-6016", what, remedy) }
            })?],
        };
        let language = usize::from(output.chinese);
        if output.json {
            let all: Vec<_> = all
                .iter()
                .map(|c| {
                    let [en, zh] = c.means;
                    let [fix_en, fix_zh] = c.remedy;
                    serde_json::json!({
                        "code": c.code,
                        "means": { "en": en, "zh": zh },
                        "remedy": { "en": fix_en, "zh": fix_zh },
                    })
                })
                .collect();
            output.print_json(&all.into());
            return Ok(ExitCode::SUCCESS);
        }
        for entry in all {
            let means = entry.means.get(language).copied().unwrap_or_default();
            let remedy = entry.remedy.get(language).copied().unwrap_or_default();
            println!("{}  {means}", entry.code);
            println!("          {remedy}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
