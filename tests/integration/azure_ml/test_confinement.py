"""A client of the stand-in speaks to nobody else; one that was not told of it speaks to the public cloud."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.integration.azure_ml import sdk as calls
from tests.integration.azure_ml.conftest import Lab


def test_the_sdk_settles_on_the_stand_in(lab: Lab) -> None:
    assert lab.sdk(calls.resource_manager) == lab.azure_ml.endpoints["url"]
    assert lab.sdk(calls.strangers) == []


def open_without_metadata(endpoints: dict[str, Any], home: str) -> tuple[str, list[str]]:
    calls.confine()
    for name in ("ARM_CLOUD_METADATA_URL", "AZUREML_CURRENT_CLOUD"):
        os.environ.pop(name, None)
    os.environ |= {"HOME": home, "AZURE_CONFIG_DIR": f"{home}/no-such-folder", "AZUREML_DEFAULT_BACKOFF": "1"}
    try:
        said = calls.opening_error(endpoints)
    except Exception as error:  # noqa: BLE001 - whichever of the SDK's layers gives up first
        said = f"{type(error).__name__}: {error}"
    return said, calls.strangers()


def test_without_the_metadata_variable_the_sdk_does_not_find_the_stand_in(lab: Lab, tmp_path: Path) -> None:
    # Why the app checks its settings before it imports the SDK, and why these tests are confined.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        said, strangers = pool.submit(open_without_metadata, lab.azure_ml.endpoints, str(tmp_path)).result(timeout=600)

    assert said
    assert strangers
    assert all(host.endswith((".azure.com", ".microsoftonline.com", ".windows.net")) for host in strangers)
