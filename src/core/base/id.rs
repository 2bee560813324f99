//! Ids: the place of a thing in its list, as a type of its own, so that no list is asked by the
//! place of another.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// What tells a thing in a [`Listed`] from the others: its place.
pub trait Id: Copy {
    /// The thing at that place, counted from zero.
    fn at(place: usize) -> Self;

    /// Its place, counted from zero.
    fn place(self) -> usize;
}

/// Declares ids.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(usize);

        impl $crate::base::Id for $name {
            fn at(place: usize) -> Self {
                Self(place)
            }

            fn place(self) -> usize {
                self.0
            }
        }
    )*};
}
pub(crate) use ids;

ids! {
    /// A route, by its place in `routes`.
    RouteId;
    /// A limit, by its place in `limits`.
    LimitId;
    /// A governed client, by its place in `clients`.
    ClientId;
    /// An issuer, by its place in `issuers`.
    IssuerId;
    /// A trust domain, by its place in `trust_domains`.
    DomainId;
    /// Whose keys they are: the issuers, and behind them the trust domains.
    KeyOwnerId;
}

/// A list whose elements are found by ids of their own kind.
pub struct Listed<I, T> {
    elements: Vec<T>,
    id: PhantomData<fn(I)>,
}

impl<I: Id, T> Listed<I, T> {
    /// The element with that id.
    #[must_use]
    pub fn get(&self, id: I) -> Option<&T> {
        self.elements.get(id.place())
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.elements.get_mut(id.place())
    }

    /// Adds an element; answers its id.
    pub fn push(&mut self, element: T) -> I {
        let id = I::at(self.elements.len());
        self.elements.push(element);
        id
    }

    /// Each element with its id.
    pub fn each(&self) -> impl Iterator<Item = (I, &T)> {
        let elements = self.elements.iter().enumerate();
        elements.map(|(place, element)| (I::at(place), element))
    }
}

impl<I, T> Deref for Listed<I, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.elements
    }
}

impl<I, T> DerefMut for Listed<I, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.elements
    }
}

impl<I, T> FromIterator<T> for Listed<I, T> {
    fn from_iter<E: IntoIterator<Item = T>>(elements: E) -> Self {
        Self {
            elements: elements.into_iter().collect(),
            id: PhantomData,
        }
    }
}

// Not derived: that would ask of ids what is asked of the elements.
impl<I, T> Default for Listed<I, T> {
    fn default() -> Self {
        Self::from_iter([])
    }
}

impl<I, T: Clone> Clone for Listed<I, T> {
    fn clone(&self) -> Self {
        self.elements.iter().cloned().collect()
    }
}

impl<I, T: fmt::Debug> fmt::Debug for Listed<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.elements.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_by_the_id_it_was_given() {
        let mut listed: Listed<LimitId, &str> = Listed::default();
        let (first, second) = (listed.push("first"), listed.push("second"));
        assert_eq!(listed.get(first), Some(&"first"));
        assert_eq!(listed.get(second), Some(&"second"));
        assert_eq!(listed.get(LimitId::at(2)), None);
        assert!(listed.each().eq([(first, &"first"), (second, &"second")]));
        if let Some(element) = listed.get_mut(second) {
            *element = "third";
        }
        assert_eq!(listed.iter().collect::<Vec<_>>(), [&"first", &"third"]);
    }
}
