//! The workers of one proxy: gates that share data, whose time passes and whose calls are answered
//! together.

use std::rc::Rc;
use std::time::Duration;

use postern_core::base::Now;
use postern_core::config::Config;
use postern_core::gate::Gate;
use postern_core::host::HttpCall;
use serde_json::Value;

use crate::memory::{Flavour, MemoryHost, SharedData};

/// One worker: its gate, and the host of its root context.
pub struct Worker {
    /// What decides there.
    pub gate: Rc<Gate>,
    /// Where its ticks and its own calls are made.
    pub root: MemoryHost,
    /// How many of its calls were answered.
    pub answered: usize,
}

impl Worker {
    /// A worker in a VM of this configuration, on that host.
    pub fn start(root: MemoryHost, vm_configuration: &[u8], configuration: &Value) -> Self {
        let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
        Self {
            gate: Rc::new(Gate::open(config.settings, vm_configuration, &root)),
            root,
            answered: 0,
        }
    }

    /// The first call that is open.
    pub fn open_call(&self) -> Option<HttpCall> {
        self.root.calls().get(self.answered).cloned()
    }

    /// Whether a call is open.
    pub fn has_called(&self) -> bool {
        self.open_call().is_some()
    }

    /// Answers every call that is open, until none is.
    pub fn answer(&mut self, fields: &[(&str, &str)], body: &[u8]) {
        while self.has_called() {
            self.answer_one(fields, body);
        }
    }

    /// Answers the first call that is open.
    pub fn answer_one(&mut self, fields: &[(&str, &str)], body: &[u8]) {
        self.answered += 1;
        self.root.set_response(fields, body);
        let call = u32::try_from(self.answered).unwrap();
        self.gate.response(&self.root, call, body.len());
    }
}

/// The workers of a proxy.
pub struct Workers {
    /// What time it is for all of them.
    pub now: Now,
    /// What they share.
    pub shared: SharedData,
    /// Each of them.
    pub workers: Vec<Worker>,
}

impl Workers {
    /// A proxy that shares data in that way, without workers.
    pub fn new(now: Now, flavour: Flavour) -> Self {
        Self {
            now,
            shared: SharedData::of(flavour),
            workers: Vec::new(),
        }
    }

    /// Starts a worker in a VM of this configuration.
    pub fn start(&mut self, vm_configuration: &[u8], configuration: &Value) {
        let root = MemoryHost::with_shared(self.now, &self.shared);
        let worker = Worker::start(root, vm_configuration, configuration);
        self.workers.push(worker);
    }

    /// A request's host, at this time and with what the workers share.
    pub fn joined(&self, mut host: MemoryHost) -> MemoryHost {
        host.share(&self.shared);
        host.set_now(self.now);
        host
    }

    /// Lets `millis` pass in steps of a tick; every worker ticks, nobody answers.
    pub fn pass(&mut self, millis: u64) {
        for _ in 0..millis.div_ceil(200) {
            self.now = self.now.after(Duration::from_millis(200));
            for worker in &self.workers {
                worker.root.set_now(self.now);
                worker.gate.tick(&worker.root);
            }
        }
    }

    /// Answers every call that is open with what `provider` says, until none is.
    pub fn answer(
        &mut self,
        mut provider: impl FnMut(&HttpCall) -> (Vec<(&'static str, &'static str)>, Vec<u8>),
    ) {
        for worker in &mut self.workers {
            while let Some(call) = worker.open_call() {
                let (fields, body) = provider(&call);
                worker.answer_one(&fields, &body);
            }
        }
    }
}
