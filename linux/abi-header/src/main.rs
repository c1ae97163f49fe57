//! Prints the header.

fn main() {
    print!("{}", abi_header::header());
}
