//! A proxy between real sockets: clients and endpoints live in the test, on the loopback address.

#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod guard_origins;
#[cfg(test)]
mod health;
#[cfg(test)]
mod learning;
#[cfg(test)]
mod limits;
#[cfg(test)]
#[path = "../../../foresail-guard/tests/it/mmdb.rs"]
mod mmdb;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tails;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tracing;
#[cfg(test)]
mod workload;
