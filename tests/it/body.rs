//! Steps that need the body, in the whole life of requests.
//!
//! No step of a shipped gate asks for it. The one here lets those in who say the word.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::rc::Rc;
use std::time::Duration;

use postern_core::base::Now;
use postern_core::config::Config;
use postern_core::decision::{Denial, Reason};
use postern_core::gate::judge::Judge;
use postern_core::gate::steps::{
    BODY_BYTES, Case, Learned, Request, RequestBody, STEPS, State, Step, StepOutcome, Verdict,
};
use postern_core::gate::{Decided, Gate, Next, Opened, Stage, Waiting};
use postern_core::host::Property;
use postern_testkit::memory::{Call, MemoryHost};
use postern_testkit::stories::*;
use serde_json::{Value, json};

/// How many bytes the step can use, and as many of them.
const MOST: usize = 16;
const WORD: &[u8] = b"open, o sesame!!";

fn says_the_word<'a>(
    _: &Judge<'a>,
    request: &Request<'a>,
    _: &Case<'a>,
    _: &mut State<'_>,
) -> StepOutcome<'a> {
    let refused = |detail: &'static str| Denial::new(Reason::ContextDenied, detail).into();
    let verdict = match request.body(MOST) {
        Err(unread) => unread.into(),
        Ok(RequestBody::Whole(bytes)) if WORD.starts_with(bytes) => Verdict::Passed,
        Ok(RequestBody::Whole(_)) => refused("another word"),
        Ok(RequestBody::Empty) => refused("no word"),
        Ok(RequestBody::TooLong) => refused("too many words"),
    };
    StepOutcome {
        learned: Learned::Nothing,
        verdict,
    }
}

const WORDS: Step = Step {
    name: "words",
    check: says_the_word,
    reads_body: true,
};

/// The steps, with more of them before the one of that name.
fn with(more: &[Step], before: &str) -> &'static [Step] {
    let at = STEPS.iter().position(|step| step.name == before).unwrap();
    let mut steps = STEPS.to_vec();
    steps.splice(at..at, more.iter().copied());
    steps.leak()
}

fn open(configuration: &Value, steps: &'static [Step]) -> Rc<Gate> {
    let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
    let host = MemoryHost::default();
    Rc::new(Gate::with_steps(config.settings, b"", &host, steps))
}

fn limited() -> Value {
    let mut configuration = configuration(json!([
        {"name": "all", "match": {"path": "/{rest*}"}, "limits": ["few"]},
    ]));
    configuration["limits"] = json!([{"name": "few", "key": ["client"], "quota": "2/1h"}]);
    configuration["risk"] = json!({});
    configuration
}

fn worded() -> Rc<Gate> {
    open(&limited(), with(&[WORDS], "risk"))
}

/// A request as a proxy has it that keeps what comes of one that is held.
struct Stream {
    host: MemoryHost,
    stage: Stage,
}

impl Stream {
    fn post(gate: &Rc<Gate>, more: &[(&str, &str)]) -> Self {
        Self::begin(gate, poster(more))
    }

    fn begin(gate: &Rc<Gate>, host: MemoryHost) -> Self {
        let stage = Opened::new(Rc::clone(gate)).headers(&host);
        Self { host, stage }
    }

    fn ending(gate: &Rc<Gate>, more: &[(&str, &str)]) -> Self {
        let host = poster(more);
        let stage = Opened::new(Rc::clone(gate)).without_body().headers(&host);
        Self { host, stage }
    }

    fn chunk(self, bytes: &[u8], ended: bool) -> Self {
        let kept = self.host.push_request_body(bytes);
        self.came(
            |waiting| waiting.request_body(kept, ended),
            |decided, host| decided.request_body(host, bytes.len() as u64),
        )
    }

    fn trailers(self, fields: &[(&str, &str)]) -> Self {
        self.host.set_request_trailers(fields);
        self.came(Waiting::request_trailers, |decided, host| {
            decided.request_trailers(host)
        })
    }

    fn came(
        self,
        note: impl FnOnce(&mut Waiting) -> bool,
        step: impl FnOnce(&mut Decided, &MemoryHost) -> Next,
    ) -> Self {
        let Self { host, stage } = self;
        let stage = match stage {
            Stage::Waiting(mut waiting) => {
                if note(&mut waiting) {
                    waiting.resume(&host)
                } else {
                    Stage::Waiting(waiting)
                }
            }
            Stage::Decided(_, mut decided) => {
                let next = step(&mut decided, &host);
                Stage::Decided(next, decided)
            }
        };
        Self { host, stage }
    }

    /// A tick, which lets requests go on that are ready.
    fn tick(self, now: Now) -> Self {
        let Self { host, stage } = self;
        host.set_now(now);
        let stage = match stage {
            Stage::Waiting(waiting) if waiting.is_ready(now) => waiting.resume(&host),
            stage => stage,
        };
        Self { host, stage }
    }

    fn is_held(&self) -> bool {
        let held = matches!(self.stage, Stage::Waiting(_));
        if held {
            assert!(self.host.replies().is_empty(), "it is held and answered");
            let headers = self.host.upstream_headers();
            assert!(upstream(&headers, "x-postern-identity").is_none());
        }
        held
    }

    /// Its end, and what its one event says; what is refused is answered once.
    fn end(self) -> (String, Value) {
        let next = match self.stage {
            Stage::Decided(next, decided) => {
                decided.finish(&self.host);
                next
            }
            Stage::Waiting(waiting) => {
                waiting.finish(&self.host);
                Next::Stop
            }
        };
        let mut events = events(&self.host);
        assert_eq!(events.len(), 1);
        let event = events.remove(0);
        let reason = event["status_detail"].as_str().unwrap().to_owned();
        let headers = self.host.upstream_headers();
        if reason == "allowed" {
            assert_eq!(next, Next::Continue);
            assert!(upstream(&headers, "x-postern-identity").is_some());
            assert!(upstream(&headers, "authorization").is_none());
        } else {
            assert_eq!(next, Next::Stop);
            let answers = usize::from(reason != "undecided");
            assert_eq!(self.host.replies().len(), answers, "{reason}");
        }
        (reason, event)
    }

    fn reason(self) -> String {
        self.end().0
    }

    fn message(self) -> String {
        self.end().1["message"].as_str().unwrap().to_owned()
    }
}

fn poster(more: &[(&str, &str)]) -> MemoryHost {
    let good = token(&claims(json!({})));
    let host = request("/v1/words", Some(&good), more);
    host.set_property(Property::SourceAddress, b"192.0.2.7:4711");
    host
}

#[test]
fn a_request_is_held_for_its_body_and_goes_on_with_it() {
    let stream = Stream::post(&worded(), &[]);
    assert!(stream.is_held());
    let stream = stream.chunk(b"open", true);
    assert!(!stream.is_held());
    let host = &stream.host;
    assert_eq!(
        host.metric("postern.tokens.tried"),
        Some(1),
        "its token is checked once"
    );
    let (reason, event) = stream.end();
    assert_eq!(reason, "allowed");
    assert_eq!(event["http_request"]["body_length"], 4);
}

#[test]
fn what_is_decided_anew_is_charged_once() {
    let gate = worded();
    for expected in ["allowed", "allowed", "quota_exceeded"] {
        let stream = Stream::post(&gate, &[]);
        assert!(stream.is_held(), "nothing was charged yet");
        assert_eq!(stream.chunk(b"open", true).reason(), expected);
    }
    // Whom the body keeps out is not charged.
    let gate = worded();
    for _ in 0..3 {
        let stream = Stream::post(&gate, &[]).chunk(b"close", true);
        assert_eq!(stream.reason(), "context_denied");
    }
    for _ in 0..2 {
        let stream = Stream::post(&gate, &[]).chunk(b"open", true);
        assert_eq!(stream.reason(), "allowed");
    }
}

#[test]
fn what_is_decided_anew_is_no_refusal_of_its_caller() {
    let mut configuration = limited();
    configuration["limits"][0]["quota"] = json!("1000/1h");
    let gate = open(&configuration, with(&[WORDS], "risk"));
    for number in 0..300 {
        let host = poster(&[]);
        host.set_now(at(number / 2));
        let stream = Stream::begin(&gate, host).chunk(b"open", true);
        let (reason, event) = stream.end();
        assert_eq!(
            (reason.as_str(), &event["risk_score"]),
            ("allowed", &json!(0))
        );
    }
}

#[test]
fn a_step_sees_a_body_of_every_size_as_it_is() {
    let long = [b"open".as_slice(), &[b'!'; 40]].concat();
    let cases: [(&[&[u8]], &str); 9] = [
        (&[b"open"], ""),
        (&[WORD], ""),
        (&[b"op", b"", b"en, o", b" sesame!!"], ""),
        (&[b"close"], "another word"),
        (&[b"open", b"close"], "another word"),
        (&[b""], "no word"),
        (&[&long], "too many words"),
        (&[WORD, b"!"], "too many words"),
        (&[&WORD[..15], b"!", b"!"], "too many words"),
    ];
    for (chunks, detail) in cases {
        let gate = worded();
        let mut stream = Stream::post(&gate, &[]);
        for (index, chunk) in chunks.iter().enumerate() {
            assert!(stream.is_held(), "{detail}: {index}");
            stream = stream.chunk(chunk, index + 1 == chunks.len());
        }
        let (reason, event) = stream.end();
        if detail.is_empty() {
            assert_eq!(reason, "allowed");
        } else {
            assert_eq!(reason, "context_denied");
            assert_eq!(event["message"], detail);
        }
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_before_its_end() {
    let stream = Stream::post(&worded(), &[]).chunk(WORD, false);
    assert!(stream.is_held());
    let stream = stream.chunk(b"!", false);
    assert!(!stream.is_held());
    // What follows stays where it is.
    assert_eq!(stream.chunk(b"!", true).message(), "too many words");
}

#[test]
fn where_a_body_is_known_to_be_too_long_or_absent_nobody_waits() {
    let gate = worded();
    let stream = Stream::post(&gate, &[("content-length", "17")]);
    assert!(!stream.is_held());
    assert_eq!(stream.message(), "too many words");
    let stream = Stream::ending(&gate, &[]);
    assert!(!stream.is_held());
    assert_eq!(stream.message(), "no word");
    // It was announced, and nothing follows the fields: there is nothing to wait for.
    let stream = Stream::ending(&gate, &[("content-length", "4")]);
    assert!(!stream.is_held());
    assert_eq!(stream.reason(), "host_unavailable");
}

#[test]
fn a_proxy_that_gives_another_body_than_was_announced_has_given_none() {
    for announced in ["3", "5"] {
        let stream = Stream::post(&worded(), &[("content-length", announced)]);
        assert!(stream.is_held());
        assert_eq!(stream.chunk(b"open", true).reason(), "host_unavailable");
    }
    let stream = Stream::post(&worded(), &[("content-length", "4")]);
    assert_eq!(stream.chunk(b"open", true).reason(), "allowed");
}

#[test]
fn a_proxy_that_shows_each_part_alone_has_not_shown_the_body() {
    let stream = Stream::post(&worded(), &[]).chunk(b"close it", false);
    stream.host.drop_request_body();
    let (reason, _) = stream.chunk(b"open", true).end();
    assert_eq!(reason, "host_unavailable");
}

#[test]
fn trailers_end_a_body_and_are_seen_to() {
    for body in [&b"open"[..], b""] {
        let mut stream = Stream::post(&worded(), &[]);
        if !body.is_empty() {
            stream = stream.chunk(body, false);
        }
        assert!(stream.is_held());
        let stream = stream.trailers(&[("x-postern-identity", "corp/ceo"), ("x-sum", "1")]);
        assert!(!stream.is_held());
        if body.is_empty() {
            assert_eq!(stream.message(), "no word");
        } else {
            let trailers = stream.host.upstream_trailers();
            assert!(trailers.only("x-postern-identity").is_none());
            assert!(trailers.only("x-sum").is_some());
            assert_eq!(stream.reason(), "allowed");
        }
    }
}

#[test]
fn who_can_be_refused_without_the_body_is() {
    let gate = worded();
    let host = request("/v1/words", Some("no.token"), &[]);
    let stream = Stream::begin(&gate, host);
    assert!(!stream.is_held());
    assert_eq!(stream.reason(), "credential_malformed");
}

#[test]
fn who_leaves_while_held_leaves_one_event_and_its_place() {
    let gate = worded();
    for _ in 0..3000 {
        let stream = Stream::post(&gate, &[]).chunk(b"op", false);
        assert!(stream.is_held());
        assert_eq!(stream.reason(), "undecided");
    }
    let stream = Stream::post(&gate, &[]).chunk(b"open", true);
    assert_eq!(stream.reason(), "allowed", "none of them was charged");
}

#[test]
fn a_body_that_does_not_come_in_time_is_a_refusal() {
    let gate = worded();
    let wait = Duration::from_secs(10);
    let stream = Stream::post(&gate, &[]).chunk(b"open", false);
    let stream = stream.tick(at(9));
    assert!(stream.is_held());
    let stream = stream.tick(at(0).after(wait));
    assert!(!stream.is_held());
    assert_eq!(stream.host.replies()[0].status, 503);
    assert_eq!(stream.reason(), "host_unavailable");
    // A clock that jumps back holds nobody for longer.
    let stream = Stream::post(&gate, &[]).tick(Now::from_secs(1));
    assert!(!stream.is_held());
}

#[test]
fn who_is_held_for_its_body_needs_ticks() {
    let configuration = configuration(json!([{"name": "all", "match": {"path": "/{rest*}"}}]));
    assert!(!open(&configuration, STEPS).needs_ticks());
    assert!(open(&configuration, with(&[WORDS], "risk")).needs_ticks());
}

#[test]
fn a_proxy_that_does_not_give_the_body_is_a_refusal() {
    let stream = Stream::post(&worded(), &[]);
    stream.host.refuse(Call::RequestBody);
    let stream = stream.chunk(b"open", true);
    assert!(!stream.is_held());
    assert_eq!(stream.reason(), "host_unavailable");
}

#[test]
fn one_source_has_half_of_the_places() {
    let gate = worded();
    let held: Vec<_> = (0..512).map(|_| Stream::post(&gate, &[])).collect();
    assert!(held.iter().all(Stream::is_held));
    let stream = Stream::post(&gate, &[]);
    assert!(!stream.is_held());
    assert_eq!(stream.reason(), "host_unavailable");
    let other = poster(&[]);
    other.set_property(Property::SourceAddress, b"192.0.2.8:4711");
    assert!(Stream::begin(&gate, other).is_held());
    drop(held);
    assert!(Stream::post(&gate, &[]).is_held());
}

#[test]
fn who_is_held_on_keeps_its_place_where_all_are_taken() {
    let gate = open(&limited(), with(&[FEW_WORDS, MORE_WORDS], "risk"));
    let mut held: Vec<_> = (0..512).map(|_| Stream::post(&gate, &[])).collect();
    let stream = held.pop().unwrap();
    assert!(!Stream::post(&gate, &[]).is_held(), "all are taken");
    let stream = stream.chunk(&[b'!'; MOST + 1], false);
    assert!(stream.is_held(), "for the second step");
    assert!(!Stream::post(&gate, &[]).is_held(), "one has one place");
    assert_eq!(stream.chunk(b"!", true).reason(), "allowed");
    assert!(Stream::post(&gate, &[]).is_held());
    drop(held);
}

#[test]
fn what_is_only_observed_is_not_held_up() {
    let mut configuration = limited();
    configuration["mode"] = json!("observe");
    let gate = open(&configuration, with(&[WORDS], "risk"));
    let stream = Stream::post(&gate, &[]);
    let Stage::Decided(next, decided) = stream.stage else {
        panic!("the request is held");
    };
    assert_eq!(next, Next::Continue);
    decided.finish(&stream.host);
    assert_eq!(events(&stream.host)[0]["status_detail"], "host_unavailable");
}

#[test]
fn keys_are_waited_for_first() {
    let mut configuration = limited();
    let remote = json!({"cluster": "idp", "uri": "https://idp.example/jwks"});
    configuration["issuers"][0]["keys"] = json!({"remote": remote});
    let document = key_set().to_string().into_bytes();
    // What comes of the body before the keys, what after them, and how it ends.
    let stories: [(&[u8], bool, &[u8], &str); 6] = [
        (b"", false, b"open", "allowed"),
        (b"op", false, b"en", "allowed"),
        (b"open", true, b"", "allowed"),
        (b"close", true, b"", "context_denied"),
        (&[b'!'; 17], false, b"", "context_denied"),
        (b"", false, b"close", "context_denied"),
    ];
    for (before, ended, after, expected) in stories {
        let gate = open(&configuration, with(&[WORDS], "risk"));
        let mut stream = Stream::post(&gate, &[]);
        assert!(stream.is_held());
        if !before.is_empty() {
            stream = stream.chunk(before, ended);
            assert!(stream.is_held(), "there are no keys yet");
        }
        let root = MemoryHost::with_request(at(1), &[]);
        gate.tick(&root);
        root.set_response(&[(":status", "200")], &document);
        gate.response(&root, 1, document.len());
        stream = stream.tick(at(1));
        assert_eq!(stream.is_held(), !after.is_empty());
        if !after.is_empty() {
            // Its time begins anew.
            stream = stream.tick(at(10));
            assert!(stream.is_held());
            stream = stream.chunk(after, true);
        }
        assert_eq!(stream.reason(), expected);
    }
}

/// Needs more than [`WORDS`] does.
const MORE_WORDS: Step = Step {
    name: "more words",
    check: |_, request, _, _| StepOutcome {
        learned: Learned::Nothing,
        verdict: match request.body(usize::MAX) {
            Err(unread) => unread.into(),
            Ok(RequestBody::TooLong) => Denial::new(Reason::ContextDenied, "much too long").into(),
            Ok(_) => Verdict::Passed,
        },
    },
    reads_body: true,
};

/// Says nothing about what [`WORDS`] would find too long.
const FEW_WORDS: Step = Step {
    name: "few words",
    check: |_, request, _, _| StepOutcome {
        learned: Learned::Nothing,
        verdict: match request.body(MOST) {
            Err(unread) => unread.into(),
            Ok(_) => Verdict::Passed,
        },
    },
    reads_body: true,
};

#[test]
fn a_step_that_needs_more_of_the_body_has_the_request_held_on() {
    let gate = open(&limited(), with(&[FEW_WORDS, MORE_WORDS], "risk"));
    let stream = Stream::post(&gate, &[]).chunk(&[b'!'; MOST + 1], false);
    assert!(stream.is_held(), "for the second step");
    let stream = stream.chunk(&[b'!'; MOST], true);
    assert!(!stream.is_held());
    let (reason, event) = stream.end();
    assert_eq!(reason, "allowed");
    assert_eq!(event["http_request"]["body_length"], 2 * MOST + 1);
    // Nobody is held for more than there may be.
    let stream = Stream::post(&gate, &[]).chunk(&vec![b'!'; BODY_BYTES], false);
    assert!(stream.is_held());
    let stream = stream.chunk(b"!", false);
    assert_eq!(stream.message(), "much too long");
}

#[test]
fn a_step_that_asks_in_the_wrong_place_lets_nobody_in() {
    let unsaid = Step {
        reads_body: false,
        ..WORDS
    };
    let mut behind = with(&[], "path").to_vec();
    behind.push(WORDS);
    for steps in [
        with(&[unsaid], "risk"),
        with(&[WORDS], "limits"),
        behind.leak(),
    ] {
        let stream = Stream::post(&open(&limited(), steps), &[]);
        assert!(!stream.is_held());
        assert_eq!(stream.reason(), "host_unavailable");
    }
}

#[test]
fn a_body_that_was_read_counts_as_one_that_was_not() {
    let mut configuration = limited();
    configuration["routes"][0]["when"] = json!([{"body_bytes_max": 20}]);
    let gate = open(&configuration, with(&[FEW_WORDS], "risk"));
    let stream = Stream::post(&gate, &[]).chunk(&[b'!'; 17], false);
    assert!(!stream.is_held());
    let stream = stream.chunk(b"!!!", false).chunk(b"!", true);
    let (reason, event) = stream.end();
    assert_eq!(reason, "context_denied");
    assert_eq!(event["http_request"]["body_length"], 21);
}
