//! The doors of a node: the socket, HTTP, the monitor, time-stamping. They turn bytes and words into questions to the desk, and
//! its answers into bytes and words. Start reading at [`Node::run`].

mod door;
mod http;
mod local;
mod monitor;
mod paper;
mod run;
mod socket;
mod tsa;

pub use self::{http::openapi, local::LocalClient, run::Node, tsa::TimeStampServer};
