//! Integration tests of the workshop.

mod balance;
mod event_plant;
mod plant_agreement;
mod routing;
