//! What makes a guest out of a template: its identity.
