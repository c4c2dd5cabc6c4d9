"""That the script goes on finding what it is for; thousands of inputs are for a run by hand."""

import time

import fuzz
import pytest


def raising(error):
    def target(drawn):
        raise error

    return target


@pytest.mark.parametrize("name", ["readers", "load", "validation", pytest.param("commands", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_a_few_inputs_end_as_they_should(name, tmp_path):
    watch = fuzz.Watch()
    fuzz.drawn_by_hypothesis(fuzz.TARGETS[name](tmp_path), watch, 25, 0)
    assert not watch.wrong
    assert sum(watch.ends.values()) == 25


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(1), RecursionError(), fuzz.Wrong("x")], ids=repr)
def test_an_error_of_another_kind_is_noted_once(error):
    watch = fuzz.Watch()
    for _ in range(2):
        watch(raising(error), 0)
    assert [place.split(" at ")[0] for place in watch.wrong] == [type(error).__name__]


def test_a_call_that_hangs_is_noted(monkeypatch):
    watch = fuzz.Watch()
    monkeypatch.setattr(fuzz.signal, "alarm", lambda s: fuzz.signal.setitimer(fuzz.signal.ITIMER_REAL, s and 0.05))
    watch(lambda _: time.sleep(5), 0)
    assert [place.split(" at ")[0] for place in watch.wrong] == ["Hang"]


def test_an_error_that_does_not_name_the_file_is_no_end(tmp_path):
    with pytest.raises(fuzz.Wrong, match="does not name grey"):
        fuzz.told(raising(ValueError("bad")), tmp_path, about="grey")
    assert fuzz.told(raising(ValueError("grey.png is bad")), tmp_path, about="grey") == "ValueError"
