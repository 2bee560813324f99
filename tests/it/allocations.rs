//! What an allowed request costs in allocations and host calls, counted.
//!
//! The host here hands out what it is asked for in memory that is new each time, as a proxy does
//! through `proxy_on_memory_allocate`: such an answer counts as one allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use postern_core::base::Now;
use postern_core::config::Config;
use postern_core::decision::Reply;
use postern_core::gate::{Gate, Next, Opened, Stage};
use postern_core::host::{
    Calls, Cas, Clock, Exchange, HostError, HttpCall, LogLevel, MetricKind, Property, SharedValue,
    Store, Telemetry,
};
use postern_core::request::Headers;
use postern_testkit::stories::{at, claims, configuration, token};
use serde_json::{Value, json};

/// The system's allocator, which counts for the thread that asks it to.
struct Counting;

thread_local! {
    static COUNTED: Cell<Option<usize>> = const { Cell::new(None) };
    /// The bytes that were allocated and not freed.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has nothing to count.
    let _ = COUNTED.try_with(|counted| counted.set(counted.get().map(|count| count + 1)));
}

fn note_live(more: usize, less: usize) {
    let change = more.cast_signed() - less.cast_signed();
    let _ = LIVE.try_with(|live| live.set(live.get() + change));
}

#[allow(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: everything is the system allocator's; what is counted allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        note_live(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note_live(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        note_live(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    COUNTED.set(Some(0));
    work();
    COUNTED.take().unwrap()
}

/// A proxy that does as little as it can of its own, and counts the calls.
#[derive(Default)]
struct Plain {
    map: Vec<u8>,
    shared: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    calls: RefCell<Vec<&'static str>>,
    events: Cell<usize>,
}

impl Plain {
    fn with_request(fields: &[(&str, &str)]) -> Self {
        Self {
            map: Headers::new(fields.iter().copied()).as_abi().to_vec(),
            calls: RefCell::new(Vec::with_capacity(1000)),
            ..Self::default()
        }
    }

    fn note(&self, call: &'static str) {
        self.calls.borrow_mut().push(call);
    }
}

impl Clock for Plain {
    fn now(&self) -> Now {
        self.note("now");
        at(1)
    }

    fn random(&self, out: &mut [u8]) -> Result<(), HostError> {
        out.fill(7);
        Ok(())
    }
}

impl Exchange for Plain {
    fn request_headers(&self) -> Result<Headers, HostError> {
        self.note("request_headers");
        Headers::from_abi(self.map.clone()).map_err(|_| HostError(4))
    }

    fn set_request_header(&self, _: &str, _: &str) -> Result<(), HostError> {
        self.note("set_request_header");
        Ok(())
    }

    fn remove_request_header(&self, _: &[u8]) -> Result<(), HostError> {
        self.note("remove_request_header");
        Ok(())
    }

    fn request_trailers(&self) -> Result<Headers, HostError> {
        Ok(Headers::default())
    }

    fn remove_request_trailer(&self, _: &[u8]) -> Result<(), HostError> {
        Ok(())
    }

    fn property(&self, property: Property) -> Option<Vec<u8>> {
        self.note("property");
        match property {
            Property::SourceAddress => Some(b"192.0.2.7:4711".to_vec()),
            Property::ResponseCode => Some(200_i64.to_le_bytes().to_vec()),
            _ => None,
        }
    }

    fn send_reply(&self, _: &Reply) -> Result<(), HostError> {
        self.note("send_reply");
        Ok(())
    }

    fn response_headers(&self) -> Result<Headers, HostError> {
        self.note("response_headers");
        Headers::from_abi(self.map.clone()).map_err(|_| HostError(4))
    }

    fn add_response_header(&self, _: &str, _: &str) -> Result<(), HostError> {
        self.note("add_response_header");
        Ok(())
    }

    fn set_response_header(&self, _: &str, _: &str) -> Result<(), HostError> {
        self.note("set_response_header");
        Ok(())
    }
}

impl Store for Plain {
    fn shared(&self, key: &str) -> Result<Option<SharedValue>, HostError> {
        self.note("shared");
        let shared = self.shared.borrow();
        Ok(shared.get(key).map(|(bytes, cas)| SharedValue {
            bytes: bytes.clone(),
            cas: Cas(*cas),
        }))
    }

    fn set_shared(&self, key: &str, value: &[u8], cas: Cas) -> Result<bool, HostError> {
        self.note("set_shared");
        let mut shared = self.shared.borrow_mut();
        let Some((stored, version)) = shared.get_mut(key) else {
            shared.insert(key.to_owned(), (value.to_vec(), 1));
            return Ok(true);
        };
        if cas.0 != 0 && cas.0 != *version {
            return Ok(false);
        }
        // The proxy's own memory is not the module's.
        if stored.len() == value.len() {
            stored.copy_from_slice(value);
        } else {
            *stored = value.to_vec();
        }
        *version += 1;
        Ok(true)
    }
}

impl Calls for Plain {
    fn call_foreign_function(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        self.note("call_foreign_function");
        None
    }

    fn dispatch(&self, _: &HttpCall) -> Result<u32, HostError> {
        Err(HostError(2))
    }

    fn call_headers(&self) -> Headers {
        Headers::default()
    }

    fn call_body(&self, _: usize) -> Vec<u8> {
        Vec::new()
    }
}

impl Telemetry for Plain {
    fn log(&self, _: LogLevel, line: &str) {
        self.note("log");
        self.events
            .set(self.events.get() + line.matches("\"class_uid\":6003").count());
    }

    fn define_metric(&self, _: MetricKind, _: &str) -> Option<u32> {
        None
    }

    fn increment_metric(&self, _: u32, _: i64) {}

    fn record_metric(&self, _: u32, _: u64) {}
}

fn limited(changes: &Value) -> Value {
    let mut config = configuration(json!([
        {"name": "read-orders", "match": {"methods": ["GET"], "path": "/v1/orders/{id}"},
         "allow": {"scopes": {"all": ["orders.read"]}}, "limits": ["own"]},
    ]));
    config["limits"] = json!([{"name": "own", "key": ["client", "route"], "rate": "1000000/1s"}]);
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// The request's whole life.
fn live(gate: &Rc<Gate>, host: &Plain) -> Next {
    match Opened::new(Rc::clone(gate)).headers(host) {
        Stage::Decided(next, decided) => {
            decided.response_headers(host);
            decided.finish(host);
            next
        }
        Stage::Waiting(_) => panic!("the request is held"),
    }
}

/// The allocations and the calls of each of `count` requests after the first few.
fn served(config: &Value, count: usize) -> Vec<(usize, Vec<&'static str>)> {
    let bearer = format!("Bearer {}", token(&claims(json!({}))));
    let host = Plain::with_request(&[
        (":authority", "api.example"),
        (":path", "/v1/orders/4711?limit=20"),
        (":method", "GET"),
        (":scheme", "https"),
        ("user-agent", "orders-client/1.0"),
        ("accept", "application/json"),
        ("authorization", &bearer),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"),
    ]);
    let config = Config::parse(config.to_string().as_bytes()).unwrap();
    let gate = Rc::new(Gate::open(config.settings, b"", &host));
    let one = || assert_eq!(live(&gate, &host), Next::Continue);
    // The token is verified, and buffers find their size.
    (0..5).for_each(|_| one());
    gate.flush(&host);
    assert_eq!(host.events.get(), 5, "each request leaves its event");
    (0..count)
        .map(|_| {
            host.calls.borrow_mut().clear();
            let allocations = allocations(one);
            (allocations, host.calls.borrow().clone())
        })
        .collect()
}

/// The calls for a request with a known token and one limit, in their order.
const CALLS: &[&str] = &[
    "request_headers",
    "property", // source.address
    "now",
    "shared",
    "set_shared",
    "remove_request_header", // authorization
    "set_request_header",    // x-postern-identity
    "set_request_header",    // x-postern-client
    "set_request_header",    // x-postern-scopes
    "response_headers",      // cache-control
    "set_response_header",
    "property", // response.code
    "now",
    "log",
];

#[test]
fn an_allowed_request_with_a_known_token_and_one_limit_makes_few_allocations_and_calls() {
    let served = served(&limited(&json!({})), 1000);
    for (number, (allocations, calls)) in served.iter().enumerate() {
        assert_eq!(calls, CALLS, "request {number}");
        // Five are what the host answers, one each: the fields, the source, the counter, the fields
        // of the response, the status. The shell's two for each request are not seen here.
        assert!(*allocations <= 10, "request {number}: {allocations}");
    }
}

#[test]
fn gathered_events_take_one_call_together_and_no_more_allocations() {
    let audit = json!({"log": {"batch": "64KiB"}});
    let served = served(&limited(&json!({"audit": audit})), 1000);
    let logged = |calls: &Vec<&str>| calls.contains(&"log");
    let batches = served.iter().filter(|(_, calls)| logged(calls)).count();
    assert!(
        (5..=25).contains(&batches),
        "{batches} lines for 1000 events"
    );
    // The first batch finds the size of its memory, and each later one has it.
    let later = served.iter().skip(200);
    assert!(later.clone().all(|(allocations, _)| *allocations <= 10));
}

/// The bytes that a gate keeps after each `count` requests with tokens of their own.
fn kept(config: &Value, count: usize, token: impl Fn(usize) -> String) -> Vec<isize> {
    let config = Config::parse(config.to_string().as_bytes()).unwrap();
    let gate = Rc::new(Gate::open(config.settings, b"", &Plain::default()));
    let serve = |number: usize| {
        let bearer = format!("Bearer {}", token(number));
        let path = format!("/v1/orders/{number}");
        let host = Plain::with_request(&[
            (":authority", "api.example"),
            (":path", &path),
            (":method", "GET"),
            ("authorization", &bearer),
        ]);
        live(&gate, &host);
    };
    let begin = LIVE.get();
    let many = (0..4 * count).step_by(count);
    many.map(|first| {
        (first..first + count).for_each(serve);
        LIVE.get() - begin
    })
    .collect()
}

#[test]
fn what_a_gate_keeps_of_good_tokens_does_not_grow_with_traffic() {
    let config = limited(&json!({"tokens": {"cache": "64KiB"}}));
    let kept = kept(&config, 300, |number| {
        let (id, who) = (format!("t-{number}"), format!("client-{number}"));
        token(&claims(json!({"jti": id, "sub": who, "client_id": who})))
    });
    assert!(kept[0] > 10_000, "{kept:?}");
    assert!(kept[3] < 100_000 && kept[3] < kept[0] + 10_000, "{kept:?}");
}

#[test]
fn what_a_gate_keeps_of_bad_tokens_does_not_grow_with_traffic() {
    let pressure = json!({"pressure": {"mode": "off"}});
    let config = limited(&json!({"source": pressure}));
    // Each takes some hundred bytes, up to 512 KiB.
    let kept = kept(&config, 3000, |number| {
        format!("{number}.{number}.{number}")
    });
    assert!(kept[0] > 100_000, "{kept:?}");
    assert!(kept[3] < 800_000 && kept[3] < kept[0] + 100_000, "{kept:?}");
}
