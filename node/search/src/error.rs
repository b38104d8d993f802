use chancery_apps::StateError;

/// Why nothing was found out.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The index cannot be read or written.
    #[error(
        "the index of public works cannot be used: {0}; it can be made again from the state of modules"
    )]
    Index(#[from] tantivy::TantivyError),
    /// The folder of the index cannot be used.
    #[error("the folder of the index cannot be used: {0}")]
    Folder(#[from] std::io::Error),
    /// What stands in the index is not what was put there.
    #[error("the index of public works is damaged; it can be made again from the state of modules")]
    Damaged,
    /// State cannot be read.
    #[error("state cannot be read: {0}")]
    State(StateError),
    /// The question has no word.
    #[error("a question needs at least one word; 检索词不能为空")]
    NoWord,
    /// The question is longer than anybody asks.
    #[error("a question has at most {most} characters; 检索词不得超过 {most} 个字")]
    Long {
        /// The most characters.
        most: usize,
    },
    /// More was skipped than can be.
    #[error(
        "at most {most} hits can be skipped: narrow the question; 最多翻至第 {most} 条，请缩小检索范围"
    )]
    Deep {
        /// The most hits.
        most: usize,
    },
}

impl From<StateError> for SearchError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}
