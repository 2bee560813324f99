//! Requests that are held: counted, and bounded.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

/// The most requests of one worker that wait for one kind of thing at once; one more is decided
/// without waiting.
const WAITERS: usize = 1024;
/// The most of them from one source, and on one connection: nobody alone fills the places.
const SHARE: usize = WAITERS / 2;
/// The most bytes of header fields that are kept for them.
const BYTES: usize = 8 * 1024 * 1024;

/// Who would wait.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    /// The caller's address; those that have none count as one source.
    pub source: Option<IpAddr>,
    /// The number of the connection; none where the host does not say.
    pub connection: Option<u64>,
    /// How many bytes of header fields would be kept.
    pub bytes: usize,
}

impl Waiter {
    fn holders(&self) -> impl Iterator<Item = Holder> {
        let connection = self.connection.map(Holder::Connection);
        std::iter::once(Holder::Source(self.source)).chain(connection)
    }
}

/// Whom waiting requests are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Source(Option<IpAddr>),
    Connection(u64),
}

/// A request's place among those that wait, for as long as it exists.
pub struct Ticket {
    line: Rc<RefCell<Line>>,
    waiter: Waiter,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Ok(mut line) = self.line.try_borrow_mut() {
            line.leave(&self.waiter);
        }
    }
}

/// Those that wait.
#[derive(Default)]
struct Line {
    count: usize,
    bytes: usize,
    /// Two entries at most for each of `count`.
    by_holder: BTreeMap<Holder, usize>,
}

impl Line {
    fn has_place_for(&self, waiter: &Waiter) -> bool {
        let holds = |holder| self.by_holder.get(&holder).copied().unwrap_or_default();
        self.count < WAITERS
            && self.bytes.saturating_add(waiter.bytes) <= BYTES
            && waiter.holders().all(|holder| holds(holder) < SHARE)
    }

    fn enter(&mut self, waiter: &Waiter) {
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(waiter.bytes);
        for holder in waiter.holders() {
            let holds = self.by_holder.entry(holder).or_default();
            *holds = holds.saturating_add(1);
        }
    }

    fn leave(&mut self, waiter: &Waiter) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(waiter.bytes);
        for holder in waiter.holders() {
            let left = self.by_holder.get(&holder).copied().unwrap_or_default();
            match left.saturating_sub(1) {
                0 => self.by_holder.remove(&holder),
                left => self.by_holder.insert(holder, left),
            };
        }
    }
}

/// How many requests of this worker wait for one kind of thing.
#[derive(Default)]
pub struct Waiters {
    line: Rc<RefCell<Line>>,
}

impl Waiters {
    /// A place for one more; none where there are too many, or too many of its own.
    pub fn admit(&self, waiter: Waiter) -> Option<Ticket> {
        let mut line = self.line.try_borrow_mut().ok()?;
        line.has_place_for(&waiter).then(|| line.enter(&waiter))?;
        let line = Rc::clone(&self.line);
        Some(Ticket { line, waiter })
    }

    /// How many there are; none while one comes or goes.
    pub fn count(&self) -> Option<usize> {
        self.line.try_borrow().ok().map(|line| line.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(source: u8, connection: u64, bytes: usize) -> Waiter {
        Waiter {
            source: Some([192, 0, 2, source].into()),
            connection: Some(connection),
            bytes,
        }
    }

    fn admitted(waiters: &Waiters, waiter: Waiter, tries: usize) -> Vec<Ticket> {
        (0..tries).filter_map(|_| waiters.admit(waiter)).collect()
    }

    #[test]
    fn one_source_and_one_connection_have_half_of_the_places_and_give_them_back() {
        let waiters = Waiters::default();
        let one_connection = admitted(&waiters, waiter(1, 1, 100), 2000);
        assert_eq!(one_connection.len(), SHARE);
        assert!(waiters.admit(waiter(1, 2, 100)).is_none(), "of that source");
        assert!(
            waiters.admit(waiter(2, 1, 100)).is_none(),
            "on that connection"
        );
        let others = admitted(&waiters, waiter(2, 2, 100), 2000);
        assert_eq!(others.len(), SHARE);
        assert!(waiters.admit(waiter(3, 3, 100)).is_none(), "all are taken");
        drop(one_connection);
        assert_eq!(admitted(&waiters, waiter(3, 3, 100), 2000).len(), SHARE);
        drop(others);
        assert!(
            waiters.line.borrow().by_holder.is_empty(),
            "nobody is remembered"
        );
        assert_eq!(waiters.line.borrow().bytes, 0);
    }

    #[test]
    fn the_bytes_that_are_kept_are_bounded() {
        let waiters = Waiters::default();
        let large = admitted(&waiters, waiter(1, 1, 60 * 1024), 2000);
        assert_eq!(large.len(), BYTES / (60 * 1024));
        assert!(waiters.admit(waiter(2, 2, 60 * 1024)).is_none());
        assert!(waiters.admit(waiter(2, 2, 100)).is_some());
    }

    #[test]
    fn those_without_an_address_are_one_source() {
        let waiters = Waiters::default();
        let nobody = |connection| Waiter {
            source: None,
            connection,
            bytes: 1,
        };
        let held: Vec<_> = (0..2000)
            .filter_map(|n| waiters.admit(nobody(Some(n))))
            .collect();
        assert_eq!(held.len(), SHARE);
        assert!(waiters.admit(nobody(None)).is_none());
    }
}
