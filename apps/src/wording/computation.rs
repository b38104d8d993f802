use chancery_crypto::{Language, say};

use crate::{
    manifest::Module,
    mechanism::{Computed, NotComputed, Worked},
    value::{Value, Why},
};

impl Computed {
    /// How it was worked out, a sentence a step: each name as the module calls it, what it came to, and by which article or table.
    pub fn say(&self, module: &Module, language: Language) -> Vec<String> {
        self.steps.iter().map(|step| step.say(module, &self.computation, language)).collect()
    }
}

impl Worked {
    fn say(&self, module: &Module, computation: &str, language: Language) -> String {
        let label = |name: &str| {
            let text = module.text(language, &format!("computation-{computation}-{name}"));
            text.unwrap_or(name).to_owned()
        };
        let name = label(&self.name);
        let unit = module.computations.get(computation).and_then(|one| {
            let out = one.outs.iter().find(|out| out.name == self.name);
            let unit = out.map(|out| &out.unit);
            unit.or_else(|| one.input(&self.name).map(|input| &input.unit))?.as_deref()
        });
        let value = match (&self.value, unit) {
            (Value::Unknown(Why::Missing(input)), _) => {
                let input = label(input);
                say!(language, ("unknown, because missing: {input}"), ("未知，因缺少：{input}"))
            }
            (Value::Unknown(why), _) => {
                say!(language, ("unknown, because: {why}"), ("未知，原因：{why}"))
            }
            // Amounts are shown in yuan, whatever they are rounded to.
            (value @ Value::Money(_), _) => say!(language, ("{value} yuan"), ("{value} 元")),
            (value, Some(unit)) => format!("{value} {unit}"),
            (value, None) => value.to_string(),
        };
        let mut said = match &self.formula {
            Some(formula) => format!("{name} = {value}\t{formula}"),
            None => format!("{name} = {value}"),
        };
        if let Some(law) = &self.law {
            said.push_str(&say!(language, (" ({law})"), ("（{law}）")));
        }
        for looked in &self.looked {
            let table = module.text(language, &format!("table-{}", looked.table));
            let table = table.unwrap_or(&looked.table);
            let (from, law) = (looked.from, &looked.law);
            said.push_str(&match looked.row {
                Some(row) => say!(
                    language,
                    ("; {table} of {from}, row {row} ({law})"),
                    ("；{table}（{from} 起）第 {row} 行（{law}）")
                ),
                None => say!(
                    language,
                    ("; {table} of {from} ({law})"),
                    ("；{table}（{from} 起）（{law}）")
                ),
            });
        }
        said
    }
}

impl NotComputed {
    /// Why not.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NoModule => {
                say!(language, ("no such module is in force here"), ("本机关未启用该业务模块"))
            }
            Self::NoComputation => {
                say!(language, ("the module has no such computation"), ("该模块没有这一计算"))
            }
            Self::Given { name, wanted: None } => say!(
                language,
                ("\"{name}\" is nothing that the computation takes"),
                ("该计算没有输入“{name}”")
            ),
            Self::Given { name, wanted: Some(wanted) } => {
                say!(language, ("\"{name}\" is to be: {wanted}"), ("“{name}”应为 {wanted}"))
            }
        }
    }
}
