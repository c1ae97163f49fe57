//! Links the image as a freestanding program by its own linker script.

include!("../image.rs");

fn main() {
    println!("cargo:rerun-if-changed=../image.rs");
    link();
}
