//! Requests through the filter's own gate, over the in-memory host.

use std::net::SocketAddr;
use std::rc::Rc;

use postern_core::audit;
use postern_core::base::Now;
use postern_core::config::Config;
use postern_core::decision::Reply;
use postern_core::gate::steps::Watch;
use postern_core::gate::{Decided, Gate, Next, Opened, Stage};
use postern_core::host::Property;
use postern_core::request::{Headers, NormalPath, split_target};
use postern_testkit::memory::{MemoryHost, SharedData};
use serde_json::Value;

use crate::certificate::Certificate;

/// A request, and how its upstream answers.
#[derive(Clone)]
pub struct Asked {
    pub now: Now,
    /// Pseudo-headers first.
    pub fields: Vec<(String, String)>,
    pub body_bytes: u64,
    pub source: Option<SocketAddr>,
    pub certificate: Option<Certificate>,
    /// The cluster that the proxy has chosen.
    pub upstream: Option<String>,
    pub status: u16,
    pub response_bytes: u64,
    /// Whether the token only stands in for claims, so that nothing of it was verified.
    pub given_claims: bool,
}

impl Asked {
    /// The same request by a proxy that has chosen the first upstream of its route, where nobody
    /// says which.
    pub fn routed(mut self, config: &Config) -> Self {
        let text = |name: &str| {
            let field = self.fields.iter().find(|(own, _)| own == name);
            field.map_or("", |(_, value)| value.as_str())
        };
        let (path, _) = split_target(text(":path").as_bytes());
        let route = NormalPath::parse(path).ok().and_then(|path| {
            let found = config
                .settings
                .routes
                .find(text(":authority"), text(":method"), &path);
            found.map(|found| found.route).ok()
        });
        let first = route.and_then(|route| route.upstreams.first());
        self.upstream = self.upstream.take().or_else(|| first.cloned());
        self
    }
}

/// What became of a request.
pub struct Answer {
    /// Whether it reached the upstream.
    pub passed: bool,
    /// What was answered in the upstream's place.
    pub reply: Option<Reply>,
    /// The request's fields as the upstream sees them.
    pub upstream: Headers,
    /// The audit event.
    pub event: Value,
}

/// A gate with the shared data of its proxy.
pub struct Trial {
    gate: Rc<Gate>,
    shared: SharedData,
}

impl Trial {
    /// Opens a gate by a configuration, which writes the event of every decision at once.
    pub fn new(mut config: Config, now: Now) -> Self {
        let shared = SharedData::default();
        config.settings.audit = audit::Settings {
            purpose_header: config.settings.audit.purpose_header.take(),
            ..audit::Settings::default()
        };
        let host = MemoryHost::with_shared(now, &shared);
        let gate = Rc::new(Gate::open(config.settings, b"", &host));
        Self { gate, shared }
    }

    /// Sends a request, from its first header to its last byte, while somebody looks on.
    pub fn ask(&self, asked: &Asked, watch: &mut impl Watch) -> Answer {
        let host = self.host(asked);
        if self.gate.needs_ticks() {
            self.gate.tick(&host);
        }
        let mut opened = Opened::new(Rc::clone(&self.gate));
        if asked.body_bytes == 0 {
            opened = opened.without_body();
        }
        let mut stage = opened.headers_watched(&host, watch);
        let (mut next, mut decided) = loop {
            match stage {
                Stage::Decided(next, decided) => break (next, *decided),
                // Nobody fetches keys here, and of a body there is no more than its size.
                Stage::Waiting(waiting) => stage = waiting.resume_watched(&host, watch),
            }
        };
        if next == Next::Continue && asked.body_bytes > 0 {
            next = decided.request_body(&host, asked.body_bytes);
        }
        let passed = next == Next::Continue;
        finish(decided, &host, passed.then_some(asked));
        let lines = host.logged();
        let mut events = lines.iter().filter(|(_, line)| line.starts_with('{'));
        let event = events
            .next_back()
            .and_then(|(_, line)| serde_json::from_str(line).ok());
        Answer {
            passed,
            reply: host.replies().pop(),
            upstream: host.upstream_headers(),
            event: event.unwrap_or_default(),
        }
    }

    fn host(&self, asked: &Asked) -> MemoryHost {
        let fields = asked.fields.iter();
        let fields: Vec<(&str, &str)> = fields.map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut host = MemoryHost::with_request(asked.now, &fields);
        host.share(&self.shared);
        if let Some(source) = asked.source {
            host.set_property(Property::SourceAddress, source.to_string().as_bytes());
        }
        if let Some(upstream) = &asked.upstream {
            host.set_property(Property::UpstreamCluster, upstream.as_bytes());
        }
        if let Some(certificate) = &asked.certificate {
            host.set_property(Property::PeerCertificate, &certificate.pem);
            host.set_property(
                Property::PeerCertificateDigest,
                certificate.hex().as_bytes(),
            );
            host.set_property(Property::PeerCertificateValid, &[1]);
        }
        host
    }
}

fn finish(mut decided: Decided, host: &MemoryHost, passed: Option<&Asked>) {
    let reply = host.replies().pop().map(|reply| reply.status);
    let status = passed
        .map(|asked| asked.status)
        .or(reply)
        .unwrap_or_default();
    host.set_property(Property::ResponseCode, &i64::from(status).to_le_bytes());
    if let Some(asked) = passed {
        decided.response_headers(host);
        decided.response_body(asked.response_bytes);
    }
    decided.finish(host);
}

impl Answer {
    /// The stable code: `allowed`, or the reason of the denial.
    pub fn reason(&self) -> &str {
        self.text("/status_detail")
    }

    /// What happened in this occurrence; empty where it was allowed.
    pub fn detail(&self) -> &str {
        self.text("/message")
    }

    /// A text of the event, by its JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        let value = self.event.pointer(pointer);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The field of the reply.
    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = &self.reply.as_ref()?.fields;
        let found = fields
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}
