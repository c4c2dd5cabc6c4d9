"""Which classes count as ill: those whose sensitivity and specificity are given."""

from __future__ import annotations

import re

import numpy as np

from ._plan import Plan, Rows

HEALTHY = frozenset(["normal", "healthy", "negative", "benign", "control", "controls", "uninfected", "unaffected"])
NONE_OF = ("no", "without")
OTHER_THAN = ("non", "not")
ILL_OTHERWISE = ("hodgkin", "proliferative", "squamous", "mass")  # after "non": an illness, or a finding
ILL_NEGATIVES = frozenset(["triple", "gram"])
IN_ONE_WORD = re.compile(r"non?(tumou?r|cancer|covid|demented|disease|findings?|lesion|nodule|pneumonia)")


def means_healthy(name: str, healthy=HEALTHY) -> bool:
    """Whether the English name of a class says that nothing is wrong: "no_tumor", "NonDemented", "Normal colon"."""
    words = [word.casefold() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    named_healthy = bool(healthy.intersection(words))
    if len(words) > 1 and words[0] in NONE_OF:
        return not named_healthy
    if words and words[0] in OTHER_THAN:  # one word follows: "non-small cell carcinoma" is no healthy class
        return len(words) == 2 and words[1] not in ILL_OTHERWISE and not named_healthy
    if named_healthy:
        return not ILL_NEGATIVES.intersection(words)
    return bool(IN_ONE_WORD.fullmatch("".join(words)))


def ill_by_names(rows: Rows) -> tuple[int, ...]:
    """Positions of all classes that are not healthy; without a healthy one, the second of two, else the rarest."""
    for healthy in (HEALTHY, HEALTHY - {"benign"}):  # where nothing else is ill, benign findings are
        ill = tuple(k for k, name in enumerate(rows.names) if not means_healthy(name, healthy))
        if 0 < len(ill) < len(rows.names):
            return ill
    return (1,) if len(rows.classes) == 2 else (int(np.bincount(rows.codes).argmin()),)


def ill_given(rows: Rows, diseased) -> tuple[int, ...]:
    """Positions of the classes that the user names, one or several."""
    several = isinstance(diseased, list | tuple | set | frozenset | np.ndarray)
    labels = np.asarray(diseased).ravel().tolist() if isinstance(diseased, np.ndarray) else diseased
    ill = tuple(sorted({rows.code_of(label, "diseased") for label in (labels if several else [labels])}))
    if not 0 < len(ill) < len(rows.classes):
        raise ValueError(
            f"diseased must name one or more of the classes {list(rows.names)}, and leave one that is not ill; got "
            f"{diseased!r}."
        )
    return ill


def ill_classes(plan: Plan, diseased) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Positions of the classes that count as ill, by regime, and notes on them."""
    rows = plan.rows
    general = ill_by_names(rows) if diseased is None else ill_given(rows, diseased)
    ill = {r.name: general if r.rare is None or means_healthy(rows.names[r.rare]) else (r.rare,) for r in plan.regimes}
    regimes_of = {codes: [name for name, other in ill.items() if other == codes] for codes in ill.values()}
    return ill, [_note(rows, codes, names) for codes, names in regimes_of.items()]


def _note(rows: Rows, ill: tuple[int, ...], regimes: list[str]) -> str:
    names, others = ([repr(name) for k, name in enumerate(rows.names) if (k in ill) == is_ill] for is_ill in (1, 0))
    where = f" ({'; '.join(regimes)})."
    if len(ill) == 1:
        return f"Sensitivity and specificity are those of class {names[0]}{where}"
    return (
        f"Sensitivity and specificity are those of {', '.join(names[:-1])} and {names[-1]} together, against "
        f"{' and '.join(others)}: one taken for another of them counts as found{where}"
    )
