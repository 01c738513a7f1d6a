//! Names and limits that several rooms share.
