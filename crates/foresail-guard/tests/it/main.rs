//! Guard and learner together, in virtual time.

#[cfg(test)]
mod floods;
#[cfg(test)]
mod geo;
#[cfg(test)]
mod mmdb;
#[cfg(test)]
mod places;
