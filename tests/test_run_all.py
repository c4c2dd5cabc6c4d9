"""The script that measures speed: what it makes of figures, without a network."""

import argparse
import inspect
import json
import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    yield runpy.run_path(str(FOLDER / "run_all.py"))
    sys.modules.pop("measures", None)


def run(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["run_all.py", *map(str, arguments)])
    script["main"]()


def section(script, names=("ours", "theirs"), **more):
    return script["Section"]("arm", [script["Line"](name, "step", {}) for name in names], **more)


def test_lines_take_turns_and_ratios_are_medians_of_rounds(script):
    figures = {"ours": iter([10.0, 40.0, 90.0]), "theirs": iter([20.0, 20.0, 30.0])}
    order = []

    def measure(line):
        order.append(line.name)
        return {"ms": next(figures[line.name]), "s": 1.0}

    ours, theirs = script["compared"](section(script), 3, measure)
    assert order == ["ours", "theirs"] * 3
    assert ours == {"arm": "ours", "ms": 40.0, "s": 1.0, "to the first": 1.0}
    # The median of the ratios, 2, 1/2 and 1/3, which is not the ratio of the medians.
    assert theirs == {"arm": "theirs", "ms": 20.0, "s": 1.0, "to the first": 0.5}


def test_a_section_of_single_measurements_has_one_round(script):
    asked = []
    script["compared"](section(script, once=True), 5, lambda line: asked.append(line) or {"ms": 1.0})
    assert len(asked) == 2


@pytest.mark.parametrize("first", [True, False])
def test_what_is_missing_is_a_word_and_not_compared_with(script, first):
    figures = {"ours": "left out" if first else {"ms": 2.0}, "theirs": {"ms": 3.0} if first else "left out"}
    table = script["compared"](section(script), 2, lambda line: figures[line.name])
    left_out, other = table if first else table[::-1]
    assert left_out[""] == "left out"
    assert other["ms"] in (2.0, 3.0)
    assert ("to the first" in other) is not first


def test_a_distribution_that_is_missing_and_a_measurement_that_fails_are_told(script):
    line = script["Line"]
    assert script["measured"](line("x", "machine", {}, "no-such-distribution")).endswith("not installed")
    assert script["measured"](line("x", "loop", {}, "--reference")) == "left out: --reference not given"
    assert script["measured"](line("x", "start", {"command": ["-c", "raise SystemExit(3)"]})).startswith("failed: ")


def test_sections_measure_what_there_is(script):
    """Every line names a measure and arguments that it takes."""
    import measures

    known = {measure.__name__: inspect.signature(measure) for measure in measures.MEASURES}
    a = argparse.Namespace(reference=None, steps=2)
    lines = [line for one in script["sections"](a).values() for line in one.lines]
    assert {line.measure for line in lines} == set(known) - {"machine"}
    for line in lines:
        known[line.measure].bind(**line.arguments)


def test_measures_are_kept_in_the_file_and_only_named_ones_made_again(script, monkeypatch, tmp_path, capsys):
    made = []

    def compared(one, rounds):
        made.append(one.head)
        return [{one.head: line.name, "s": float(len(made))} for line in one.lines]

    monkeypatch.setitem(script["measure_all"].__globals__, "compared", compared)
    monkeypatch.setitem(script["measure_all"].__globals__, "measured", lambda line: {"processor": "abacus"})
    out = tmp_path / "machine.json"
    run(script, monkeypatch, "--out", out, "--sections", "start")
    run(script, monkeypatch, "--out", out)
    names = list(script["sections"](argparse.Namespace(reference=None, steps=2)))
    found = json.loads(out.read_text())
    assert list(found["sections"]) == names
    assert made.count("process") == 1
    assert found["sections"]["start"]["lines"][0] == {"process": "import sklearn_medgan", "s": 1.0}
    run(script, monkeypatch, "--out", out, "--sections", "start")
    assert made.count("process") == 2
    capsys.readouterr()
    run(script, monkeypatch, "--tables", out, "--picture", tmp_path / "growth.png")
    text = capsys.readouterr().out
    assert "processor abacus" in text
    assert "| 100,000 | " in text
    assert (tmp_path / "growth.png").stat().st_size > 1000
    with pytest.raises(SystemExit, match=r"--sections must be among step_32, .*; got nonsense\."):
        run(script, monkeypatch, "--out", out, "--sections", "nonsense")


@pytest.mark.parametrize(
    ("value", "text"), [(0.00516, "0.00516"), (2, "2"), (99.94, "99.9"), (1234.5, "1,234"), ("x", "x")]
)
def test_figures_have_three_digits_or_those_before_the_point(script, value, text):
    assert script["as_text"](value) == text


def test_a_step_is_the_difference_of_fits(script, monkeypatch):
    """A clock that an augmenter moves on by 2 s a fit, 5 s more the first time, and 3 s a step."""
    import measures

    import sklearn_medgan

    class Fake:
        clock, fits = 0.0, 0

        def __init__(self, **settings):
            assert settings["n_patches"] == 0
            assert settings["representation"] == "pixels"

        def set_params(self, max_iter):
            self.n = max_iter
            return self

        def fit(self, X, y):
            Fake.clock += 2 + 3 * self.n + 5 * (Fake.fits == 0)
            Fake.fits += 1

    monkeypatch.setattr(sklearn_medgan, "GANAugmenter", Fake)
    monkeypatch.setattr(measures.time, "perf_counter", lambda: Fake.clock)
    assert measures.step({}, steps=4) == {
        "ms a step": 3000.0,
        "first fit beyond its steps, s": 7.0,
        "later ones, s": 2.0,
    }


def test_operations_are_timed_with_the_backend_in_use(script):
    import measures

    for name in ("conv", "transpose", "filter_gradient"):
        found = measures.operation(name, 8, 2, 3, n=4)
        # 2 x 4 rows x 4 x 4 pixels x 16 taps x 2 x 3 channels.
        assert found["GFLOP a second"] * found["ms"] == pytest.approx(2 * 4 * 16 * 16 * 6 / 1e6)


def test_typical_leaves_the_first_call_out(script, monkeypatch):
    import measures

    taken, clock = iter([100.0, 1.0, 2.0, 6.0]), [0.0]

    def call():
        clock[0] += next(taken)

    monkeypatch.setattr(measures.time, "perf_counter", lambda: clock[0])
    assert measures.typical(call, 3) == 2.0
