//! Which networks each of an identity's tokens is used on.
//!
//! Four tokens are watched, each with the networks of this moment and those before it. Networks are
//! kept as the bits that any of their 16-bit hashes has and those that any lacks: one network lacks
//! what it does not have, several overlap, and another one has or lacks what none before it did. Of
//! the tokens that are not watched, one a second is taken up, in the place of the one that was not
//! seen for longest; while four are in use at once, others are not.

/// How many tokens are watched.
pub const TOKENS: usize = 4;

/// A token, and the networks it was seen on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// What tells it apart, in 24 bits; zero where there is none.
    pub tag: u32,
    /// The moment at which it was last seen.
    pub moment: u8,
    /// The networks of that moment: the bits they have below, those they lack above.
    pub here: u32,
    /// Those before it, in the same way.
    pub before: u32,
}

/// A token that is not watched yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newcomer {
    /// What tells it apart, in 24 bits; zero where there is none.
    pub tag: u32,
    /// The networks it was seen on in this second.
    pub networks: u32,
}

/// The tokens of an identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecentTokens {
    /// Those that are watched.
    pub watched: [Token; TOKENS],
    /// The greatest of those that were seen in this second and are not.
    pub newcomer: Newcomer,
}

/// What a token's networks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spread {
    /// Always the same.
    One,
    /// Another than before.
    Moved,
    /// Several in one moment.
    Several,
}

/// How many seconds a moment has.
const MOMENT: u32 = 16;

/// The moment of a second. The numbers come again after an hour or so: a token that was not seen for
/// that long may be kept a little longer than its turn.
fn moment(second: u32) -> u8 {
    let moment = second.checked_div(MOMENT).unwrap_or_default() & 0xff;
    u8::try_from(moment).unwrap_or_default()
}

fn has_and_lacks(network: u64) -> u32 {
    let has = u32::try_from(network & 0xffff).unwrap_or_default();
    has | (!has << 16)
}

/// Forty pods renew their tokens every hour: with 16 bits two of them would look like one now and
/// then.
fn tag(token: u64) -> u32 {
    u32::try_from(token & 0xff_ffff).unwrap_or_default().max(1)
}

impl RecentTokens {
    /// Takes note of a token on a network; says what its networks say.
    pub fn see(&mut self, token: u64, network: u64, second: u32) -> Spread {
        let tag = tag(token);
        let network = has_and_lacks(network);
        let Some(own) = self.watched.iter_mut().find(|own| own.tag == tag) else {
            // Whichever of several comes first, it is the greatest that stays.
            if tag > self.newcomer.tag {
                self.newcomer = Newcomer { tag, networks: 0 };
            }
            if tag == self.newcomer.tag {
                self.newcomer.networks |= network;
            }
            return Spread::One;
        };
        own.moment = moment(second);
        own.here |= network;
        own.spread()
    }

    /// Ends a second.
    pub fn close(&mut self, second: u32) {
        let newcomer = std::mem::take(&mut self.newcomer);
        let now = moment(second);
        let age = |token: &Token| match token.tag {
            0 => u16::MAX,
            _ => u16::from(now.wrapping_sub(token.moment)),
        };
        let oldest = self.watched.iter_mut().max_by_key(|token| age(token));
        if let Some(oldest) = oldest
            && newcomer.tag != 0
            && age(oldest) > 0
        {
            *oldest = Token {
                tag: newcomer.tag,
                moment: now,
                here: newcomer.networks,
                before: 0,
            };
        }
    }

    /// Goes on from one second to a later one.
    pub fn advance(&mut self, from: u32, to: u32) {
        if from.checked_div(MOMENT) == to.checked_div(MOMENT) {
            return;
        }
        for token in &mut self.watched {
            token.before |= std::mem::take(&mut token.here);
        }
    }

    /// Forgets what belongs to this moment.
    pub fn forget_moment(&mut self) {
        self.newcomer = Newcomer::default();
        self.watched.iter_mut().for_each(|token| token.here = 0);
    }
}

impl Token {
    fn spread(&self) -> Spread {
        if self.here & (self.here >> 16) != 0 {
            Spread::Several
        } else if self.before != 0 && self.here & !self.before != 0 {
            Spread::Moved
        } else {
            Spread::One
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u32 = 43_200;

    fn watching(tokens: &[u64]) -> RecentTokens {
        let mut watching = RecentTokens::default();
        for token in tokens {
            watching.see(*token, 1, NOON);
            watching.close(NOON);
        }
        watching
    }

    #[test]
    fn a_token_on_two_networks_in_one_moment_is_on_several() {
        let mut tokens = watching(&[7]);
        assert_eq!(tokens.see(7, 1, NOON), Spread::One);
        assert_eq!(tokens.see(7, 2, NOON + 1), Spread::Several);
    }

    #[test]
    fn a_token_that_goes_from_one_network_to_another_has_moved_once() {
        let mut tokens = watching(&[7]);
        tokens.advance(NOON, NOON + 100);
        assert_eq!(tokens.see(7, 2, NOON + 100), Spread::Moved);
        tokens.advance(NOON + 100, NOON + 200);
        assert_eq!(tokens.see(7, 2, NOON + 200), Spread::One);
    }

    #[test]
    fn networks_that_differ_in_a_bit_are_told_apart() {
        for bit in 0..16 {
            let mut tokens = watching(&[7]);
            assert_eq!(
                tokens.see(7, 1 ^ (1 << bit), NOON),
                Spread::Several,
                "{bit}"
            );
            let mut tokens = watching(&[7]);
            tokens.advance(NOON, NOON + 100);
            assert_eq!(tokens.see(7, 1 ^ (1 << bit), NOON), Spread::Moved, "{bit}");
        }
    }

    #[test]
    fn a_new_token_takes_the_place_of_the_one_not_seen_for_longest() {
        let mut tokens = watching(&[1, 2, 3, 4]);
        tokens.advance(NOON, NOON + 100);
        (2..=4).for_each(|token| assert_eq!(tokens.see(token, 1, NOON + 100), Spread::One));
        tokens.see(5, 1, NOON + 100);
        tokens.close(NOON + 100);
        let mut tags: Vec<u32> = tokens.watched.iter().map(|token| token.tag).collect();
        tags.sort_unstable();
        assert_eq!(tags, [2, 3, 4, 5]);
    }

    #[test]
    fn four_tokens_in_use_are_not_driven_out() {
        let mut tokens = watching(&[1, 2, 3, 4]);
        for flood in 100..1000 {
            tokens.see(flood, 9, NOON + 1);
            tokens.close(NOON + 1);
        }
        assert_eq!(tokens.see(1, 2, NOON + 2), Spread::Several);
    }
}
