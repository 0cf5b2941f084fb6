"""The module itself: its one rule of ownership, and its errors. The contract is zagreus_abi.h."""

from __future__ import annotations

import functools
from importlib import resources

import wasmtime

ABI = 2
BUFFER_BYTES = 1048576
BUILDS = {"relaxed": "zagreus-relaxed.wasm", "simd": "zagreus.wasm"}


class ZagreusError(Exception):
    """What a call refused, in a sentence; `status` is ZAGREUS_STATUS_*."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@functools.cache
def _compiled(build: str) -> tuple[wasmtime.Engine, wasmtime.Module]:
    if build not in BUILDS:
        raise ValueError(f'build is "{build}", must be one of {", ".join(BUILDS)}')
    engine = wasmtime.Engine()
    return engine, wasmtime.Module(engine, resources.files(__package__).joinpath(BUILDS[build]).read_bytes())


class Instance:
    """An instance: one model, one thread at a time. Its code is compiled once a process."""

    def __init__(self, build: str):
        engine, module = _compiled(build)
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasmtime.WasiConfig())  # no files, no arguments: bytes are pushed
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self._exports = linker.instantiate(self._store, module).exports(self._store)
        self._memory = self._exports["memory"]
        if self._raw("abi") != ABI:
            raise RuntimeError(f"the module's ABI is {self._raw('abi')}, must be {ABI}")
        self._buffer = self._raw("buffer")
        self.call("initialize")

    def _raw(self, name: str, *args):
        return self._exports[f"zagreus_{name}"](self._store, *args)

    def write(self, data: bytes) -> int:
        """Puts bytes into the buffer; their number."""
        if len(data) > BUFFER_BYTES:
            raise ValueError(f"{len(data)} bytes, the buffer has {BUFFER_BYTES}")
        self._memory.write(self._store, data, self._buffer)
        return len(data)

    def call(self, name: str, *args) -> bytes:
        """What a call gives. Raises ZagreusError."""
        status = self._raw(name, *args)
        address = self._raw("result")
        result = bytes(self._memory.read(self._store, address, address + self._raw("length")))
        if status:
            raise ZagreusError(status, result.decode())
        return result
