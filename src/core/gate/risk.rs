//! Profiles in the host's shared data, and what is reported of them.

use super::metrics::Metrics;
use crate::gate::settings;
use crate::host::Host;
use crate::risk::settings::{Action, Deed, Override, Reaction, Settings};
use crate::risk::watch::{Desk, PageIncidents, Profiles};
use crate::shared::{Sharing, Shelf};

/// The name under which workers find pages; other plugins may be in the same place.
const PAGE: &str = "postern.risk.1.";

/// How many identities are told of in one tick at most.
const TOLD: usize = 64;

/// What one worker has in view, and where it is shared.
pub struct Risk {
    watch: Profiles,
    /// How everybody is judged, with the lowest score at which anything is done.
    keeping: Settings,
    pages: Shelf,
    metrics: Metrics,
}

impl Risk {
    /// The risk of a configuration that has any, kept where its counters are, keyed as they are.
    pub fn open(config: &settings::Settings, sharing: Sharing) -> Option<Self> {
        let risk = config.risk.as_ref()?;
        Some(Self {
            watch: Profiles::new(risk.slots, sharing.secret()),
            keeping: keeping(config, &risk.settings),
            pages: sharing.shelf(PAGE),
            metrics: Metrics::default(),
        })
    }

    /// Lends the desk out, and reports what happened at it.
    pub fn with<T>(
        &mut self,
        host: &dyn Host,
        config: &settings::Settings,
        work: impl FnOnce(&mut Desk<'_>) -> T,
    ) -> Option<T> {
        let settings = &config.risk.as_ref()?.settings;
        let done = work(&mut Desk {
            watch: &mut self.watch,
            cells: &mut self.pages.lend(host),
            settings,
            keeping: &self.keeping,
        });
        let incidents = std::mem::take(&mut self.watch.incidents);
        if incidents != PageIncidents::default() {
            self.report(host, incidents);
        }
        Some(done)
    }

    /// Tells the other workers what is due.
    pub fn tick(&mut self, host: &dyn Host, config: &settings::Settings) {
        let now = host.now();
        self.with(host, config, |desk| desk.tell(TOLD, now));
    }

    /// Counts what was done about a score.
    pub fn count(&mut self, host: &dyn Host, reaction: Reaction) {
        let name = match reaction {
            Reaction { denied: true, .. } => "postern.risk.denied",
            Reaction { factor: 2.., .. } => "postern.risk.throttled",
            Reaction { tagged: true, .. } => "postern.risk.tagged",
            Reaction { .. } => return,
        };
        self.metrics.count(host, name);
    }

    fn report(&mut self, host: &dyn Host, incidents: PageIncidents) {
        let counts = [
            ("postern.risk.evicted", incidents.evicted),
            ("postern.risk.full", incidents.full),
            ("postern.risk.damaged", incidents.damaged),
            ("postern.risk.contended", incidents.contended),
        ];
        for (name, times) in counts.into_iter().filter(|(_, times)| *times > 0) {
            self.metrics.add(host, name, times);
        }
    }
}

/// Whoever is held back anywhere is not to be driven out, whoever else is not held back there.
fn keeping(config: &settings::Settings, settings: &Settings) -> Settings {
    let of_routes = config.routes.iter().map(|(_, route)| &route.risk);
    let of_clients = config
        .callers
        .clients
        .all()
        .iter()
        .map(|client| &client.risk);
    let otherwise = of_clients.chain(of_routes).filter_map(Option::as_deref);
    let least = otherwise.filter_map(|other| settings.with(other).first_action());
    let Some(at) = least.chain(settings.first_action()).min() else {
        return settings.clone();
    };
    let mut keeping = Override::default();
    let deed = Deed::Tag;
    keeping.act(vec![Action { at, deed }]);
    settings.with(&keeping)
}
