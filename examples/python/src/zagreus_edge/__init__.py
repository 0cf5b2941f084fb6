"""Zagreus and Nesso language models: zagreus.wasm in Wasmtime."""

from .model import Completion, Model, Session
from .module import ZagreusError
from .receipts import verify

__all__ = ["Completion", "Model", "Session", "ZagreusError", "verify"]
