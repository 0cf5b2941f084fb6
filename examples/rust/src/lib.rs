//! Zagreus and Nesso language models: zagreus-relaxed.wasm in Wasmtime. The contract is zagreus_abi.h.

use std::fmt;
use std::io::Read;
use wasmtime::{Caller, Engine, Extern, Instance, Linker, Memory, Module, Store, Val};

const ABI: u64 = 2;
const BUFFER_BYTES: usize = 1 << 20;
const BADF: i32 = 8;

/// What a call refused; `status` is ZAGREUS_STATUS_*.
#[derive(Debug)]
pub struct Refused {
    pub status: i32,
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Refused {}

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// ZAGREUS_OPTION_*
#[derive(Clone, Copy)]
#[repr(i32)]
pub enum Opt {
    MaxTokens = 1,
    Temperature,
    TopK,
    TopP,
    MinP,
    RepetitionPenalty,
    NoRepeatNgram,
}

/// A loaded model. Its sessions take turns.
pub struct Model {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    buffer: usize,
}

/// Of a model that reads no files, WASI is random numbers, and an answer to which folders are open: none.
fn wasi(linker: &mut Linker<()>, module: &Module) -> Result<()> {
    let preview1 = "wasi_snapshot_preview1";
    linker.func_wrap(preview1, "fd_prestat_get", |_: i32, _: i32| BADF)?;
    linker.func_wrap(preview1, "random_get", |mut caller: Caller<()>, address: u32, length: u32| {
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else { return BADF };
        let range = address as usize..address as usize + length as usize;
        match memory.data_mut(&mut caller).get_mut(range).map(getrandom::fill) {
            Some(Ok(())) => 0,
            _ => BADF,
        }
    })?;
    Ok(linker.define_unknown_imports_as_traps(module)?)
}

impl Model {
    /// Reads a GGUF file. `context`: positions of the KV cache, 0: the model's own.
    pub fn load(wasm: &[u8], mut file: impl Read, context: u32) -> Result<Model> {
        let engine = Engine::default();
        let module = Module::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        wasi(&mut linker, &module)?;
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or("the module has no memory")?;
        let mut model = Model { store, instance, memory, buffer: 0 };
        let version = model.number("abi", &[])?;
        if version != ABI {
            return Err(format!("the module's ABI is {version}, must be {ABI}").into());
        }
        model.buffer = model.number("buffer", &[])? as usize;
        model.call("initialize", &[])?;
        model.call("load_begin", &[Val::I32(context as i32), Val::I32(0), Val::I64(0)])?;
        let mut piece = vec![0; BUFFER_BYTES];
        loop {
            let count = file.read(&mut piece)?;
            if count == 0 {
                break;
            }
            let length = model.write(&piece[..count])?;
            model.call("load_push", &[length])?;
        }
        model.call("load_end", &[])?;
        Ok(model)
    }

    /// Calls what cannot fail.
    fn number(&mut self, name: &str, arguments: &[Val]) -> Result<u64> {
        let name = format!("zagreus_{name}");
        let function = self.instance.get_func(&mut self.store, &name).ok_or_else(|| format!("there is no {name}"))?;
        let mut result = [Val::I32(0)];
        function.call(&mut self.store, arguments, &mut result)?;
        Ok(match result[0] {
            Val::I64(number) => number as u64,
            ref number => number.unwrap_i32() as u32 as u64,
        })
    }

    /// A copy of what a call gives.
    pub fn call(&mut self, name: &str, arguments: &[Val]) -> Result<Vec<u8>> {
        let status = self.number(name, arguments)? as i32;
        let address = self.number("result", &[])? as usize;
        let length = self.number("length", &[])? as usize;
        let result = self.memory.data(&self.store)[address..address + length].to_vec();
        match status {
            0 => Ok(result),
            _ => Err(Box::new(Refused { status, message: String::from_utf8_lossy(&result).into() })),
        }
    }

    /// Writes to the buffer; the length, as an argument.
    fn write(&mut self, bytes: &[u8]) -> Result<Val> {
        if bytes.len() > BUFFER_BYTES {
            return Err(format!("{} bytes, the buffer has {BUFFER_BYTES}", bytes.len()).into());
        }
        self.memory.write(&mut self.store, self.buffer, bytes)?;
        Ok(Val::I32(bytes.len() as i32))
    }

    /// A session of a text.
    pub fn session(&mut self, prompt: &str) -> Result<u32> {
        let session = word(&self.call("session_open", &[])?, 0);
        let length = self.write(prompt.as_bytes())?;
        self.call("session_append", &[handle(session), length, Val::I32(0)])?;
        Ok(session)
    }

    /// Of the next token.
    pub fn logits(&mut self, session: u32) -> Result<Vec<u8>> {
        self.call("logits", &[handle(session)])
    }

    /// Continues a text, piece by piece.
    pub fn complete(&mut self, prompt: &str, seed: Option<u64>, options: &[(Opt, f64)]) -> Result<Completion<'_>> {
        let session = self.session(prompt)?;
        let completion = Completion { model: self, session, ended: false };
        for (option, value) in options {
            let arguments = [handle(session), Val::I32(*option as i32), Val::F64(value.to_bits())];
            completion.model.call("session_option", &arguments)?;
        }
        if let Some(seed) = seed {
            completion.model.call("session_seed", &[handle(session), Val::I64(seed as i64)])?;
        }
        completion.model.call("complete", &[handle(session)])?;
        Ok(completion)
    }
}

fn handle(session: u32) -> Val {
    Val::I32(session as i32)
}

fn word(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes(bytes[4 * index..4 * index + 4].try_into().unwrap())
}

/// Pieces of text while they are generated. Dropped, it stops.
pub struct Completion<'a> {
    model: &'a mut Model,
    session: u32,
    ended: bool,
}

impl Iterator for Completion<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let piece = match self.model.call("next", &[handle(self.session)]) {
                Ok(piece) => piece,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            };
            self.ended = word(&piece, 0) != 0;
            if piece.len() > 12 {
                return Some(Ok(String::from_utf8_lossy(&piece[12..]).into()));
            }
        }
        None
    }
}

impl Drop for Completion<'_> {
    fn drop(&mut self) {
        let _ = self.model.call("session_close", &[handle(self.session)]);
    }
}
