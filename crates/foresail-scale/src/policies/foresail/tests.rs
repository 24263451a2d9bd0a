//! What the policy promises whatever the load.
