use chancery_crypto::{Language, say};

use crate::manifest::MechanismFault;

impl MechanismFault {
    /// What is wrong, and how to mend it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Impure { function } => say!(
                language,
                ("a computation rests on what it is given and on tables alone: give it what \"{function}\" says as an input"),
                ("计算只以输入和参数表为依据：“{function}”的结果请作为输入提供")
            ),
            Self::Unrounded { out } => say!(
                language,
                ("the amount \"{out}\" is not rounded by name: write round(…, 'fen', 'half_up') or as the text has it"),
                ("金额“{out}”没有写明舍入方式：请写 round(…, 'fen', 'half_up')，或按法律文本规定")
            ),
            Self::NoUnit { out } => say!(
                language,
                ("the result \"{out}\" says not what it counts: write unit (an amount: fen or yuan, as it is rounded)"),
                ("结果“{out}”没有单位：请写 unit（金额按舍入写 fen 或 yuan）")
            ),
            Self::Test { test, out, wanted, found } => say!(
                language,
                ("test \"{test}\": {out} is {found}, and not {wanted}"),
                ("测试“{test}”：{out} 为 {found}，而不是 {wanted}")
            ),
            Self::UntestedEdge { table, from, between: (low, high) } if low == high => say!(
                language,
                ("untested bracket edge: no test asks \"{table}\" of {from} with {low}"),
                ("级距边界未经测试：没有测试以 {low} 查“{table}”（{from} 起）")
            ),
            Self::UntestedEdge { table, from, between: (low, high) } => say!(
                language,
                ("untested bracket edge: no test asks \"{table}\" of {from} with something from {low} to {high}"),
                ("级距边界未经测试：没有测试以 {low} 至 {high} 之间的数查“{table}”（{from} 起）")
            ),
            Self::NoLeast => say!(
                language,
                ("a public report says with \"least\" below how many a figure would show single ones"),
                ("公开的报表须以 least 写明少于多少时不显示，以免显出个别对象")
            ),
            Self::RegistryReport => say!(
                language,
                ("records are read by questions alone: a report over a registry is public, with \"least\""),
                ("登记记录只能通过查询读取：对登记簿的报表须公开（public）并写明 least")
            ),
            Self::ShowsOne { figure } => say!(
                language,
                ("\"{figure}\" is the value of one: where \"least\" holds, only count, share and sum are stated"),
                ("“{figure}”是个别对象的数值：写明 least 时只能用 count、share、sum")
            ),
            Self::ReportDue { due } => say!(
                language,
                ("the duty \"{due}\" must be somebody's (owes), and an act of its \"until\" must make this report"),
                ("期限“{due}”须有责任人（owes），且 until 中须有制作本报表的动作")
            ),
            Self::NeverRun { name } => say!(
                language,
                ("no act has \"{name}\" done: name it in an effect, or leave it out"),
                ("没有动作运用“{name}”：请在 then 中写明，或删去它")
            ),
            Self::OtherParent { side, of } => say!(
                language,
                ("\"{side}\" is no child case of \"{of}\", whose act matches: write parent = \"{of}\" there"),
                ("“{side}”不是“{of}”的子事项，而匹配由后者的动作进行：请在前者写 parent = \"{of}\"")
            ),
            Self::Forbidden { attribute, way } => {
                let way = way.join(" -> ");
                say!(
                    language,
                    ("\"{attribute}\" may be read by no formula of a matching, and is: {way}"),
                    ("匹配的任何公式不得使用“{attribute}”，却用到了：{way}")
                )
            }
            Self::OtherCase { what, of } => say!(
                language,
                ("\"{what}\" is done by an act of \"{of}\""),
                ("“{what}”应由“{of}”的动作进行")
            ),
            Self::OtherMarker { part, role } => say!(
                language,
                ("\"{role}\" is none of those who mark \"{part}\": see by in its marks"),
                ("“{role}”不是“{part}”的评阅人：见 marks 中的 by")
            ),
            Self::NoRegrade => say!(
                language,
                ("grades are made again only where the exam says by which article: [regrade] law"),
                ("重新评分须在考试中写明依据：[regrade] law")
            ),
            Self::FindingDue { finding, due } => say!(
                language,
                ("the finding \"{finding}\" opens an order whose deadline \"{due}\" is to be somebody's (owes), and a child of the visit whose inner opening act has a form with finding and law"),
                ("发现“{finding}”所立责令事项须是检查的子事项，其内部立项动作的表单须有 finding、law，期限“{due}”须有责任人（owes）")
            ),
            Self::ForbidsNothing { attribute } => say!(
                language,
                ("\"{attribute}\" is a field of no form and set by no act of the two sides: to forbid it forbids nothing"),
                ("“{attribute}”既非双方表单的字段，也非其动作所设：这样禁止没有作用")
            ),
            Self::TestCost => say!(
                language,
                ("the tests of all computations cost more steps together than a folder may: make their lists shorter"),
                ("全部计算的测试超过步数上限：请缩短其中的列表")
            ),
        }
    }
}
