//! The I/O APIC's register sequences against a hostile fake, and the entries of its table.

mod fake;
mod redirection;
mod routes;
mod seizure;
