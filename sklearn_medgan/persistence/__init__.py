"""Estimators in one file, without pickle."""

from ._estimators import changed_parameters, load, read_header, read_summary, save
from ._file import HEADER

__all__ = ["HEADER", "changed_parameters", "load", "read_header", "read_summary", "save"]
