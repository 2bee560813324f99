//! The HTTP context: the proxy's callbacks of one request, handed to the gate.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::calls::Proxy;
use postern_core::base::Now;
use postern_core::gate::{Decided, Gate, Next, Opened, RELEASES, Stage, Waiting};
use postern_core::host::Clock as _;

/// One request in the proxy.
pub struct Http {
    id: u32,
    phase: Rc<RefCell<Phase>>,
    held: Held,
}

enum Phase {
    Opened(Opened),
    Waiting(Box<Waiting>),
    Decided(Box<Decided>),
    Ended,
}

/// The requests that the proxy holds until the root context lets them go on.
#[derive(Clone, Default)]
pub struct Held {
    /// In the order of their deadlines.
    requests: Rc<RefCell<Vec<HeldRequest>>>,
    /// How many may still go on before the next tick.
    left: Rc<Cell<usize>>,
}

struct HeldRequest {
    id: u32,
    deadline: Now,
    phase: Weak<RefCell<Phase>>,
}

impl Held {
    /// Takes note of a tick: what was asked of the proxy before it is done.
    pub fn tick(&self) {
        self.left.set(RELEASES);
    }

    /// Lets requests go on, or answers them, that can be decided by now, as many as one tick may;
    /// answers whether there are more. `root` is the context that is called.
    pub fn release(&self, root: u32) -> bool {
        if self.requests.borrow().is_empty() {
            return false;
        }
        let now = Proxy.now();
        let mut more = false;
        let held = self.requests.take();
        for request in held {
            // A request whose caller left is gone.
            let Some(phase) = request.phase.upgrade() else {
                continue;
            };
            let is_ready = phase
                .try_borrow()
                .is_ok_and(|phase| !is_waiting(&phase, now));
            if is_ready && self.take_one() {
                resume(request.id, &phase);
            } else {
                more |= is_ready;
                self.requests.borrow_mut().push(request);
            }
        }
        // What the root context does next is its own again. It cannot be gone while it is called.
        let _ = Proxy.speak_for(root);
        more
    }

    fn take_one(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    fn add(&self, id: u32, phase: &Rc<RefCell<Phase>>, deadline: Now) {
        let mut requests = self.requests.borrow_mut();
        let at = requests.partition_point(|other| other.deadline <= deadline);
        let phase = Rc::downgrade(phase);
        requests.insert(
            at,
            HeldRequest {
                id,
                deadline,
                phase,
            },
        );
    }
}

fn is_waiting(phase: &Phase, now: Now) -> bool {
    matches!(phase, Phase::Waiting(waiting) if !waiting.is_ready(now))
}

fn resume(id: u32, phase: &RefCell<Phase>) {
    if Proxy.speak_for(id).is_err() {
        return;
    }
    let before = phase.replace(Phase::Ended);
    let Phase::Waiting(waiting) = before else {
        phase.replace(before);
        return;
    };
    let (next, decided) = waiting.resume(&Proxy);
    phase.replace(Phase::Decided(Box::new(decided)));
    if next == Next::Continue {
        // A host that refuses keeps holding the request until its own timeout ends it.
        let _ = Proxy.continue_request();
    }
}

impl Http {
    pub fn new(id: u32, gate: Rc<Gate>, held: Held) -> Self {
        let phase = Rc::new(RefCell::new(Phase::Opened(Opened::new(gate))));
        Self { id, phase, held }
    }

    fn decided(
        &mut self,
        step: impl FnOnce(&mut Decided) -> Next,
        note: impl FnOnce(&mut Waiting),
    ) -> Action {
        // Nothing passes that was not decided.
        match self.phase.try_borrow_mut().as_deref_mut() {
            Ok(Phase::Decided(decided)) => action(step(decided)),
            Ok(Phase::Waiting(waiting)) => {
                note(waiting);
                Action::Pause
            }
            _ => Action::Pause,
        }
    }
}

fn action(next: Next) -> Action {
    match next {
        Next::Continue => Action::Continue,
        Next::Stop => Action::Pause,
    }
}

fn bytes(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _fields: usize, _end: bool) -> Action {
        let (phase, answer) = match self.phase.replace(Phase::Ended) {
            Phase::Opened(opened) => match opened.headers(&Proxy) {
                Stage::Decided(next, decided) => (Phase::Decided(decided), action(next)),
                Stage::Waiting(waiting) => {
                    self.held.add(self.id, &self.phase, waiting.deadline());
                    (Phase::Waiting(waiting), Action::Pause)
                }
            },
            before => (before, Action::Pause),
        };
        self.phase.replace(phase);
        answer
    }

    fn on_http_request_body(&mut self, size: usize, _end: bool) -> Action {
        self.decided(
            |decided| decided.request_body(&Proxy, bytes(size)),
            |waiting| waiting.request_body(bytes(size)),
        )
    }

    fn on_http_request_trailers(&mut self, _fields: usize) -> Action {
        self.decided(
            |decided| decided.request_trailers(&Proxy),
            Waiting::request_trailers,
        )
    }

    fn on_http_response_headers(&mut self, _fields: usize, _end: bool) -> Action {
        if let Ok(Phase::Decided(decided)) = self.phase.try_borrow().as_deref() {
            decided.response_headers(&Proxy);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, _end: bool) -> Action {
        if let Ok(Phase::Decided(decided)) = self.phase.try_borrow_mut().as_deref_mut() {
            decided.response_body(bytes(size));
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        match self.phase.replace(Phase::Ended) {
            Phase::Opened(opened) => opened.finish(&Proxy),
            Phase::Waiting(waiting) => waiting.finish(&Proxy),
            Phase::Decided(decided) => decided.finish(&Proxy),
            Phase::Ended => {}
        }
    }
}
