"""Estimators in one file, without pickle, and as ONNX."""

from ._estimators import changed_parameters, load, read_header, read_summary, save
from ._file import HEADER
from ._onnx import to_onnx

__all__ = [
    "HEADER",
    "changed_parameters",
    "load",
    "read_header",
    "read_summary",
    "save",
    "to_onnx",
]
