// How a kernel image is linked: as a freestanding program, by the linker script beside its `Cargo.toml`. The build
// scripts include this file.

fn link() {
    let script = format!(
        "{}/link.ld",
        std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")
    );
    println!("cargo:rerun-if-changed={script}");
    for argument in [
        "-nostdlib",
        "-nostartfiles",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,-z,max-page-size=0x1000",
        "-Wl,-z,norelro",
        "-Wl,--gc-sections",
        &format!("-Wl,-T,{script}"),
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
