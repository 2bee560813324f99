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

/// The requests that the proxy holds until the root context lets them go on, or their bodies come.
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
        let mut held_on = Vec::new();
        let held = self.requests.take();
        for request in held {
            // A request whose caller left is gone.
            let Some(phase) = request.phase.upgrade() else {
                continue;
            };
            let is_ready = match phase.try_borrow().as_deref() {
                Ok(Phase::Waiting(waiting)) => waiting.is_ready(now),
                // Its body came, and it is held no longer.
                Ok(_) => continue,
                Err(_) => false,
            };
            if is_ready && self.take_one() {
                if let Some(deadline) = resume(request.id, &phase) {
                    held_on.push((request.id, phase, deadline));
                }
            } else {
                more |= is_ready;
                self.requests.borrow_mut().push(request);
            }
        }
        for (id, phase, deadline) in held_on {
            self.add(id, &phase, deadline);
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

/// Answers until when the request is held on, if it is.
fn resume(id: u32, phase: &RefCell<Phase>) -> Option<Now> {
    Proxy.speak_for(id).ok()?;
    let before = phase.replace(Phase::Ended);
    let Phase::Waiting(waiting) = before else {
        phase.replace(before);
        return None;
    };
    match waiting.resume(&Proxy) {
        Stage::Decided(next, decided) => {
            phase.replace(Phase::Decided(decided));
            if next == Next::Continue {
                // A host that refuses keeps holding the request until its own timeout ends it.
                let _ = Proxy.continue_request();
            }
            None
        }
        Stage::Waiting(waiting) => {
            let deadline = waiting.deadline();
            phase.replace(Phase::Waiting(waiting));
            Some(deadline)
        }
    }
}

impl Http {
    pub fn new(id: u32, gate: Rc<Gate>, held: Held) -> Self {
        let phase = Rc::new(RefCell::new(Phase::Opened(Opened::new(gate))));
        Self { id, phase, held }
    }

    /// Hands on what came behind the header fields; `note` answers whether a request waited for it.
    fn decided(
        &mut self,
        step: impl FnOnce(&mut Decided) -> Next,
        note: impl FnOnce(&mut Waiting) -> bool,
    ) -> Action {
        // Nothing passes that was not decided.
        match self.phase.try_borrow_mut().as_deref_mut() {
            Ok(Phase::Decided(decided)) => return action(step(decided)),
            Ok(Phase::Waiting(waiting)) => {
                if !note(waiting) {
                    return Action::Pause;
                }
            }
            _ => return Action::Pause,
        }
        match self.phase.replace(Phase::Ended) {
            Phase::Waiting(waiting) => self.enter(waiting.resume(&Proxy)),
            before => {
                self.phase.replace(before);
                Action::Pause
            }
        }
    }

    fn enter(&self, stage: Stage) -> Action {
        let (phase, answer) = match stage {
            Stage::Decided(next, decided) => (Phase::Decided(decided), action(next)),
            Stage::Waiting(waiting) => {
                self.held.add(self.id, &self.phase, waiting.deadline());
                (Phase::Waiting(waiting), Action::Pause)
            }
        };
        self.phase.replace(phase);
        answer
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
    fn on_http_request_headers(&mut self, _fields: usize, end: bool) -> Action {
        match self.phase.replace(Phase::Ended) {
            Phase::Opened(opened) if end => self.enter(opened.without_body().headers(&Proxy)),
            Phase::Opened(opened) => self.enter(opened.headers(&Proxy)),
            before => {
                self.phase.replace(before);
                Action::Pause
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.decided(
            |decided| decided.request_body(&Proxy, bytes(size)),
            |waiting| waiting.request_body(bytes(size), end),
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
