"""Estimators in one file, without pickle; on a hub; and as ONNX."""

from ._estimators import changed_parameters, load, read_header, read_summary, save
from ._file import HEADER
from ._hub import load_from_hub, push_to_hub
from ._onnx import to_onnx

__all__ = [
    "HEADER",
    "changed_parameters",
    "load",
    "load_from_hub",
    "push_to_hub",
    "read_header",
    "read_summary",
    "save",
    "to_onnx",
]
