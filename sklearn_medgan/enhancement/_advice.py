"""What the user is told of how an enhancer was judged: on what evidence, why not the network, and what to do."""

from __future__ import annotations

from typing import Any

from .._base import warn_caller
from . import _guard

EVIDENCE = {  # what methods were compared on, also in the words of the command line
    "degradation": "good ones held out, made poor by the degradation",
    "paired": "pairs held out",
    "unpaired": "good ones of the reference held out, made poor by the shift learned from both sets; then on poor "
    "ones, by their distance to good ones and their edges",
    "self": "noisy ones held out, by pixels that a method did not see",
}
FAR = 2.0  # times the distance that chance explains
ENOUGH = 20  # images a side by which both shifts of examples/benchmarks/site_shift.py are found; 10 do not do for CT
DIFFERS = (
    "The two sets differ by more than can be undone as tone, shading, blur and noise of a scanner: perhaps by anatomy, "
    "or by their mix of cases, which is then taken for the scanner in part. Pass a reference that is alike in both. If "
    "there are labels of both, y and reference_y even out the mix."
)


def evidence(supervision: str, report: dict[str, Any], guard: bool = True) -> str:
    """Return what methods are compared on."""
    if not guard:
        return f"nothing was compared (guard=False); else {EVIDENCE[supervision]}"
    diagnosed = report["balanced_accuracy"] or report.get("on_poor", {}).get("balanced_accuracy")
    return EVIDENCE[supervision] + ("; and by a classifier of the labels" if diagnosed else "")


def warn_of(report: dict[str, Any]) -> None:
    """Warn the caller where the network was not chosen, and where what was leaves poor images far from good ones."""
    if report["chosen"] != "network":
        warn_caller(harm(report))
    if warning := doubt(report):
        warn_caller(warning, UserWarning)


def doubt(report: dict[str, Any]) -> str | None:
    """Return a warning where the chosen method leaves poor images far from the reference; else None."""
    found, chosen = report.get("on_poor"), report["chosen"]
    if not found or chosen == "nothing" or found["distance"][chosen] <= FAR * found["chance"][chosen]:
        return None
    return (
        "What GANEnhancer restores still lies far from the reference (kernel distance "
        f"{found['distance'][chosen]:.2f}, of which chance explains {found['chance'][chosen]:.2f}). {DIFFERS}"
    )


def harm(report: dict[str, Any]) -> str:
    """Return the warning that goes with a report by which the network was not chosen."""
    chosen, psnr = report["chosen"], report["psnr"]
    if not psnr:
        return (
            f"GANEnhancer found no noise in these images, or hardly any (standard deviation {report['noise']:.3g}), so "
            "transform changes nothing. If they are good images, learn from them as such."
        )
    if found := report.get("on_poor"):
        if found["apart"]["distance"] <= found["apart"]["chance"]:
            return _not_apart(found)
        if against := found["against"]["network"]:
            far = DIFFERS if found["distance"]["network"] > FAR * found["chance"]["network"] else "Train longer."
            return (
                f"GANEnhancer does not use the network: {'; '.join(against)}. transform does {chosen!r} instead. {far}"
            )
    names = dict.fromkeys(("network", "nothing", chosen))
    figures = ", ".join(f"{_named(name)} reached {psnr[name]:.2f} dB" for name in names)
    worse = _diagnosed_worse(report)
    harmful = worse or psnr["network"] < psnr["nothing"]
    return (
        f"GANEnhancer {'would do harm' if harmful else f'is no better than {chosen!r}'}: on {report['n_held_out']} "
        f"held-out training rows {'; '.join([figures, *worse])}. transform does {chosen!r} instead. Train longer, or "
        "with more images" + ("; or name the degradation." if report.get("supervision") == "degradation" else ".")
    )


def _named(name: str) -> str:
    return {"network": "the network", "nothing": "doing nothing"}.get(name, repr(name))


def _diagnosed_worse(report: dict[str, Any]) -> list[str]:
    """Which images a classifier diagnoses worse after the network."""
    found = {"images": report["balanced_accuracy"], "good images": report["balanced_accuracy_clean"]}
    return [
        f"a classifier diagnoses {what} worse after the network (balanced accuracy {accuracies['network']:.2f}, before "
        f"{accuracies['nothing']:.2f})"
        for what, accuracies in found.items()
        if accuracies and accuracies["network"] < _guard.lowest_alike(accuracies["nothing"], report["n_held_out"])
    ]


def _not_apart(found: dict[str, Any]) -> str:
    apart, n = found["apart"], found["n_compared"]
    more = f"pass more images, {ENOUGH} a side or more, or " if min(n.values()) < 4 * ENOUGH // 5 else ""
    return (
        f"GANEnhancer cannot tell X from the reference by {n['poor']} and {n['good']} images (kernel distance "
        f"{apart['distance']:.3f}, of which chance explains {apart['chance']:.3f}), so transform changes nothing. If "
        f"the two do differ, {more}set guard=False."
    )
