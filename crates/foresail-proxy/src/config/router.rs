//! How requests are routed between services.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use foresail_route::RouterConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// Endpoints in services that are good at different requests: the router chooses the service for each request by what requests
/// like it cost there, the balancer the endpoint in it. An answer may say in `x-foresail-load` what it used of a resource; the
/// header is taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouterSettings {
    /// The services by name, 1 to 63 of them, each with the ids or addresses of its endpoints. Endpoints that are in none are
    /// one more service.
    pub services: BTreeMap<String, BTreeSet<String>>,
    /// What requests cost, what they are told apart by, and how fast is learned.
    #[serde(default)]
    pub learn: RouterConfig,
    /// File in which what was learned is kept over restarts, readable by its owner alone; none (the default) begins anew each
    /// time. Written every ten minutes and at the end; not taken up under other `learn`, nor by other services.
    #[serde(default)]
    pub state: Option<PathBuf>,
}

impl RouterSettings {
    pub(super) fn check(&self) -> Result<(), Error> {
        let count = self.services.len();
        check((1..=63).contains(&count), "router.services", count, "1 to 63 services")?;
        let mut seen = BTreeSet::new();
        for (name, endpoints) in &self.services {
            check(!name.is_empty(), "router.services", "a service without a name", "names")?;
            let twice = endpoints.iter().find(|endpoint| !seen.insert(endpoint.as_str()));
            check(twice.is_none(), "router.services", twice.map_or("", String::as_str), "each endpoint once")?;
        }
        Ok(self.learn.check()?)
    }

    /// The service of an endpoint; the empty name if it is in none.
    pub(crate) fn service_of(&self, id: &str, address: &str) -> &str {
        let holds = |endpoints: &BTreeSet<String>| endpoints.contains(id) || endpoints.contains(address);
        self.services.iter().find(|(_, endpoints)| holds(endpoints)).map_or("", |(name, _)| name)
    }

    /// All services, the nameless one at the end.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str).chain([""])
    }
}
