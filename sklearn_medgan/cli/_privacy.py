"""What `medgan augment` says of the privacy of what it drew."""

from __future__ import annotations

from argparse import Namespace

import numpy as np

from ..augmentation._canvas import reduced
from ..metrics._privacy_report import report_on_samples
from ..metrics._rows import evenly
from ._inputs import how_to_read, read_images
from ._labelled import Real, is_training

FEW = 20  # originals of a class: of fewer, most of what is drawn resembles one of them
MOST_MEASURED = 2_000  # images of each kind, by which privacy is measured


def few_of(real: Real) -> dict[str, int]:
    """Return the classes that have few originals, with their number."""
    return {real.name_of(code): n for code, n in real.counts().items() if n < FEW}


def told_of_privacy(real: Real, drawn: np.ndarray, n_wanted: int, options: Namespace) -> list[str]:
    """Return what synthetic images give away of the originals, in words."""
    lines, few = [], few_of(real)
    if options.min_distance > 0:
        left_out = n_wanted - len(drawn)
        lines.append(
            f"Near-copies: {left_out} left out, none among the {len(drawn)} written (nearer to an original than "
            f"{options.min_distance:g} of the usual distance between originals)."
        )
    if few:
        named = ", ".join(f"{n} of {name}" for name, n in few.items())
        lines.append(
            f"Few originals: {named}. What is drawn of fewer than {FEW} resembles them: treat it as these patients' "
            "images."
        )
    held_out = held_out_images(real, options)
    if held_out is None or min(len(drawn), len(held_out)) < 4 or len(real.X) < 8:
        return [*lines, "Privacy beyond near-copies was not measured: that takes a split of images not learned from."]
    some, train, test = (images[evenly(len(images), MOST_MEASURED)] for images in (drawn, real.X, held_out))
    report = report_on_samples(some, train, test, reduced, False, np.random.RandomState(0))
    return [*lines, f"Privacy, against {len(held_out)} images not learned from: {report.verdict}"]


def held_out_images(real: Real, options: Namespace) -> np.ndarray | None:
    """Return the images of the splits that are not learned from, None without any of the same form."""
    names = [name for name in real.splits if not is_training(name)]
    how = how_to_read(options)
    parts = [read_images(real.source, size=options.image_size, subset=name, **how).data for name in names]
    parts = [part for part in parts if part.shape[1:] == real.X.shape[1:]]
    return np.concatenate(parts) if parts else None
