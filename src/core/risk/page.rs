//! Eight profiles in one value of shared data, and which of them makes way.
//!
//! ```text
//! offset    bytes
//! 0         1      the form: 1
//! 1         256 n  entries, at most 8: key (8), profile (248)
//! ```
//!
//! Integers are little-endian. When all eight are taken and a ninth comes, the one that was not seen
//! for longest makes way, of those whose score asks for nothing. Where every score asks for
//! something the lowest makes way, the newcomer's included: whoever makes up identities drives out
//! none that is held back.

use super::arithmetic::Fade;
use super::profile::{Level, Profile, Share};
use super::score;
use super::settings::{Number, Settings};
use super::signals::{
    Familiar, KnownNetworks, KnownRoutes, Memories, Newcomer, RecentTokens, Token, TokenPlaces,
    UsedHours,
};
use super::sketch::Distinct;

/// How many profiles a page holds.
pub const ENTRIES: usize = 8;

/// The bytes of an entry.
pub const ENTRY: usize = 256;

const FORM: u8 = 1;
const KEY: usize = 8;
/// The flag beside the profile's own: a token was on several networks in this window.
const SHARED: u8 = 2;

/// Eight profiles as they are stored, changed in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    bytes: Vec<u8>,
}

/// What became of a profile that was put on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// There was room.
    Kept,
    /// Another made way.
    Evicted,
    /// There is none: all the others are held back, and it is not.
    Full,
}

impl Page {
    /// A page without profiles.
    #[must_use]
    pub fn empty() -> Self {
        Self { bytes: vec![FORM] }
    }

    /// Reads a stored page; none where the bytes are not one.
    #[must_use]
    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        let (form, entries) = bytes.split_first()?;
        let whole = entries.len().checked_rem(ENTRY) == Some(0);
        let fits = entries.len() <= ENTRIES.saturating_mul(ENTRY);
        (*form == FORM && whole && fits).then_some(Self { bytes })
    }

    /// The bytes to store.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// The profile of a key.
    #[must_use]
    pub fn find(&self, key: u64) -> Option<Profile> {
        let sought = key.to_le_bytes();
        self.entries()
            .find_map(|entry| entry.strip_prefix(&sought).map(read))
    }

    /// Puts a profile in the place of the one that its key has; where it has none, in a free one, or
    /// in that of another.
    pub fn put(&mut self, key: u64, profile: &Profile, settings: &Settings) -> Put {
        let sought = key.to_le_bytes();
        let own = self.entries().position(|entry| entry.starts_with(&sought));
        if let Some(place) = own {
            self.write(place, key, profile);
            return Put::Kept;
        }
        let taken = self.entries().count();
        if taken < ENTRIES {
            self.bytes.resize(self.bytes.len().saturating_add(ENTRY), 0);
            self.write(taken, key, profile);
            return Put::Kept;
        }
        match self.victim(profile, settings) {
            Some(place) => {
                self.write(place, key, profile);
                Put::Evicted
            }
            None => Put::Full,
        }
    }

    fn entries(&self) -> impl Iterator<Item = &[u8]> {
        let entries = self.bytes.get(1..).unwrap_or_default();
        entries.chunks_exact(ENTRY)
    }

    fn write(&mut self, place: usize, key: u64, profile: &Profile) {
        let entries = self.bytes.get_mut(1..).unwrap_or_default();
        if let Some(entry) = entries.chunks_exact_mut(ENTRY).nth(place) {
            let (at, rest) = entry.split_at_mut(KEY.min(entry.len()));
            at.copy_from_slice(&key.to_le_bytes());
            Pen(rest).profile(profile);
        }
    }

    /// Who makes way for a newcomer; none where that is the newcomer itself.
    fn victim(&self, newcomer: &Profile, settings: &Settings) -> Option<usize> {
        let asks = settings.first_action().unwrap_or(u8::MAX);
        // What is of the future is of a clock that was set back since: it fades as what is of the
        // past does, or else it would be there for good.
        let age = |seen: u32| newcomer.seen.abs_diff(seen);
        let mut left: Vec<(usize, u32)> = self.entries().map(seen).map(age).enumerate().collect();
        let mut lowest: Option<(u8, usize)> = None;
        // Most often the oldest will do, and no other need be read.
        while let Some(oldest) = (0..left.len()).max_by_key(|at| left.get(*at).map(|one| one.1)) {
            let (place, age) = left.swap_remove(oldest);
            let profile = self.entries().nth(place).map(read_entry)?;
            let score = score_after(&profile, age, settings);
            if score < asks {
                return Some(place);
            }
            lowest = Some(lowest.map_or((score, place), |other| other.min((score, place))));
        }
        let (lowest, place) = lowest?;
        (score_after(newcomer, 0, settings) > lowest).then_some(place)
    }
}

/// What is left of a profile's score after so many seconds.
fn score_after(profile: &Profile, seconds: u32, settings: &Settings) -> u8 {
    let faded = Fade::over(seconds, settings.of(Number::HalfLife));
    let signals = profile.signals(settings).map(|signal| faded.of(signal));
    score::score(&signals, settings)
}

fn read_entry(entry: &[u8]) -> Profile {
    read(entry.get(KEY..).unwrap_or_default())
}

/// When the profile of an entry was last seen: its first number.
fn seen(entry: &[u8]) -> u32 {
    Eye(entry.get(KEY..).unwrap_or_default()).u32()
}

/// Writes integers one after the other; what does not fit is left out.
struct Pen<'a>(&'a mut [u8]);

/// Reads them in the same order; what is not there is zero.
struct Eye<'a>(&'a [u8]);

impl Pen<'_> {
    fn bytes<const N: usize>(&mut self, bytes: [u8; N]) {
        let left = std::mem::take(&mut self.0);
        if let Some((place, rest)) = left.split_first_chunk_mut::<N>() {
            *place = bytes;
            self.0 = rest;
        }
    }

    fn level(&mut self, level: Level) {
        self.bytes(level.now.to_le_bytes());
        self.bytes(level.most.to_le_bytes());
        self.bytes(level.own.to_le_bytes());
    }

    fn tag(&mut self, tag: u32) {
        let [low, middle, high, _] = tag.to_le_bytes();
        self.bytes([low, middle, high]);
    }

    fn profile(&mut self, profile: &Profile) {
        self.bytes(profile.seen.to_le_bytes());
        self.bytes(profile.requests.to_le_bytes());
        let Memories {
            networks: KnownNetworks(networks),
            routes: KnownRoutes(routes),
            tokens,
            hours,
        } = profile.memories;
        let shared = if tokens.shared { SHARED } else { 0 };
        self.bytes([(profile.windows << 4) | profile.flags | shared]);
        for level in profile.rate.into_iter().chain(profile.volume) {
            self.level(level);
        }
        for counted in [profile.ended, profile.failed, profile.refused] {
            self.bytes(counted.to_le_bytes());
        }
        for share in [profile.failures, profile.refusals] {
            self.bytes([share.most, share.own]);
        }
        self.bytes(profile.resources.to_bytes());
        self.bytes(profile.resources_own.to_le_bytes());
        self.bytes(networks.now.to_le_bytes());
        self.bytes(networks.before.to_le_bytes());
        self.bytes(profile.around.to_le_bytes());
        self.bytes(profile.around_own.to_le_bytes());
        self.bytes(routes.now.to_le_bytes());
        self.bytes(routes.before.to_le_bytes());
        self.bytes([networks.new, routes.new]);
        for token in tokens.recent.watched {
            self.tag(token.tag);
            self.bytes([token.moment]);
            self.bytes(token.here.to_le_bytes());
            self.bytes(token.before.to_le_bytes());
        }
        self.tag(tokens.recent.newcomer.tag);
        self.bytes(tokens.recent.newcomer.networks.to_le_bytes());
        self.bytes([tokens.shared_own, hours.days]);
        self.bytes(hours.hours);
        for held in profile.held {
            self.bytes(held.to_le_bytes());
        }
    }
}

impl Eye<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.0 = rest;
                *bytes
            }
            None => [0; N],
        }
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn tag(&mut self) -> u32 {
        let [low, middle, high] = self.bytes();
        u32::from_le_bytes([low, middle, high, 0])
    }

    fn level(&mut self) -> Level {
        Level {
            now: self.u32(),
            most: self.u16(),
            own: self.u16(),
        }
    }

    fn share(&mut self) -> Share {
        Share {
            most: self.byte(),
            own: self.byte(),
        }
    }

    fn token(&mut self) -> Token {
        Token {
            tag: self.tag(),
            moment: self.byte(),
            here: self.u32(),
            before: self.u32(),
        }
    }
}

fn read(bytes: &[u8]) -> Profile {
    let mut eye = Eye(bytes);
    let (seen, requests, state) = (eye.u32(), eye.u32(), eye.byte());
    let mut profile = Profile {
        seen,
        requests,
        windows: state >> 4,
        flags: state & 15 & !SHARED,
        ..Profile::default()
    };
    for level in profile.rate.iter_mut().chain(&mut profile.volume) {
        *level = eye.level();
    }
    profile.ended = eye.u32();
    profile.failed = eye.u32();
    profile.refused = eye.u32();
    profile.failures = eye.share();
    profile.refusals = eye.share();
    profile.resources = Distinct::from_bytes(eye.bytes());
    profile.resources_own = eye.u16();
    let networks = (
        u128::from_le_bytes(eye.bytes()),
        u128::from_le_bytes(eye.bytes()),
    );
    profile.around = u64::from_le_bytes(eye.bytes());
    profile.around_own = eye.u16();
    let routes = (eye.u32(), eye.u32());
    let networks = KnownNetworks(known(networks, eye.byte()));
    let routes = KnownRoutes(known(routes, eye.byte()));
    let mut recent = RecentTokens::default();
    for token in &mut recent.watched {
        *token = eye.token();
    }
    recent.newcomer = Newcomer {
        tag: eye.tag(),
        networks: eye.u32(),
    };
    let (shared_own, days) = (eye.byte(), eye.byte());
    profile.memories = Memories {
        networks,
        routes,
        tokens: TokenPlaces {
            recent,
            shared: state & SHARED != 0,
            shared_own,
        },
        hours: UsedHours {
            days,
            hours: eye.bytes(),
        },
    };
    for held in &mut profile.held {
        *held = eye.u16();
    }
    profile
}

fn known<B>((now, before): (B, B), new: u8) -> Familiar<B> {
    Familiar { now, before, new }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(seen: u32, held: u16) -> Profile {
        Profile {
            seen,
            held: [held; 10],
            ..Profile::default()
        }
    }

    fn full(held: impl Fn(u32) -> u16) -> Page {
        let mut page = Page::empty();
        for key in 0..8 {
            let put = page.put(
                u64::from(key),
                &profile(1000 + key, held(key)),
                &Settings::default(),
            );
            assert_eq!(put, Put::Kept);
        }
        page
    }

    #[test]
    fn every_byte_of_a_profile_is_kept() {
        let bytes: Vec<u8> = (0..ENTRY).map(|byte| (byte * 7 % 251 + 1) as u8).collect();
        let stored = Page::decode([&[FORM], bytes.as_slice()].concat()).unwrap();
        let key = u64::from_le_bytes(*bytes.first_chunk().unwrap());
        let found = stored.find(key).unwrap();
        let mut page = Page::empty();
        page.put(key, &found, &Settings::default());
        assert_eq!(page, stored);
    }

    #[test]
    fn a_profile_fills_its_entry_to_the_last_signal() {
        let mut page = Page::empty();
        let whole = profile(1000, 0x0707);
        page.put(1, &whole, &Settings::default());
        assert_eq!(page.find(1), Some(whole));
        assert_eq!(page.encode().last(), Some(&7));
    }

    #[test]
    fn the_one_not_seen_for_longest_makes_way() {
        let mut page = full(|_| 0);
        let settings = Settings::default();
        assert_eq!(page.put(9, &profile(2000, 0), &settings), Put::Evicted);
        assert_eq!(page.find(0), None);
        assert!(page.find(1).is_some() && page.find(9).is_some());
    }

    #[test]
    fn new_identities_drive_out_no_high_score() {
        let mut page = full(|key| if key == 0 { 60_000 } else { 0 });
        let settings = Settings::default();
        for flood in 100..10_000 {
            page.put(flood, &profile(1010, 0), &settings);
            assert!(page.find(0).is_some(), "{flood}");
        }
    }

    #[test]
    fn where_every_score_is_high_the_lowest_goes() {
        let settings = Settings::default();
        let mut page = full(|key| 40_000 + 100 * u16::try_from(key).unwrap());
        assert_eq!(page.put(9, &profile(1010, 0), &settings), Put::Full);
        assert_eq!(page.put(9, &profile(1010, 60_000), &settings), Put::Evicted);
        assert_eq!(page.find(0), None);
    }

    #[test]
    fn bytes_that_are_no_page_are_refused() {
        for bytes in [&[][..], &[0], &[2], &[1; 100], &[1; 1 + 9 * ENTRY]] {
            assert_eq!(Page::decode(bytes.to_vec()), None);
        }
    }
}
