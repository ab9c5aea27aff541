"""How long the app takes to import, against azure-functions and azure-functions-durable alone."""

import subprocess
import sys
from pathlib import Path

from benchmarks.report import Row

ROOT = Path(__file__).resolve().parent.parent
REPETITIONS = 9
_TIMED = """
import sys, time
sys.path.append({root!r})
began = time.perf_counter()
{imports}
print(time.perf_counter() - began)
assert "azureml" not in sys.modules
assert {check}
"""
SDKS = "import azure.functions, azure.durable_functions"
APP = "import function_app"
# What must be true afterwards, so that neither side has measured an import of something else.
_CHECKS = {
    SDKS: "'function_app' not in sys.modules and 'azure.durable_functions' in sys.modules",
    APP: "len(function_app.app.get_functions()) > 40 and function_app.__file__.startswith({root!r})",
}


def run() -> list[Row]:
    """Fresh interpreters, taken in turns; the best of each, which other work on the machine disturbs least."""
    seconds: dict[str, list[float]] = {SDKS: [], APP: []}
    for _ in range(REPETITIONS):
        for imports, taken in seconds.items():
            taken.append(_measure(imports))
    baseline, ours = min(seconds[SDKS]), min(seconds[APP])
    return [
        Row(
            what="import of the app against the two SDKs alone",
            ours=f"{ours * 1000:.0f} ms",
            baseline=f"{baseline * 1000:.0f} ms",
            ratio=ours / baseline,
            goal=1.3,
            remark="azureml is not imported at start",
        )
    ]


def _measure(imports: str) -> float:
    code = _TIMED.format(root=str(ROOT), imports=imports, check=_CHECKS[imports].format(root=str(ROOT)))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd="/")
    return float(done.stdout)
