//! The root context: one a worker and configuration.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::calls::Proxy;
use crate::http::{Held, Http};
use postern_core::base::Now;
use postern_core::config::Config;
use postern_core::gate::{Gate, HURRY, TICK};
use postern_core::host::{Clock as _, HostError, LogLevel, Telemetry as _};

/// What the requests of one worker share.
pub struct Root {
    id: u32,
    gate: Rc<Gate>,
    vm_configuration: Vec<u8>,
    held: Held,
    /// When the gate was last told of a tick.
    ticked: Now,
    /// Whether ticks come sooner than the gate needs them, for the requests that are held.
    hurried: bool,
}

impl Root {
    pub fn new(id: u32) -> Self {
        Self {
            id,
            gate: Rc::new(Gate::closed()),
            vm_configuration: Vec::new(),
            held: Held::default(),
            ticked: Now::default(),
            hurried: false,
        }
    }

    fn release(&mut self) {
        let hurried = self.held.release(self.id);
        if hurried != self.hurried {
            self.hurried = hurried;
            Proxy.set_tick_period(if hurried { HURRY } else { TICK });
        }
    }

    fn configure(&mut self, bytes: &[u8]) -> bool {
        match Config::parse(bytes) {
            Ok(config) => {
                for warning in &config.warnings {
                    Proxy.log(LogLevel::Warn, &warning.to_string());
                }
                self.gate = Rc::new(Gate::open(config.settings, &self.vm_configuration, &Proxy));
                if self.gate.needs_ticks() {
                    Proxy.set_tick_period(TICK);
                }
                true
            }
            Err(errors) => {
                // A line each, so that a collector of logs keeps them apart.
                for line in errors.to_string().lines() {
                    Proxy.log(LogLevel::Error, line);
                }
                false
            }
        }
    }
}

impl Context for Root {
    // Before the root context goes: its configuration was replaced, or the proxy ends.
    fn on_done(&mut self) -> bool {
        self.gate.flush(&Proxy);
        true
    }

    fn on_http_call_response(&mut self, call: u32, _fields: usize, body: usize, _trailers: usize) {
        self.gate.response(&Proxy, call, body);
        self.release();
    }
}

impl RootContext for Root {
    fn on_vm_start(&mut self, _size: usize) -> bool {
        self.vm_configuration = Proxy.vm_configuration().unwrap_or_default();
        true
    }

    // False is for a bad configuration alone, which is bad for every worker: a host that is told so
    // by one worker only would run that worker without the filter.
    fn on_configure(&mut self, size: usize) -> bool {
        match Proxy.plugin_configuration() {
            Ok(bytes) => self.configure(&bytes),
            Err(_) if size == 0 => self.configure(b""),
            Err(HostError(status)) => {
                let line = format!(
                    "the configuration was not handed over (status {status}): every request is refused"
                );
                Proxy.log(LogLevel::Error, &line);
                true
            }
        }
    }

    fn on_tick(&mut self) {
        let now = Proxy.now();
        // A clock that jumps back makes one tick more.
        if !self.hurried || now < self.ticked || now.since(self.ticked) >= TICK {
            self.ticked = now;
            self.gate.tick(&Proxy);
        }
        self.held.tick();
        self.release();
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http::new(
            id,
            Rc::clone(&self.gate),
            self.held.clone(),
        )))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
