"""Random calls of the reactor through Wasmtime: any order, wrong handles, lengths that do not fit, bytes that mean nothing.

    python fuzz.py MODEL SECONDS [SEED] [BUILD] [GRAMMAR ...]

Every call must end with a status of the header; a failure with a sentence; results inside memory. A trap, or anything else, is an error that
names the seed and the last calls.
"""

import random
import re
import sys
import time
from pathlib import Path

import wasmtime
from zagreus_edge.module import BUFFER_BYTES, Instance

HEADER = Path(__file__).parents[2] / "host/wasi/contract/zagreus_abi.h"
STATUSES = {int(n) for n in re.findall(r"#define ZAGREUS_STATUS_\w+ (\d+)", HEADER.read_text())}
CALLS = {
    name: [parameter.split() for parameter in parameters.split(", ") if parameter != "void"]
    for name, parameters in re.findall(r"^int32_t zagreus_(\w+)\((.*)\);$", HEADER.read_text(), re.M)
}
RARE = {"initialize", "load_begin", "load_path", "load_push", "load_end", "markers"}
FREQUENT = {"next", "session_append", "complete", "save_next", "restore_push", "restore_end"}
SELDOM = {"session_close", "session_truncate"}
NAMES = [name for name in CALLS for _ in range(1 if name in RARE else 60 if name in FREQUENT else 3 if name in SELDOM else 12)]
EDGES = [0, 1, 2, 3, 63, 64, 255, 4095, 4096, 65536, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 2**31 - 1, 2**31, 2**32 - 1]
TEXTS = ["C'era una volta", "<|im_end|>", "é🙂\u0000", " ", "\n\n", "a" * 500, "host/models/x.gguf", "tokenizer.chat_template"]


def signed(n: int, bits: int) -> int:
    return n - (n >> (bits - 1) << bits)


class Fuzz:
    def __init__(self, model: bytes, seed: int, build: str, grammars: list[bytes]):
        self.random = random.Random(seed)
        self.model = model
        self.instance = Instance(build)
        self.sessions: list[int] = []
        self.snapshots: list[bytes] = [b""]
        self.grammars = grammars
        self.saving: bytes | None = None
        self.last: list[str] = []
        self.calls = 0
        self.load()

    def load(self) -> None:
        self.instance.call("load_begin", 128, self.random.randrange(4), 0)
        for at in range(0, len(self.model), BUFFER_BYTES):
            self.instance.call("load_push", self.instance.write(self.model[at : at + BUFFER_BYTES]))
        self.instance.call("load_end")
        self.sessions.clear()

    def fill(self) -> int:
        """Writes something to the buffer; its length."""
        kind = self.random.randrange(7)
        data = b""
        if kind == 0:
            data = "".join(self.random.choices(TEXTS, k=self.random.randrange(1, 5))).encode()
        elif kind == 1:
            data = self.random.randbytes(self.random.choice([1, 4, 300, 5000]))
        elif kind == 2:
            ids = [self.random.choice([self.random.randrange(8192), self.random.randrange(2**32)]) for _ in range(9)]
            data = b"".join(n.to_bytes(4, "little") for n in ids)
        elif kind == 3:
            data = bytearray(self.random.choice(self.snapshots)[:BUFFER_BYTES])
        elif kind == 4 and self.grammars:
            data = bytearray(self.random.choice(self.grammars))
        if kind in (3, 4):
            for _ in range(self.random.choice([0, 0, 1, 5]) if data else 0):
                data[self.random.randrange(min(len(data), self.random.choice([64, 1 << 20])))] = self.random.randrange(256)
        return self.instance.write(bytes(data))

    def argument(self, kind: str, name: str, length: int):
        if kind == "double":
            return self.random.choice([0.0, 1.0, -1.0, 0.5, 20.0, 1e9, float("nan"), float("inf"), float("-inf")])
        bits = 64 if kind == "uint64_t" else 32
        roll = self.random.random()
        if name == "session" and self.sessions and roll < 0.93:
            return signed(self.random.choice(self.sessions[-3:]), bits)
        if name in ("length", "count") and roll < 0.7:
            return length if name == "length" else length // 4
        if name == "kv_type" and roll < 0.8:
            return self.random.randrange(4)
        if name == "memory_budget" and roll < 0.8:
            return 0
        return signed(self.random.choice([*EDGES, self.random.randrange(8), self.random.getrandbits(bits)]) % 2**bits, bits)

    def step(self) -> None:
        name = self.random.choice(NAMES)
        length = self.fill()
        arguments = [self.argument(kind, parameter, length) for kind, parameter in CALLS[name]]
        self.last = [*self.last[-30:], f"{name}{tuple(arguments)} with {length} bytes"]
        instance = self.instance
        status = instance._raw(name, *arguments)
        address, size = instance._raw("result"), instance._raw("length")
        assert status in STATUSES, f"status {status}"
        assert 0 <= address <= address + size <= instance._memory.data_len(instance._store), "a result outside of memory"
        result = bytes(instance._memory.read(instance._store, address, address + size))
        if status:
            assert len(result) > 9 and result.decode() and b"\n" not in result, f"no sentence: {result!r}"
        self.learn(name, status, result)
        self.calls += 1

    def learn(self, name: str, status: int, result: bytes) -> None:
        """Keeps what later calls may mean."""
        if name == "save_next" and self.saving is not None and not status:
            self.saving += result
            if not result:
                self.snapshots = [*self.snapshots[-8:], self.saving]
        elif name == "save" and not status:
            self.saving = b""
        else:
            self.saving = None
        if name == "session_open" and not status:
            self.sessions.append(int.from_bytes(result, "little"))
        if name.startswith("load_") and self.random.random() < 0.9:
            self.load()

    def round_trip(self) -> None:
        """A snapshot that was not changed restores."""
        if not self.sessions or not (snapshot := self.snapshots[-1]):
            return
        try:
            self.instance.call("restore", self.sessions[-1])
            for at in range(0, len(snapshot), BUFFER_BYTES):
                self.instance.call("restore_push", self.instance.write(snapshot[at : at + BUFFER_BYTES]))
            self.instance.call("restore_end")
        except Exception as error:
            if "not of this model" not in str(error) and "is not open" not in str(error) and "no model" not in str(error):
                raise


def main() -> None:
    path, seconds, seed, build, *grammars = [*sys.argv[1:], *("1", "relaxed")[max(len(sys.argv) - 3, 0) :]]
    begun, calls, round_ = time.monotonic(), 0, int(seed)
    model = Path(path).read_bytes()
    compiled = [Path(grammar).read_bytes() for grammar in grammars]
    while time.monotonic() - begun < float(seconds):
        fuzz = Fuzz(model, round_, build, compiled)
        try:
            for step in range(3000):
                fuzz.step()
                if step % 500 == 499:
                    fuzz.round_trip()
                if time.monotonic() - begun > float(seconds):
                    break
        except (AssertionError, UnicodeDecodeError, wasmtime.Trap, wasmtime.WasmtimeError, Exception) as error:
            print(f"seed {round_}: {error!r} after\n  " + "\n  ".join(fuzz.last))
            sys.exit(1)
        calls += fuzz.calls
        round_ += 1
    print(f"{calls:,} calls, seeds {seed} to {round_ - 1}: statuses only")


main()
