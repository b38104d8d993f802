//! Tasks that go on as long as a node does.

use std::collections::HashMap;

use tokio::{
    runtime::Handle,
    task::{Id, JoinError, JoinSet},
};

use crate::NodeError;

/// Tasks that go on until the node stops, by name.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Has a task run.
    pub fn add(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.running.spawn(task);
        self.names.insert(task.id(), name);
    }

    /// Adds one that runs elsewhere.
    pub fn add_on(
        &mut self,
        desk: &Handle,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = self.running.spawn_on(task, desk);
        self.names.insert(task.id(), name);
    }

    /// Waits until one ends, though none was told to.
    pub async fn ended(&mut self) -> NodeError {
        let Some(ended) = self.running.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let (id, why) = match ended {
            Ok((id, ())) => (id, "it has nothing more to do".to_owned()),
            Err(error) => (error.id(), how(error)),
        };
        let task = self.names.remove(&id).unwrap_or("a task");
        NodeError::Ended { task, why }
    }

    /// Waits until all have ended.
    pub async fn join(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

/// How a task ended that did not end by itself.
fn how(error: JoinError) -> String {
    let text = error.to_string();
    let Ok(panic) = error.try_into_panic() else { return text };
    let said = panic.downcast_ref::<String>().map(String::as_str);
    said.or_else(|| panic.downcast_ref::<&str>().copied())
        .map_or(text, |said| format!("panic: {said}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_unasked_or_panics_is_an_error_that_names_it() {
        let mut tasks = Tasks::default();
        tasks.add("the one that goes on", std::future::pending());
        tasks.add("the one that panics", async { panic!("index {} is too large", 7) });
        let error = tasks.ended().await;
        assert_eq!(error.code(), "CHY-4050");
        let said = "the one that panics of the node ended unasked: panic: index 7 is too large";
        assert_eq!(error.to_string(), said);
        tasks.add_on(&Handle::current(), "the one that returns", async {});
        let said = tasks.ended().await.to_string();
        assert!(said.starts_with("the one that returns of the node ended unasked"), "{said}");
        let none = timeout(Duration::from_millis(50), tasks.ended()).await;
        assert!(none.is_err(), "nothing else has ended");
    }
}
