//! Integration tests of the workshop.

mod event_plant;
mod plant_agreement;
mod routing;
