//! Who hands what to whom: the superiors that the directory names, and the ways along them.

use std::collections::BTreeMap;

use chancery_certs::AgencyName;

/// The most relays between an agency and the top of its hierarchy.
const MAX_RELAYS: usize = 8;

/// The agencies of a directory, each with the superior that relays to and from it, if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes(BTreeMap<AgencyName, Option<AgencyName>>);

impl FromIterator<(AgencyName, Option<AgencyName>)> for Routes {
    fn from_iter<T: IntoIterator<Item = (AgencyName, Option<AgencyName>)>>(agencies: T) -> Self {
        Self(agencies.into_iter().collect())
    }
}

impl Routes {
    /// The superior that relays to and from an agency.
    pub fn superior(&self, agency: &AgencyName) -> Option<&AgencyName> {
        self.0.get(agency)?.as_ref()
    }

    /// The agency and the relays above it, from itself upwards. It ends also where superiors name each other.
    pub fn above(&self, agency: &AgencyName) -> Vec<AgencyName> {
        let mut chain = vec![agency.clone()];
        while chain.len() <= MAX_RELAYS
            && let Some(next) = chain.last().and_then(|last| self.superior(last))
            && !chain.contains(next)
        {
            chain.push(next.clone());
        }
        chain
    }

    /// To whom `own` hands what is for `recipient`: down to the one below it on the way, else up to its own
    /// superior, else over to the top of the recipient's hierarchy. Along a tree that ends.
    pub fn next_hop(&self, own: &AgencyName, recipient: &AgencyName) -> AgencyName {
        let mut chain = self.above(recipient);
        if let Some(place) = chain.iter().position(|name| name == own).filter(|place| *place > 0) {
            return chain.swap_remove(place - 1);
        }
        if let Some(superior) = self.superior(own) {
            return superior.clone();
        }
        chain.pop().unwrap_or_else(|| recipient.clone())
    }

    /// Whether `own` carries on what `sender` has for `recipient`: one of them must be below it.
    pub fn relays(&self, own: &AgencyName, sender: &AgencyName, recipient: &AgencyName) -> bool {
        [sender, recipient].iter().any(|end| self.above(end).iter().skip(1).any(|n| n == own))
    }

    /// Whether `peer` may hand over what `sender` has sent: it is the sender, or a relay above it or above
    /// `own`.
    pub fn carries(&self, own: &AgencyName, peer: &AgencyName, sender: &AgencyName) -> bool {
        peer == sender || [sender, own].iter().any(|end| self.above(end).iter().any(|n| n == peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AgencyName {
        text.parse().expect("a name")
    }

    #[test]
    fn every_way_through_a_hierarchy_ends_at_the_recipient() {
        let names = [
            ("zj.cn", None),
            ("hz.zj.cn", Some("zj.cn")),
            ("county.hz.zj.cn", Some("hz.zj.cn")),
            ("js.cn", None),
            ("nj.js.cn", Some("js.cn")),
            ("free.cn", None),
            // Two that name each other: nothing may go round for ever.
            ("round.cn", Some("trip.cn")),
            ("trip.cn", Some("round.cn")),
        ];
        let routes: Routes = names.iter().map(|(own, via)| (name(own), via.map(name))).collect();
        for (from, _) in &names[..6] {
            for (to, _) in &names[..6] {
                let (mut at, end, sender) = (name(from), name(to), name(from));
                let mut hops = 0;
                while at != end {
                    let next = routes.next_hop(&at, &end);
                    assert!(routes.carries(&next, &at, &sender), "{next} takes from {at}");
                    assert!(next == end || routes.relays(&next, &sender, &end), "{next} relays");
                    (at, hops) = (next, hops + 1);
                    assert!(hops <= 5, "from {from} to {to}");
                }
            }
        }
        assert_eq!(routes.next_hop(&name("county.hz.zj.cn"), &name("nj.js.cn")), name("hz.zj.cn"));
        assert_eq!(routes.next_hop(&name("zj.cn"), &name("nj.js.cn")), name("js.cn"));
        assert_eq!(routes.next_hop(&name("free.cn"), &name("js.cn")), name("js.cn"));
        assert!(!routes.relays(&name("free.cn"), &name("zj.cn"), &name("js.cn")));
        assert!(!routes.carries(&name("zj.cn"), &name("free.cn"), &name("js.cn")));
        assert!(routes.above(&name("round.cn")).len() < 10);
    }
}
