"""Models on the Hugging Face hub, or in a folder like one there, with a card that says what they are."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._version import __version__
from ._estimators import load, save
from ._steps import needed
from ._values import ESTIMATORS, PIPELINES, find, key_of

MODEL, CARD = "model.medgan", "README.md"


def push_to_hub(
    estimator: Any,
    repo: str | os.PathLike[str],
    *,
    description: str = "",
    license: str | None = None,
    privacy: Any = None,
    private: bool = True,
) -> str:
    """Put a fitted estimator, as `save` writes it, on the Hugging Face hub, with a model card.

    Parameters
    ----------
    estimator : GANAugmenter, GANEnhancer or Pipeline
        A fitted one.
    repo : str or path-like
        ``"owner/name"`` on the hub, where ``hf auth login`` let you in; a `pathlib.Path` is a folder on this machine,
        and nothing leaves it. Model and card that are there are replaced.
    description : str, default=""
        What the card says of the training data: which images, how many, from where. No names of patients.
    license : str, default=None
        Of the model, as the hub names it ("mit"). None: "cc-by-sa-4.0" where training began from the GAN that ships
        under it, else the card has none.
    privacy : PrivacyReport, default=None
        What `metrics.privacy_report` found, for the card.
    private : bool, default=True
        Whether a repository that is made on the hub is seen by its owner alone.

    Returns
    -------
    address : str
        Of the commit, or the folder.

    Raises
    ------
    TypeError, NotFittedError
        As `save`.
    ValueError
        If `repo` is a string, but not of an owner and a name.
    ImportError
        If huggingface_hub is not installed (``pip install "sklearn-medgan[share]"``) and `repo` is no folder.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from sklearn_medgan import GANAugmenter, load_from_hub, push_to_hub
    >>> X = np.random.RandomState(0).normal(size=(20, 3))
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "gan"
    >>> address = push_to_hub(GANAugmenter(max_iter=2, random_state=0).fit(X), folder, description="Random numbers.")
    >>> sorted(path.name for path in folder.iterdir())
    ['README.md', 'model.medgan']
    >>> load_from_hub(folder).n_features_in_
    3
    """
    verdict = None if privacy is None else privacy.verdict
    told = {"description": description, "license": license, "privacy": verdict}
    if isinstance(repo, str):
        hub = _hub(repo)
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), estimator, repo, **told)
            hub.HfApi().create_repo(repo, private=private, exist_ok=True)
            message = f"A {type(estimator).__name__} of sklearn_medgan {__version__}"
            return str(hub.HfApi().upload_folder(repo_id=repo, folder_path=folder, commit_message=message))
    Path(repo).mkdir(parents=True, exist_ok=True)
    _write(Path(repo), estimator, Path(repo).name, **told)
    return str(repo)


def load_from_hub(repo: str | os.PathLike[str], *, revision: str | None = None, trusted: Sequence[str] = ()) -> Any:
    """Load what `push_to_hub` put on the hub or into a folder.

    Parameters
    ----------
    repo : str or path-like
        ``"owner/name"`` on the hub; a `pathlib.Path` is a folder.
    revision : str, default=None
        Of the hub: a branch, tag or commit. A commit is what nobody can change later.
    trusted : sequence of str, default=()
        As of `load`, which reads the file.

    Returns
    -------
    estimator : GANAugmenter, GANEnhancer or Pipeline
        As `load`, whose errors there are, too; and those of huggingface_hub where there is no such repository.
    """
    path = _hub(repo).hf_hub_download(repo, MODEL, revision=revision) if isinstance(repo, str) else Path(repo) / MODEL
    return load(path, trusted=trusted)


def _hub(repo: str) -> Any:
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo):
        raise ValueError(f"repo must be 'owner/name' on the hub, or a pathlib.Path for a folder; got {repo!r}.")
    return needed("huggingface_hub", "The hub")


def _write(folder: Path, estimator: Any, name: str, **told: Any) -> None:
    """Write model and card into a folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    save(estimator, folder / MODEL)
    parts = list(_parts(estimator))
    ours = [part for part in parts if key_of(type(part)) in ESTIMATORS]
    kinds = [type(part).__name__ for part in parts]
    shared_alike = any(map(_started_from_shipped, ours))
    told["license"] = told["license"] or ("cc-by-sa-4.0" if shared_alike else None)
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True)
    text = templates.get_template("card.md").render(
        told,
        name=name,
        version=__version__,
        what=kinds[0] if parts == [estimator] else f"pipeline of {', '.join(kinds)}",
        ours=[(type(part).__name__, _rows(part), part.n_iter_) for part in ours],
        others=[kind for kind in kinds if kind not in ESTIMATORS],
        shared_alike=shared_alike,
    )
    (folder / CARD).write_text(text, encoding="utf-8")


def _parts(estimator: Any) -> Iterator[Any]:
    """Yield the steps of a pipeline, those of pipelines in it, too; of another estimator itself."""
    if key_of(type(estimator)) not in PIPELINES:
        yield estimator
    for _, part in getattr(estimator, "steps", ()):
        if part not in (None, "passthrough"):
            yield from _parts(part)


def _started_from_shipped(estimator: Any) -> bool:
    """Tell whether training began from the GAN that ships under a licence of its own."""
    if key_of(type(estimator)) != "GANAugmenter" or estimator._form.kind == "table":
        return False
    starts = find("starts", {"starts": ".augmentation._configuration:starts_from_others"})
    return starts(estimator, estimator._config.architecture, estimator._config.shape)


def _rows(estimator: Any) -> str:
    """Return what is known of the rows that an estimator learned from."""
    shape = estimator.image_shape_
    rows = f"images of {'x'.join(map(str, shape))}" if shape else f"a table of {estimator.n_features_in_} columns"
    shares = zip(getattr(estimator, "classes_", ()), getattr(estimator, "_priors", ()), strict=True)
    return "; ".join([rows, *(f"{100 * share:.0f} % {label}" for label, share in shares)])
