//! Where the install manifest comes from.
