//! What can be wrong with the mechanisms of a folder that stand beside its cases, in one place.

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MechanismFault {
    /// A computation calls what reads state: it would come out otherwise tomorrow.
    Impure {
        /// What it calls.
        function: String,
    },
    /// A result is an amount that is not rounded by name.
    Unrounded {
        /// The result.
        out: String,
    },
    /// A result says not what it counts.
    NoUnit {
        /// The result.
        out: String,
    },
    /// A test of a computation comes out otherwise.
    Test {
        /// The test.
        test: String,
        /// The result.
        out: String,
        /// What it was to be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// No test is at an edge of a bracket, or just beside it.
    UntestedEdge {
        /// The table.
        table: String,
        /// The version.
        from: String,
        /// Between what a test must lie, both included.
        between: (String, String),
    },
    /// The tests of all computations together cost more than a folder may.
    TestCost,
    /// A report that anybody may read says not how few would show single ones.
    NoLeast,
    /// A report over records is not public: they are read by questions alone.
    RegistryReport,
    /// A figure that is that of one thing, in a report that is to show none.
    ShowsOne {
        /// The figure.
        figure: String,
    },
    /// The duty that a report is to meet is nobody's, or is met without it.
    ReportDue {
        /// The duty.
        due: String,
    },
    /// No act has it done.
    NeverRun {
        /// What.
        name: String,
    },
    /// A side of a matching is no child of the case whose act matches.
    OtherParent {
        /// The side.
        side: String,
        /// The case.
        of: String,
    },
    /// A formula reads what no formula of a matching may, or what is made of it.
    Forbidden {
        /// The attribute.
        attribute: String,
        /// On which way.
        way: Vec<String>,
    },
    /// An act does something with a mechanism that is done with things of another case.
    OtherCase {
        /// What.
        what: String,
        /// With things of which case.
        of: String,
    },
    /// Whoever may mark by the act is none of those who mark the part.
    OtherMarker {
        /// The part.
        part: String,
        /// Who may by the act.
        role: String,
    },
    /// Grades are made again, and no article lets them be.
    NoRegrade,
    /// The order of a finding has no deadline that somebody owes.
    FindingDue {
        /// The finding.
        finding: String,
        /// The deadline that it names.
        due: String,
    },
    /// Something forbidden that there is nowhere: it would forbid nothing.
    ForbidsNothing {
        /// The attribute.
        attribute: String,
    },
}

impl MechanismFault {
    /// Its name, by which programs know it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Impure { .. } => "impure",
            Self::Unrounded { .. } => "unrounded",
            Self::NoUnit { .. } => "no-unit",
            Self::Test { .. } => "test-failed",
            Self::UntestedEdge { .. } => "untested-edge",
            Self::TestCost => "test-cost",
            Self::NoLeast => "no-least",
            Self::RegistryReport => "registry-report",
            Self::ShowsOne { .. } => "shows-one",
            Self::ReportDue { .. } => "report-due",
            Self::NeverRun { .. } => "never-run",
            Self::OtherParent { .. } => "other-parent",
            Self::Forbidden { .. } => "forbidden",
            Self::OtherCase { .. } => "other-case",
            Self::OtherMarker { .. } => "other-marker",
            Self::NoRegrade => "no-regrade",
            Self::FindingDue { .. } => "finding-due",
            Self::ForbidsNothing { .. } => "forbids-nothing",
        }
    }
}
