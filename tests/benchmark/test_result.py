"""What a benchmark found, as text, JSON, Markdown and a page."""

import json
import sys

import numpy as np
import pytest
from protocol import CLUES, GROUPS, FailsOn, X, Y, run
from sklearn.svm import SVC

from sklearn_medgan.benchmark import ARMS, Arm, Columns


def test_json_markdown_text_and_page(tmp_path):
    result = run({"clues <b>|</b>": CLUES, "fragile": FailsOn(0)}, {"svc": SVC()})
    loaded = json.loads(result.to_json(tmp_path / "table.json"))
    assert json.loads((tmp_path / "table.json").read_text()) == loaded
    assert loaded["table"][0]["brier"] is None
    assert loaded["table"][1]["sentence"] == result.verdict_["all", "clues <b>|</b>", "svc"]
    assert loaded["settings"]["n_splits"] == 3
    markdown = result.to_markdown().splitlines()
    assert len(markdown) == 2 + 3
    assert len({line.count("|") for line in markdown}) == 1
    assert len(result.to_text().splitlines()) == 1 + 3
    page = result.to_html(tmp_path / "table.html")
    assert (tmp_path / "table.html").read_text() == page
    assert "clues &lt;b&gt;|&lt;/b&gt;" in page
    assert "<b>" not in page


def test_summary_says_what_may_be_claimed():
    clear = np.column_stack([X[:, :2], 10 * Y + X[:, 2], X[:, 3]])
    blind = Arm("columns", lambda f, s, c: Columns(f.X[:, :1], f.y, f.X_test[:, :1]))
    summary = run({"blind": blind, "clues": CLUES}, data=(clear, Y, GROUPS), reference="blind").summary()
    assert summary.startswith("1 comparison with a reference: gains 1, losses 0, no evidence 0.")
    assert "clues + nb, all: gain; +" in summary
    assert "points against blind (95 % interval +" in summary
    nothing = run({"again": ARMS["pixels"]}).summary()
    assert nothing.splitlines()[1] == "No evidence of a gain."


def test_a_bound_is_no_gain_of_the_summary():
    clear = np.column_stack([X[:, :2], 10 * Y + X[:, 2], X[:, 3]])
    blind = Arm("columns", lambda f, s, c: Columns(f.X[:, :1], f.y, f.X_test[:, :1]))
    bound = Arm("columns", CLUES.prepare, competes=False)
    arms = {"blind": blind, "clues": CLUES, "bound": bound}
    result = run(arms, data=(clear, Y, GROUPS), reference="blind")
    assert [row["verdict"] for row in result.table] == ["reference", "gain", "bound"]
    first, *gains = [line for line in result.summary().splitlines() if "gain" in line]
    assert first == "1 comparison with a reference: gains 1, losses 0, no evidence 0."
    assert len(gains) == 1
    assert "correction for 2 comparisons" in gains[0]


def test_frame_needs_pandas(monkeypatch):
    result = run()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_frame()
