"""The verdict in a sentence: what it says of gains, losses, doubt and failure, and with which figures."""

import pytest
from report.made_up import EVIL, compared, made_up, row

from sklearn_medgan.report import headline

GAIN = compared("columns", 0.051, 0.011, 0.091, 0.01, "gain", balanced_accuracy=0.843)
LOSS = compared("rows", -0.04, -0.07, -0.01, 0.01, "loss")
DOUBT = compared("other", 0.08, -0.02, 0.18, 0.3, "no evidence of a gain")


@pytest.mark.parametrize(
    ("rows", "verdict", "counts"),
    [
        ([GAIN], "“columns” helps: of 100 cases, 84 are classified correctly instead of 79.", (1, 1, 0, 0)),
        ([LOSS, DOUBT, GAIN], "“columns” helps: of 100 cases, 84", (3, 1, 1, 1)),
        ([LOSS, DOUBT], "Nothing that was tried is shown to help, and 1 of 2 comparisons are", (2, 0, 1, 1)),
        ([DOUBT], "No evidence that anything that was tried helps.", (1, 0, 0, 1)),
    ],
)
def test_a_verdict_names_the_clear_gain_or_says_that_there_is_none(rows, verdict, counts):
    said, more = headline([row("pixels"), *rows], {})
    assert said.startswith(verdict)
    n, gains, losses, doubts = counts
    assert more[-1].startswith(f"{n} comparison")
    assert more[-1].endswith(f": {gains} shown to gain, {losses} to lose, {doubts} without evidence.")


def test_an_interval_that_holds_zero_is_said_to_be_no_proof():
    _, (first, *_) = headline([row("pixels"), DOUBT], {})
    assert "+8.0 (95 % interval \N{MINUS SIGN}2.0 to +18.0)" in first
    assert "no proof that there is no difference" in first


def test_small_differences_keep_a_decimal():
    small = {**GAIN, "difference": 0.004}
    assert "84.3 are classified correctly instead of 83.9" in headline([small], {"unit": "images"})[0]


def test_sensitivity_is_told_of_the_diseased_beside_the_reference():
    table = [row("pixels", sensitivity=0.62, specificity=0.9), {**GAIN, "sensitivity": 0.81, "specificity": 0.88}]
    said = headline(table, {"diseased": {"all": ["tumour"]}})[1][1].replace("\N{NO-BREAK SPACE}", " ")
    assert said == (
        "Of those with “tumour” it finds 81 % instead of 62 % (sensitivity); of the others it clears 88 % instead of "
        "90 % (specificity)."
    )


def test_nothing_compared():
    assert headline([row("pixels", error="failed")], {}) == ("Nothing was compared.", ["1 of 1 measurements failed."])


def test_a_bound_is_no_gain():
    bound = {**GAIN, "arm": "good images", "difference": 0.3, "verdict": "bound"}
    said, more = headline([row("pixels"), bound, GAIN], {})
    assert said.startswith("“columns” helps")
    assert more[-1].startswith("1 comparison: 1 shown to gain")


def test_names_are_words_not_markup():
    assert headline(made_up().table, made_up().evidence)[0].startswith(f"“{EVIL}” helps")
