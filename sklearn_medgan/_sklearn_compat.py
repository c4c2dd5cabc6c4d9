"""Every name that scikit-learn keeps private and this package uses, imported once.

scikit-learn may move or change them in any release: this is the one file to look at then. All are there in 1.6.1 and in
the newest. The public interface has no counterpart for them.
"""

# ruff: noqa: F401 - others import them from here

from __future__ import annotations

from numpy.random import RandomState
from sklearn.base import BaseEstimator, _fit_context  # validates parameters ahead of `fit`
from sklearn.utils import _safe_indexing  # rows of any container
from sklearn.utils._param_validation import (  # one wording of errors
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils._user_interface import _print_elapsed_time  # `verbose` of a pipeline
from sklearn.utils.metadata_routing import _routing_enabled
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_method_params,  # metadata of some rows
    _check_sample_weight,
    _check_y,  # labels alone: the public check_X_y wants rows, too
    _estimator_has,  # what a part can do, its owner can
    _num_samples,
)

from ._version import docs_url


class _LinkToDocs:
    """What scikit-learn's HTML representation of an estimator links to: the page of its class."""

    _doc_link_module = "sklearn_medgan"

    @property
    def _doc_link_template(self) -> str:
        docs = docs_url()
        return f"{docs}/generated/sklearn_medgan.{{estimator_name}}.html" if docs else ""


def _set_random_states(estimator: BaseEstimator, random_state: RandomState | int | None) -> None:
    """Set every ``random_state`` of an estimator, nested ones too, from one."""
    from sklearn.ensemble import _base  # a tenth of the time that importing scikit-learn takes

    _base._set_random_states(estimator, random_state)
