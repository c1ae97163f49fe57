//! Runs inputs through a property, without libFuzzer: `replay TARGET FILE...`; `replay --list` shows the targets.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [option] if option == "--list" => {
            for target in fuzz::TARGETS {
                println!("{:<16}{}", target.name, target.doc);
            }
            ExitCode::SUCCESS
        }
        [name, files @ ..] if !files.is_empty() => replay(name, files),
        _ => {
            eprintln!("usage: replay TARGET FILE... | replay --list");
            ExitCode::from(2)
        }
    }
}

fn replay(name: &str, files: &[String]) -> ExitCode {
    let Some(target) = fuzz::target(name) else {
        eprintln!("replay: {name}: there is no such target; --list shows them");
        return ExitCode::from(2);
    };
    for file in files {
        match std::fs::read(file) {
            Ok(input) => {
                println!("{file}: {} bytes", input.len());
                (target.property)(&input);
            }
            Err(error) => {
                eprintln!("replay: {file}: {error}");
                return ExitCode::from(2);
            }
        }
    }
    println!("{name}: {} inputs, and everything holds", files.len());
    ExitCode::SUCCESS
}
