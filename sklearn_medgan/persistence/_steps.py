"""Pipelines: their steps of this package as `save` keeps these, the others by skops, which makes no code of a file run.

skops knows types of scikit-learn, NumPy and SciPy that are safe to make; others are made where the caller trusts them
by name. What it is given is bounded by the size of the file, as all else that is read.
"""

from __future__ import annotations

import importlib
import io
import json
import math
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ._file import UntrustedError, check_members
from ._values import ESTIMATORS, KINDS, npy

SCHEMA = "schema.json"  # what skops says of a step
KEPT = ("transform_input", "verbose")  # parameters of a pipeline; `memory` is of this machine


def needed(module: str, purpose: str) -> Any:
    """Return a module of the extra "share"; ImportError says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(f'{purpose} needs {package}. Install it with: pip install "sklearn-medgan[share]"') from error


def dumped(name: str, step: Any) -> bytes:
    """Return a step as skops writes it; TypeError where that cannot be, or could not be read in bounded memory."""
    skops = needed("skops.io", "Saving a pipeline")
    try:
        content = skops.dumps(step)
        _check(content)
        kinds = skops.get_untrusted_types(data=content)
        if lost := [kind for kind in kinds if kind.startswith("sklearn_medgan.") or "<" in kind]:
            raise ValueError(f"load could not make {lost} again")
    except Exception as error:  # whatever a step's own attributes make skops raise
        raise TypeError(
            f"save cannot store step {name!r}, {step!r}: {error}. Use joblib.dump, or save the "
            f"{' or '.join(ESTIMATORS)} in it."
        ) from error
    return content


def loaded(content: bytes, trusted: Sequence[str]) -> Any:
    """Return the step that `dumped` wrote; `UntrustedError` where it has types that are not trusted."""
    skops = needed("skops.io", "Loading a pipeline")
    _check(content)
    unknown = sorted(set(skops.get_untrusted_types(data=content)) - set(trusted))
    if unknown:
        raise UntrustedError(
            f"A step of this pipeline is made of {unknown}, which could do harm. If you trust whoever wrote the file, "
            f"load it with trusted={unknown}."
        )
    step = skops.loads(content, trusted=list(trusted))
    if not hasattr(step, "get_params"):
        raise ValueError(f"a step is {type(step).__name__}, no estimator")
    return step


def _check(content: bytes) -> None:
    """Raise ValueError where parts would take more memory than they have bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_members(archive, len(content), SCHEMA)
        for name in archive.namelist():
            if name.endswith(".npy"):
                npy(archive.read(name), KINDS + "cV")
            elif name != SCHEMA:
                raise ValueError(f"it holds {name}: sparse matrices and the like may be larger than they say")
        if _n_objects(json.loads(archive.read(SCHEMA))) > len(content):  # honest ones take many bytes each
            raise ValueError("it holds objects in each other without end")


def _n_objects(schema: Any) -> float:
    """Return how many objects skops may make of a schema, where one that others refer to counts each time."""
    nodes, by_id, owners, sizes = [schema], defaultdict[Any, list](list), dict[str, Any](), dict[Any, float]()
    for node in nodes:  # which grows
        nodes += _inner(node)
        if isinstance(node, dict) and "__id__" in node:
            by_id[node["__id__"]].append(node)
        file = node.get("file") if isinstance(node, dict) else None
        if isinstance(file, str) and owners.setdefault(file, node["__id__"]) != node["__id__"]:
            raise ValueError("it asks for the same array again and again")

    def size(node: Any) -> float:
        if not isinstance(node, dict) or "__id__" not in node:
            return 1 + sum(map(size, _inner(node)))
        number = node["__id__"]
        if number not in sizes:
            sizes[number] = math.inf  # until it is known: for rings
            sizes[number] = max(1 + sum(map(size, _inner(one))) for one in by_id[number])
        return sizes[number]

    return size(schema)


def _inner(node: Any) -> list:
    return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
