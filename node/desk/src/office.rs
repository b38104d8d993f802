//! What all that is done at the desk shares.

use std::{
    ops::Deref,
    sync::{Arc, Mutex},
};

use chancery_bus::{Bus, NodeError};

use crate::{
    access::{Access, Action, Caller, Object},
    decider::Decider,
    heads::Opened,
};

/// The desk: who may do what, what was opened, and what one at a time may do.
#[derive(Debug)]
pub struct Office {
    bus: Arc<Bus>,
    pub(crate) access: Access,
    pub(crate) opened: Opened,
    pub(crate) decider: Decider,
    /// Held while the sender of a withdrawal is answered.
    pub(crate) answering: Mutex<()>,
    /// Held while content is purged.
    pub(crate) purging: tokio::sync::Mutex<()>,
}

impl Deref for Office {
    type Target = Bus;

    fn deref(&self) -> &Bus {
        &self.bus
    }
}

impl Office {
    /// The desk of a node whose bus this is.
    ///
    /// # Errors
    /// [`NodeError::Config`] when its rules are not right.
    pub fn new(bus: Arc<Bus>) -> Result<Self, NodeError> {
        let access = Access::load(bus.config())?;
        let (opened, decider, answering, purging) = Default::default();
        Ok(Self { bus, access, opened, decider, answering, purging })
    }

    /// The bus.
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Asks whether somebody could do this with anything at all.
    ///
    /// # Errors
    /// [`NodeError::NotPermitted`].
    pub fn could(&self, caller: &Caller, action: Action) -> Result<(), NodeError> {
        self.access.could(caller, action)
    }

    /// Asks whether somebody who came in by a door of this node may do this.
    pub fn permit(
        &self,
        caller: &Caller,
        action: Action,
        object: Object<'_>,
    ) -> Result<(), NodeError> {
        self.access.check(caller, caller, action, object)
    }
}
