//! Warnings of registrations that end soon: one a client and day, whichever worker comes first.

use std::collections::BTreeMap;

use super::Open;
use super::decide::Decision;
use crate::base::{ClientId, Now};
use crate::caller::clients::{Client, Day, WARNING_DAYS};
use crate::host::{Host, LogLevel};

/// The clients whose end was looked at, and on which day; there are no more than clients.
#[derive(Default)]
pub struct Looked(BTreeMap<ClientId, Day>);

impl Open {
    /// Warns once a day where the caller's registration ends within thirty days.
    pub(super) fn warn_of_expiry(&self, host: &dyn Host, decision: &Decision, now: Now) {
        let Some(id) = decision
            .caller
            .as_deref()
            .and_then(|caller| caller.registration())
        else {
            return;
        };
        let Some(client) = self.config.callers.clients.get(id) else {
            return;
        };
        let Some(days) = client.days_left(now).filter(|days| *days <= WARNING_DAYS) else {
            return;
        };
        if self.is_new_day(id, now) && self.is_first(host, client, now) {
            host.log(LogLevel::Warn, &warning(client, days));
        }
    }

    fn is_new_day(&self, client: ClientId, now: Now) -> bool {
        let today = Day::of(now);
        let looked = self.looked.try_borrow_mut();
        looked.is_ok_and(|mut looked| looked.0.insert(client, today) != Some(today))
    }

    fn is_first(&self, host: &dyn Host, client: &Client, now: Now) -> bool {
        let limits = self.limits.try_borrow_mut();
        limits.is_ok_and(|mut limits| {
            limits.with(host, |counters| {
                counters.first_today("clients.expires", [&client.name, &end(client)], now)
            })
        })
    }
}

fn end(client: &Client) -> String {
    let day = client.expires.map(|day| day.to_string());
    day.unwrap_or_default()
}

fn warning(client: &Client, days: u64) -> String {
    let (name, owner) = (&client.name, client.owner.as_deref().unwrap_or("nobody"));
    let last = end(client);
    format!(
        "clients: the registration of \"{name}\" (owner {owner}) ends in {days} days, with {last}"
    )
}
