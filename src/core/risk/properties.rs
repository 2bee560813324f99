//! The risk score against random profiles, settings, clocks and orders.

use proptest::prelude::*;

use super::observation::{Answered, Arrival, Ending, Observation, Phase};
use super::page::{ENTRY, Page};
use super::profile::Profile;
use super::score::{combined, score};
use super::settings::{Number, Override, Settings};
use super::signals::{SIGNALS, Signal};

const NOON: u32 = 1_772_452_800;

/// What is stored under key zero: anything at all.
fn profile() -> impl Strategy<Value = Profile> {
    prop::collection::vec(any::<u8>(), ENTRY - 8).prop_map(|bytes| {
        let stored = [&[1][..], &[0; 8], &bytes].concat();
        Page::decode(stored).unwrap().find(0).unwrap()
    })
}

fn number() -> impl Strategy<Value = Number> {
    let signal = || prop::sample::select(Signal::ALL.to_vec());
    prop_oneof![
        Just(Number::HalfLife),
        Just(Number::Memory),
        Just(Number::Baseline),
        Just(Number::WarmUp),
        Just(Number::Window),
        signal().prop_map(Number::Weight),
        signal().prop_map(Number::Start),
        signal().prop_map(Number::Full),
        signal().prop_map(Number::AtLeast),
    ]
}

fn value() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), 0_u32..2000, Just(0), Just(u32::MAX)]
}

fn settings() -> impl Strategy<Value = Settings> {
    prop::collection::vec((number(), value()), 0..60).prop_map(|numbers| {
        let mut other = Override::default();
        for (number, value) in numbers {
            other.set(number, value);
        }
        Settings::default().with(&other)
    })
}

/// Hashes of few and of many things.
fn hash() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0_u64..4).prop_map(|few| few.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    ]
}

fn phase() -> impl Strategy<Value = Phase> {
    let arrival = (
        prop::option::of(hash()),
        prop::option::of(hash()),
        prop::option::of(hash()),
        hash(),
        any::<bool>(),
    );
    let arrival = arrival.prop_map(|(network, token, resource, route, refused)| {
        Phase::Arrival(Arrival {
            network,
            token,
            resource,
            route,
            refused,
        })
    });
    let bytes = prop_oneof![any::<u64>(), 0_u64..100_000];
    let outcome = (0_u16..600, bytes).prop_map(|(status, bytes)| {
        Phase::Ending(Ending {
            answer: Answered::of_status(status),
            bytes,
        })
    });
    prop_oneof![3 => arrival, 1 => outcome]
}

/// Seconds that go on, stand still, and jump anywhere.
fn seconds() -> impl Strategy<Value = Vec<u32>> {
    let step = prop_oneof![
        4 => (0_u32..3).prop_map(|on| (false, on)),
        2 => (0_u32..1000).prop_map(|on| (false, on)),
        1 => (0_u32..200_000).prop_map(|on| (false, on)),
        1 => any::<u32>().prop_map(|second| (true, second)),
        1 => Just((true, 0)),
        1 => Just((true, u32::MAX)),
    ];
    prop::collection::vec(step, 0..60).prop_map(|steps| {
        let mut now = NOON;
        let go = |(jump, step): (bool, u32)| {
            now = if jump { step } else { now.saturating_add(step) };
            now
        };
        steps.into_iter().map(go).collect()
    })
}

fn history() -> impl Strategy<Value = Vec<Observation>> {
    (seconds(), prop::collection::vec(phase(), 60)).prop_map(|(seconds, phases)| {
        let both = seconds.into_iter().zip(phases);
        both.map(|(second, phase)| Observation { second, phase })
            .collect()
    })
}

fn after(mut profile: Profile, observations: &[Observation], settings: &Settings) -> Profile {
    for observation in observations {
        profile.begin(observation.second, settings);
        profile.observe(observation, settings);
    }
    profile
}

fn score_of(profile: &Profile, settings: &Settings) -> u8 {
    score(&profile.signals(settings), settings)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Overflow panics in a test, so this is also the proof that nothing overflows.
    #[test]
    fn any_profile_takes_any_requests_at_any_time_and_its_score_is_at_most_100(
        stored in profile(),
        history in history(),
        settings in settings(),
    ) {
        let mut profile = stored;
        for observation in &history {
            profile = after(profile, std::slice::from_ref(observation), &settings);
            prop_assert!(score_of(&profile, &settings) <= 100);
            prop_assert!(settings.reaction(score_of(&profile, &settings)).factor >= 1);
        }
    }

    #[test]
    fn a_signal_that_grows_never_lowers_the_score(
        signals in prop::array::uniform10(any::<u32>()),
        which in 0..SIGNALS,
        more in any::<u32>(),
        settings in settings(),
    ) {
        let mut grown = signals;
        grown[which] = grown[which].saturating_add(more);
        prop_assert!(score(&signals, &settings) <= score(&grown, &settings));
        prop_assert!(combined(&signals, &settings) <= combined(&grown, &settings));
    }

    #[test]
    fn without_traffic_every_score_is_zero_in_the_end(
        stored in profile(),
        history in history(),
    ) {
        let mut other = Override::default();
        // That an hour is odd is said when it begins, and only time goes on here.
        other.set(Number::Weight(Signal::OddHour), 0);
        let settings = Settings::default().with(&other);
        let mut profile = after(stored, &history, &settings);
        let seen = profile.seen.min(u32::MAX - 86_400);
        profile.seen = seen;
        for minutes in [1, 60, 240, 480, 1440] {
            profile.advance(seen + minutes * 60, &settings);
        }
        prop_assert_eq!(score_of(&profile, &settings), 0);
    }

    #[test]
    fn what_was_raised_halves_in_every_half_life(
        held in prop::array::uniform10(any::<u16>()),
        half_lives in 0_u32..20,
    ) {
        let settings = Settings::default();
        let mut profile = Profile { seen: NOON, held, ..Profile::default() };
        profile.advance(NOON + half_lives * settings.of(Number::HalfLife), &settings);
        for (now, before) in profile.held.iter().zip(held) {
            prop_assert!(*now <= before.checked_shr(half_lives).unwrap_or(0));
        }
    }

    #[test]
    fn within_a_second_no_order_plays_a_part(
        stored in profile(),
        history in history(),
        (phases, shuffled) in prop::collection::vec(phase(), 1..40)
            .prop_flat_map(|phases| (Just(phases.clone()), Just(phases).prop_shuffle())),
        settings in settings(),
        second in prop_oneof![Just(NOON), any::<u32>()],
        later in any::<u32>(),
    ) {
        let before = after(stored, &history, &settings);
        let all = |phases: &[Phase]| {
            let of = |phase: &Phase| Observation { second, phase: *phase };
            let mut profile = before;
            profile.begin(second, &settings);
            for phase in phases {
                profile.observe(&of(phase), &settings);
            }
            profile
        };
        let (mut one, mut other) = (all(&phases), all(&shuffled));
        prop_assert_eq!(one, other);
        prop_assert_eq!(score_of(&one, &settings), score_of(&other, &settings));
        one.advance(later, &settings);
        other.advance(later, &settings);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn what_is_stored_is_what_is_read(
        stored in profile(),
        history in history(),
        key in any::<u64>(),
    ) {
        let settings = Settings::default();
        let profile = after(stored, &history, &settings);
        let mut page = Page::empty();
        page.put(key, &profile, &settings);
        let read = Page::decode(page.encode().to_vec()).unwrap();
        prop_assert_eq!(read.find(key), Some(profile));
    }

    /// The same requests come again after the clock was set back: of what they would add up to
    /// with those before them nothing is judged.
    #[test]
    fn a_clock_that_is_set_back_raises_no_signal(
        stored in profile(),
        history in history(),
        back in 3_u32..100_000,
        refused in any::<bool>(),
    ) {
        let settings = Settings::default();
        let mut profile = after(stored, &history, &settings);
        // Less than three seconds is no setting back.
        profile.seen = profile.seen.max(3);
        let before = profile.signals(&settings);
        profile.begin(profile.seen.saturating_sub(back), &settings);
        // What was judged before stands, but for the last part of 65,536.
        let held = profile.held;
        prop_assert_eq!(held.map(u32::from), before.map(|signal| signal.min(65_535)));
        prop_assert_eq!(profile.signals(&settings), held.map(u32::from));
        let arrival = Arrival { refused, ..Arrival::default() };
        let again = Observation { second: profile.seen, phase: Phase::Arrival(arrival) };
        profile.observe(&again, &settings);
        for signal in Signal::ALL {
            let place = signal as usize;
            let now = profile.signals(&settings)[place];
            // That a route is new is no matter of time.
            prop_assert!(now == u32::from(held[place]) || signal == Signal::NewRoute);
        }
    }
}
