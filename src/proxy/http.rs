//! The HTTP context: the proxy's callbacks of one request, handed to the gate.

use std::mem;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::calls::Proxy;
use crate::gate::{Decided, Gate, Next, Opened};

/// One request in the proxy.
pub struct Http {
    phase: Phase,
}

enum Phase {
    Opened(Opened),
    Decided(Box<Decided>),
    Ended,
}

impl Http {
    pub fn new(gate: Rc<Gate>) -> Self {
        Self {
            phase: Phase::Opened(Opened::new(gate)),
        }
    }

    fn decided(&mut self, step: impl FnOnce(&mut Decided) -> Next) -> Action {
        match &mut self.phase {
            Phase::Decided(decided) => action(step(decided)),
            // Nothing passes that was not decided.
            Phase::Opened(_) | Phase::Ended => Action::Pause,
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
        match mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Opened(opened) => {
                let (next, decided) = opened.headers(&Proxy);
                self.phase = Phase::Decided(Box::new(decided));
                action(next)
            }
            phase => {
                self.phase = phase;
                Action::Pause
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, _end: bool) -> Action {
        self.decided(|decided| decided.request_body(&Proxy, bytes(size)))
    }

    fn on_http_request_trailers(&mut self, _fields: usize) -> Action {
        self.decided(|decided| decided.request_trailers(&Proxy))
    }

    fn on_http_response_body(&mut self, size: usize, _end: bool) -> Action {
        if let Phase::Decided(decided) = &mut self.phase {
            decided.response_body(bytes(size));
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        match mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Opened(opened) => opened.finish(&Proxy),
            Phase::Decided(decided) => decided.finish(&Proxy),
            Phase::Ended => {}
        }
    }
}
