//! The root context: one a worker and configuration.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::calls::Proxy;
use super::http::Http;
use crate::config::Config;
use crate::gate::Gate;
use crate::host::{Host, LogLevel};

/// What the requests of one worker share.
pub struct Root {
    gate: Rc<Gate>,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            gate: Rc::new(Gate::closed()),
        }
    }
}

impl Context for Root {}

impl RootContext for Root {
    // A pure function of the bytes: a host that is told `false` by one worker only would run that
    // worker without the filter.
    fn on_configure(&mut self, _size: usize) -> bool {
        let bytes = Proxy.plugin_configuration().unwrap_or_default();
        match Config::parse(&bytes) {
            Ok(config) => {
                config
                    .warnings
                    .iter()
                    .for_each(|warning| Proxy.log(LogLevel::Warn, warning));
                self.gate = Rc::new(Gate::open(config, &Proxy));
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

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http::new(Rc::clone(&self.gate))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
