//! Guard and learner together, in virtual time.

#[cfg(test)]
mod floods;
