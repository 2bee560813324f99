//! Where records go. A sink gets a record and writes it in a form; it decides nothing, and does not
//! know what a request is.
//!
//! A new sink is a file with a [`Sink`], and its line in [`Sinks::open`].

mod log;

use super::{Record, Settings, Sink};
use crate::host::Host;
pub use log::Log;

/// All the sinks of a gate, in order.
#[derive(Default)]
pub struct Sinks(Vec<Box<dyn Sink>>);

impl Sinks {
    /// The sinks that the settings ask for.
    #[must_use]
    pub fn open(settings: &Settings) -> Self {
        let mut sinks = Self::default();
        sinks.push(Log::new(settings));
        sinks
    }

    /// One more sink.
    pub fn push(&mut self, sink: impl Sink + 'static) {
        self.0.push(Box::new(sink));
    }
}

impl Sink for Sinks {
    fn add(&mut self, host: &dyn Host, record: &Record<'_>) {
        self.0.iter_mut().for_each(|sink| sink.add(host, record));
    }

    fn gathers(&self) -> bool {
        self.0.iter().any(|sink| sink.gathers())
    }

    fn flush(&mut self, host: &dyn Host) {
        self.0.iter_mut().for_each(|sink| sink.flush(host));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::audit::forms::{Form, ocsf};
    use crate::audit::tests::record;
    use crate::memory::MemoryHost;

    /// What an endpoint would be sent: a form of its own, and nothing before it is asked for.
    struct Endpoint {
        form: Form,
        kept: Vec<String>,
        sent: Rc<RefCell<Vec<String>>>,
    }

    impl Sink for Endpoint {
        fn add(&mut self, _: &dyn Host, record: &Record<'_>) {
            let mut text = String::new();
            (self.form)(&mut text, record);
            self.kept.push(text);
        }

        fn gathers(&self) -> bool {
            true
        }

        fn flush(&mut self, _: &dyn Host) {
            self.sent.borrow_mut().append(&mut self.kept);
        }
    }

    #[test]
    fn every_sink_gets_every_record_in_its_own_form() {
        let host = MemoryHost::default();
        let sent = Rc::new(RefCell::new(Vec::new()));
        let mut sinks = Sinks::open(&Settings::default());
        assert!(!sinks.gathers());
        sinks.push(Endpoint {
            form: |out, record| out.push_str(record.outcome.code()),
            kept: Vec::new(),
            sent: Rc::clone(&sent),
        });
        assert!(sinks.gathers(), "one of them does");
        sinks.add(&host, &record());
        assert_eq!(host.logged().len(), 1, "the log gathers nothing here");
        assert!(sent.borrow().is_empty());
        sinks.flush(&host);
        assert_eq!(*sent.borrow(), ["allowed"]);
        assert_eq!(host.logged()[0].1, ocsf::line(&record()));
        sinks.flush(&host);
        assert_eq!((host.logged().len(), sent.borrow().len()), (1, 1));
    }
}
