"""Write ``site_agent/job/guard/trusted_types.txt`` from the libraries that are installed: exact names, one a line.

    python -m tests.support.trusted_types

What is listed already stays: models of older versions of the libraries have types of older names.
"""

from pathlib import Path
from typing import Final

import site_agent.job.guard
from site_agent.job.guard.skops_files import trusted_types

FILE: Final = Path(site_agent.job.guard.__file__).with_name("trusted_types.txt")
HEADER: Final = """\
# Types and functions that a model may hold, by exact name; `python -m tests.support.trusted_types` adds to it.
# Sources: the lists of skops.io that are trusted by default, and OURS in that program.
"""
_OURS: Final = """
    builtins.NoneType builtins.type builtins.bytes builtins.bytearray builtins.slice builtins.dict
    collections.OrderedDict collections.defaultdict
    numpy.ndarray numpy.dtype numpy.ma.MaskedArray numpy.ma.core.MaskedArray numpy.random.mtrand.RandomState
    numpy.random._generator.Generator
    scipy.sparse._csr.csr_matrix scipy.sparse._csc.csc_matrix scipy.sparse._coo.coo_matrix
    scipy.sparse._csr.csr_array scipy.sparse._csc.csc_array scipy.sparse._coo.coo_array
    sklearn.neural_network._stochastic_optimizers.AdamOptimizer
    sklearn.neural_network._stochastic_optimizers.SGDOptimizer
    sklearn.tree._tree.Tree sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor
"""
OURS: Final = frozenset(_OURS.split())
"""skops lists the trees of scikit-learn no longer, as a crafted one crashes the process that uses it. The process here
is a container without network that serves one pipeline; whoever crafts the model writes its ``score.py`` as well."""


def listed() -> frozenset[str]:
    """The names in the file."""
    return trusted_types()


def default_trusted() -> frozenset[str]:
    """What the installed skops trusts without being told."""
    from skops.io import _sklearn, _trusted_types

    names: set[str] = set()
    lists = (
        "PRIMITIVE_TYPE_NAMES CONTAINER_TYPE_NAMES SKLEARN_ESTIMATOR_TYPE_NAMES SKLEARN_INTERNAL_TYPE_NAMES "
        "SCIPY_UFUNC_TYPE_NAMES NUMPY_UFUNC_TYPE_NAMES NUMPY_RANDOM_BIT_GENERATOR_TYPE_NAMES NUMPY_DTYPE_TYPE_NAMES"
    )
    for name in lists.split():
        names |= set(getattr(_trusted_types, name, ()))
    names |= {f"{each.__module__}.{each.__name__}" for each in _sklearn.ALLOWED_LOSSES}
    return frozenset(names)


def main() -> None:
    names = default_trusted() | OURS | (listed() if FILE.exists() else frozenset())
    FILE.write_text(HEADER + "\n".join(sorted(names)) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
