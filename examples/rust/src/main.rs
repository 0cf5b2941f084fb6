//! Continues a text: cargo run -- MODULE MODEL PROMPT. With a fourth argument, "logits", it writes those of the next token instead, floats of
//! 32 bits.

use std::io::Write;
use zagreus::{Model, Opt, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [wasm, file, prompt, what @ ..] = &arguments[..] else { return Err("usage: zagreus MODULE MODEL PROMPT [logits]".into()) };
    let mut model = Model::load(&std::fs::read(wasm)?, std::fs::File::open(file)?, 0)?;
    if !what.is_empty() {
        let session = model.session(prompt)?;
        return Ok(std::io::stdout().write_all(&model.logits(session)?)?);
    }
    for piece in model.complete(prompt, Some(1), &[(Opt::MaxTokens, 64.0), (Opt::Temperature, 0.7)])? {
        print!("{}", piece?);
        std::io::stdout().flush()?;
    }
    println!();
    Ok(())
}
