"""Zagreus and Nesso language models: zagreus.wasm in Wasmtime."""

from .model import Completion, Model, Session
from .module import ZagreusError

__all__ = ["Completion", "Model", "Session", "ZagreusError"]
