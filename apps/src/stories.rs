//! The stories of a folder, told all together; and those of what it extends, told again with what it changes.

use crate::{
    folder::Folder,
    manifest::Module,
    scenario::{Broken, Scenario, Told},
};

/// How a story came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tale {
    /// Its file; of what is extended, with the name of that module before it: `news:scenarios/1.toml`.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Why the module says that it comes out otherwise.
    pub changed: Option<String>,
    /// What was told, or where it came out otherwise.
    pub told: Result<Told, Broken>,
}

impl Tale {
    /// Whether it came out as it should: as it is told, or otherwise where the module says so. What is said to come out otherwise and
    /// does not is no change at all, and hides one that comes later.
    pub fn is_good(&self) -> bool {
        self.told.is_ok() == self.changed.is_none()
    }
}

/// Tells the stories of a folder, and those of all that it extends.
pub fn tell(folder: &Folder, module: &Module) -> Vec<Tale> {
    let bytes = folder.encode_whole();
    let (mut tales, mut next) = (Vec::new(), Some((folder, None::<String>)));
    while let Some((one, name)) = next {
        for (path, text) in one.files().filter(|(path, _)| path.starts_with("scenarios/")) {
            let read = Scenario::read(text).map_err(|why| Broken { step: 0, why });
            let (title, changed, told) = match read {
                Err(broken) => (String::new(), None, Err(broken)),
                Ok(story) => {
                    let changed = name.as_ref().and(module.changes_story(&story.scenario));
                    let (title, changed) = (story.title.clone(), changed.map(str::to_owned));
                    let story = match &name {
                        Some(name) => story.of_child(name, module.name()),
                        None => story,
                    };
                    (title, changed, story.run(module, &bytes))
                }
            };
            let path = match &name {
                Some(name) => format!("{name}:{path}"),
                None => path.to_owned(),
            };
            tales.push(Tale { path, title, changed, told });
        }
        let extends = one.extends();
        next = one.above().zip(extends).map(|(above, extends)| (above, Some(extends.name)));
    }
    tales
}
