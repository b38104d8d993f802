//! Letting peers in.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::lookup_host,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use crate::{
    bus::Bus,
    directory::HeldDirectory,
    endpoint,
    handshakes::{Place, Verdict},
    inbound,
    places::Seldom,
};

/// How often it is said that somebody was not let in, who need not be anybody.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// How often the names in the directory are looked up again, how long one may take, and how many are at once.
const LOOK_UP_EVERY: Duration = Duration::from_secs(600);

const LOOK_UP: Duration = Duration::from_secs(5);

const LOOK_UPS: usize = 16;

/// Gives a handshake's place back when it ends, however it does.
struct Handshake {
    bus: Arc<Bus>,
    place: Place,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.bus.handshakes().ends(&self.place);
    }
}

/// Accepts connections from peers. It ends only when the socket is lost.
pub(crate) async fn accept(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    let mut handshakes: JoinSet<Result<(), (SocketAddr, String)>> = JoinSet::new();
    let mut going: HashMap<Place, AbortHandle> = HashMap::new();
    let (mut refused, mut ignored) = (Seldom::new(SAY_EVERY), Seldom::new(SAY_EVERY));
    loop {
        let incoming = tokio::select! {
            incoming = bus.endpoint.accept() => incoming,
            Some(ended) = handshakes.join_next(), if !handshakes.is_empty() => {
                if let Ok(Err((address, why))) = ended
                    && let Some(unsaid) = refused.happened(Instant::now())
                {
                    tracing::warn!(%address, why, unsaid, "handshake failed");
                }
                continue;
            }
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Some(incoming) = incoming else { return };
        let (address, now) = (incoming.remote_address(), Instant::now());
        let validated = incoming.remote_address_validated() || !incoming.may_retry();
        let verdict = bus.handshakes().begins(address, validated, now);
        let (place, patience, gives_way) = match verdict {
            Verdict::Goes { place, patience, gives_way } => (place, patience, gives_way),
            Verdict::Retry => {
                // It fails only where no retry is possible, which was just asked.
                drop(incoming.retry());
                continue;
            }
            Verdict::Ignore => {
                if let Some(unsaid) = ignored.happened(now) {
                    tracing::warn!(%address, unsaid, "too many handshakes are begun");
                }
                incoming.ignore();
                continue;
            }
        };
        if let Some(other) = gives_way.and_then(|place| going.remove(&place)) {
            other.abort();
            if let Some(unsaid) = refused.happened(now) {
                let why = "one was not ended, and gave way to another";
                tracing::warn!(%address, why, unsaid, "handshake failed");
            }
        }
        let handshake = Handshake { bus: bus.clone(), place };
        let task = handshakes.spawn(async move {
            let bus = &handshake.bus;
            let failed = |why: String| (address, why);
            let connected = timeout(patience, incoming.into_future()).await;
            let connected = connected.map_err(|_| failed("it was not ended in time".into()))?;
            let connection = connected.map_err(|e| failed(e.to_string()))?;
            match bus.peer_of(&connection) {
                Ok(peer) => {
                    tracing::info!(%peer, %address, "peer connected");
                    inbound::adopt(bus, peer, connection);
                    Ok(())
                }
                Err(error) => {
                    connection.close(endpoint::NOT_ACCEPTED, b"not accepted");
                    Err(failed(format!("peer not accepted: {error}")))
                }
            }
        });
        going.insert(place, task);
        going.retain(|_, task| !task.is_finished());
    }
}

/// Tells the handshakes which addresses the directory names.
pub(crate) async fn keep_named(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    // Moves also when a directory is taken into use.
    let mut judged = bus.judged.subscribe();
    let mut done = None;
    loop {
        let digest = bus.directory_digest().map(|(_, digest)| digest);
        let due = |(of, at): (_, Instant)| of != digest || at.elapsed() >= LOOK_UP_EVERY;
        if done.is_none_or(due) {
            tokio::select! {
                addresses = addresses(bus.held_directory()) => bus.handshakes().name(addresses),
                _ = stop.wait_for(|stop| *stop) => return,
            }
            done = Some((digest, Instant::now()));
        }
        tokio::select! {
            changed = judged.changed() => if changed.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The addresses that the directory names, as far as their names can be looked up. Peers are still where they were when it
/// expires, and must not be among strangers while a newer one is waited for.
async fn addresses(held: &HeldDirectory) -> Vec<SocketAddr> {
    let Some(directory) = held.newest() else { return Vec::new() };
    let mut found = Vec::new();
    let mut looking: JoinSet<Vec<SocketAddr>> = JoinSet::new();
    for (_, peer) in directory.peers() {
        let address = peer.address.clone();
        if let Ok(address) = address.parse() {
            found.push(address);
            continue;
        }
        if looking.len() >= LOOK_UPS
            && let Some(Ok(some)) = looking.join_next().await
        {
            found.extend(some);
        }
        looking.spawn(async move {
            // What cannot be looked up is no address; its agency is a stranger until it has been here.
            let Ok(Ok(some)) = timeout(LOOK_UP, lookup_host(address)).await else {
                return Vec::new();
            };
            some.collect()
        });
    }
    while let Some(some) = looking.join_next().await {
        found.extend(some.unwrap_or_default());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::view;

    #[tokio::test]
    async fn peers_are_no_strangers_when_the_directory_has_expired() {
        let held = HeldDirectory::default();
        assert!(addresses(&held).await.is_empty());
        held.replace(Arc::new(view(&[("a.gov.cn", None)])));
        assert!(held.valid(chancery_ledger::unix_now()).is_none(), "it has expired");
        assert_eq!(addresses(&held).await, ["192.0.2.1:7400".parse().expect("an address")]);
    }
}
