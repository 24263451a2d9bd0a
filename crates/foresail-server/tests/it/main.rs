//! The API through its router, without a socket where none is needed.

#[path = "../../examples/demo_plane/plane.rs"]
mod plane;

mod access;
mod document;
mod robust;
mod server;
mod shapes;
mod stream;
mod support;
