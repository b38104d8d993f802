//! A map that holds so many, and forgets the oldest for a new one.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// So many values by key. When one more comes, the one that came first makes room for it, and not all of them: whoever goes
/// through a few more than there is room for finds most of them again.
#[derive(Debug)]
pub(crate) struct LimitedCache<K, V> {
    most: usize,
    held: Mutex<Held<K, V>>,
}

#[derive(Debug)]
struct Held<K, V> {
    values: HashMap<K, V>,
    /// In the order in which they came. What was forgotten may still stand in it.
    order: VecDeque<K>,
}

impl<K: Hash + Eq + Clone, V: Clone> LimitedCache<K, V> {
    /// Room for so many.
    pub(crate) fn new(most: usize) -> Self {
        let held = Held { values: HashMap::new(), order: VecDeque::new() };
        Self { most: most.max(1), held: Mutex::new(held) }
    }

    fn lock(&self) -> MutexGuard<'_, Held<K, V>> {
        // Every change is whole, so it is sound even after a panic elsewhere.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.lock().values.get(key).cloned()
    }

    /// Forgets a key.
    pub(crate) fn forget(&self, key: &K) {
        self.lock().values.remove(key);
    }

    /// Remembers a value.
    pub(crate) fn put(&self, key: K, value: V) {
        let mut held = self.lock();
        if held.values.insert(key.clone(), value).is_none() {
            held.order.push_back(key);
        }
        // Keys that were forgotten, and came again, stand twice: the first of them stands for nothing.
        while held.values.len() > self.most || held.order.len() > 2 * self.most {
            let Some(first) = held.order.pop_front() else { return };
            held.values.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_the_others_stay() {
        let cache = LimitedCache::new(3);
        for n in 0..4 {
            cache.put(n, n * 10);
        }
        assert_eq!([0, 1, 2, 3].map(|n| cache.get(&n)), [None, Some(10), Some(20), Some(30)]);
        cache.put(2, 21);
        assert_eq!((cache.get(&1), cache.get(&2)), (Some(10), Some(21)), "it is the same one");
        cache.forget(&1);
        cache.put(4, 40);
        assert_eq!([1, 2, 3, 4].map(|n| cache.get(&n)), [None, Some(21), Some(30), Some(40)]);
        for n in 0..1000 {
            cache.put(7, n);
            cache.forget(&7);
        }
        let held = cache.lock();
        assert!(held.order.len() <= 6 && held.values.len() <= 3, "nothing grows: {held:?}");
    }
}
