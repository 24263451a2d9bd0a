//! Direct forecasting at a few leads: what [`Ridge`](super::Ridge) and
//! [`RandomForest`](super::RandomForest) learn from, and how their answers become a forecast.
//!
//! Both look at the series on a bent scale (`asinh`: a line near zero, a logarithm above), take out the seasonal profile,
//! and learn what is left of it some rows ahead, over the deviation of the last minutes. So with nothing learned they
//! answer with the profile at the present level, and what they learn is by how much that will be wrong.

mod design;
mod leads;

pub(super) use design::{Design, Pending, regressors};
pub(super) use leads::Leads;
