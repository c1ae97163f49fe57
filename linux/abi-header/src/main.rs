//! Prints the header.

#![forbid(unsafe_code)]

fn main() {
    print!("{}", abi_header::header());
}
