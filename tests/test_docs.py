"""Code in README.md and docs/ runs, and what they link to is there."""

import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

from sklearn_medgan import GANAugmenter, GANEnhancer

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/index.md",
    "docs/user_guide.md",
    "docs/restoration.md",
    "docs/datasets.md",
    "docs/degradations.md",
    "docs/metrics.md",
    "docs/benchmark_protocol.md",
    "docs/practice.md",
    "docs/benchmarks.md",
    "docs/backends.md",
    "docs/scaling.md",
    "docs/sharing.md",
    "docs/inference.md",
    "docs/research_log.md",
]

matplotlib.use("Agg")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def small(monkeypatch):
    """Defaults that train in moments: the pages show default parameters."""
    for name, value in {"max_iter": 2, "width": 4, "batch_size": 8}.items():
        for estimator in (GANAugmenter, GANEnhancer):
            monkeypatch.setitem(estimator.__init__.__kwdefaults__, name, value)
    for name, value in {"backbone": None, "n_patches": 8}.items():
        monkeypatch.setitem(GANAugmenter.__init__.__kwdefaults__, name, value)
    monkeypatch.setitem(GANEnhancer.__init__.__kwdefaults__, "guard", False)  # which warns of too short a training
    yield
    plt.close("all")


def run(page, source, namespace):
    exec(compile(source, f"{page}: {source.splitlines()[0]}", "exec"), namespace)


@pytest.mark.slow
def test_readme_example_runs_in_ten_lines(small, monkeypatch, capsys):
    monkeypatch.setitem(GANAugmenter.__init__.__kwdefaults__, "backbone", "auto")
    (source,) = blocks("README.md", "python")
    assert len([line for line in source.splitlines() if line.strip()]) <= 11
    names = {}
    run("README.md", source, names)
    accuracy = float(re.fullmatch(r"accuracy (\S+)\n", capsys.readouterr().out).group(1))
    assert 0 <= accuracy <= 1
    assert names["X_new"].shape == (16, 128, 128)
    assert not set(names["patches"].groups[names["train"]]) & set(names["patches"].groups[names["test"]])


@pytest.mark.slow
def test_five_lines_of_the_first_page_run(small):
    (source,) = blocks("docs/index.md", "python")
    names = {}
    run("docs/index.md", source, names)
    assert set(names["pipe"].predict(names["X"][:40])) <= {0, 1, 2, 3}


@pytest.mark.slow
def test_code_of_the_user_guide_runs_in_order(small):
    names = {}
    for source in blocks("docs/user_guide.md", "python"):
        run("docs/user_guide.md", source, names)
    # Rows are added where the guide says so, and nowhere else.
    n_fitted = {name: names[name]["clf"].shape_fit_[0] for name in ("columns_only", "with_rows")}
    assert n_fitted["columns_only"] == len(names["X"])
    assert n_fitted["with_rows"] == len(names["y_res"]) > 90


@pytest.mark.slow
def test_code_of_the_sharing_page_runs_in_order(small, capsys):
    for needed in ("skops", "safetensors", "onnx", "onnxruntime"):
        pytest.importorskip(needed)
    names = {}
    for source in blocks("docs/sharing.md", "python"):
        run("docs/sharing.md", source, names)
    assert "library_name: sklearn-medgan" in capsys.readouterr().out


def test_code_of_the_restoration_page_runs_in_order(small):
    names = {}
    for source in blocks("docs/restoration.md", "python"):
        run("docs/restoration.md", source, names)
    found = [names[name].guard_report_["supervision"] for name in ("of_good", "paired", "unpaired", "alone")]
    assert found == ["degradation", "paired", "unpaired", "self"]
    of_sites = [names[name][0].guard_report_["supervision"] for name in ("restoring", "restyling")]
    assert of_sites == ["unpaired", "unpaired"]


@pytest.mark.slow
def test_the_network_of_the_restoration_page_is_used(monkeypatch):
    """As the page has it, with 200 updates of 4,000: warnings, as of a network that is not used, are errors."""
    for name, value in {"max_iter": 200, "random_state": 0}.items():
        monkeypatch.setitem(GANEnhancer.__init__.__kwdefaults__, name, value)
    names = {}
    for source in blocks("docs/restoration.md", "python")[:3]:  # of good images, and of pairs
        run("docs/restoration.md", source, names)
    assert [names[name].guard_report_["chosen"] for name in ("of_good", "paired")] == ["network"] * 2


def test_code_of_the_degradations_page_runs():
    (source,) = blocks("docs/degradations.md", "python")
    names = {}
    run("docs/degradations.md", source, names)
    assert names["large"].shape == names["poor"].shape == (4, 32, 32, 1)
    assert names["reach"] is None  # jpeg works on the whole image


def test_code_of_the_metrics_page_runs_in_order(capsys):
    names = {}
    for source in blocks("docs/metrics.md", "python"):
        run("docs/metrics.md", source, names)
    # One line a kind of rows, as the page says which is better.
    new, collapsed, copied = ([float(x) for x in line.split()[1:]] for line in capsys.readouterr().out.splitlines()[:3])
    frechet, kernel, _, recall, _, coverage, ratio, _, auc = range(9)
    assert max(new[frechet], copied[frechet]) < collapsed[frechet]
    assert max(new[kernel], copied[kernel]) < collapsed[kernel]
    assert collapsed[recall] < min(new[recall], copied[recall])
    assert collapsed[coverage] < min(new[coverage], copied[coverage])
    assert copied[ratio] == 0 < 0.8 < new[ratio]
    assert new[auc] < 0.65 < copied[auc] == 1


@pytest.mark.slow
def test_traps_pretend_what_the_page_says(capsys):
    (source,), (shown,) = blocks("docs/practice.md", "python"), blocks("docs/practice.md", "text")
    run("docs/practice.md", source, {})
    figures = [[float(x) for x in re.findall(r"\d\.\d\d", text)] for text in (capsys.readouterr().out, shown)]
    for trapped, honest in (found[k : k + 2] for found in figures for k in (0, 2, 4)):
        assert abs(honest - 0.5) < 0.1 < trapped - 0.6  # labels are drawn at random: 0.5 is the truth
    assert len(figures[0]) == len(figures[1]) == 6


@pytest.mark.slow
def test_code_of_the_benchmark_protocol_runs_in_order(capsys):
    names = {}
    for source in blocks("docs/benchmark_protocol.md", "python"):
        run("docs/benchmark_protocol.md", source, names)
    assert not names["result"].failures + names["more"].failures
    assert re.search("comparisons? with a reference", capsys.readouterr().out)


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_are_there(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    for target in (target for target in targets if not target.startswith("https://")):
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
            slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, target


def test_the_two_commands_are_one_line_each():
    commands = [line for source in blocks("README.md", "bash") for line in source.splitlines()]
    assert len(commands) == 2
    assert all(re.match(r"python3 -m venv \.venv && \.venv/bin/pip install ", command) for command in commands)
    assert commands[0].endswith("medgan demo")
    assert commands[1].endswith("pytest -n 2 --dist loadfile")


def test_the_guide_begins_with_where_rows_are_added():
    headings = re.findall(r"^## (.*)$", (ROOT / "docs/user_guide.md").read_text(encoding="utf-8"), re.M)
    assert headings[0] == "Where rows are added, and where not"
