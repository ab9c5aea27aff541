"""Read the receipt that the job on the VM leaves beside a run's outputs: what left the site, signed by the site."""

import json
import logging
from typing import Any, Final

from shared.clients.azure_ml.outputs import RunOutputs
from shared.errors import Code, PermanentError
from shared.messages import ReceiptSummary, SignatureState
from shared.settings import Compute
from shared.signing.dsse import EnvelopeError, opened
from shared.signing.keys import public_key
from shared.values.texts import shortened

RECEIPT_FILE: Final = "outputs/receipt.json"  # written by site_agent/job/guard
ENVELOPE_FILE: Final = "outputs/receipt.dsse.json"
PAYLOAD_TYPE: Final = "application/vnd.edgetrain.receipt+json"
MOST_BYTES: Final = 1 << 20
_MOST_ENTRIES: Final = 100_000
_MOST_CHECKS: Final = 10
_LONGEST: Final = 80

log = logging.getLogger(__name__)


def read_receipt(outputs: RunOutputs, run_id: str, name: str, compute: Compute) -> ReceiptSummary | None:
    """What a run's receipt says; None when it left none.

    With a key in the settings of the compute ``name``, only a receipt that is signed with it counts: any other raises
    :class:`PermanentError` (receipt_refused).
    """
    if compute.receipt_key:
        return _signed(outputs.small_file(ENVELOPE_FILE, most=2 * MOST_BYTES), run_id, name, compute.receipt_key)
    content = outputs.small_file(RECEIPT_FILE, most=MOST_BYTES)
    if content is None:
        return None
    try:
        return summary_in(content, run_id, SignatureState.NOT_CHECKED)
    except ValueError:
        log.warning("run %s: %s cannot be read, so it is not known what left the site", run_id, RECEIPT_FILE)
        return None


def summary_in(content: bytes, run_id: str, signature: SignatureState) -> ReceiptSummary:
    """The summary of a receipt's bytes; raises ``ValueError`` for anything that is no receipt of this run."""
    try:
        said: Any = json.loads(content)
        if said["run_id"] != run_id:
            raise ValueError("the receipt of another run")
        released, held_back = said["released"], said["held_back"]
        failed = [str(each["name"]) for each in said["checks"] if each["result"] == "failed"]
        return ReceiptSummary(
            released_bytes=_count(said["released_bytes"]),
            released=_length(released),
            held_back=_length(held_back),
            network_bytes=sum(_count(each["received"]) + _count(each["sent"]) for each in said["network"]),
            job_version=shortened(str(said["job_version"]), _LONGEST),
            policy=shortened(str(said["policy_sha256"]), _LONGEST),
            failed_checks=tuple(shortened(name, _LONGEST) for name in failed[:_MOST_CHECKS]),
            signature=signature,
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no receipt: {type(error).__name__}") from None


def _signed(envelope: bytes | None, run_id: str, name: str, key: str) -> ReceiptSummary:
    setting = f"EDGETRAIN_COMPUTES__{name.replace('-', '_').upper()}__RECEIPT_KEY"
    try:
        owner = public_key(key)
    except ValueError:
        reason = f"{setting} in the app settings is no public key (PEM, curve P-256); `edgetrain prepare-vm` shows it"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
    if envelope is None:
        raise _refused(run_id, "left no signed receipt", setting)
    try:
        return summary_in(opened(envelope, owner, payload_type=PAYLOAD_TYPE), run_id, SignatureState.VALID)
    except (EnvelopeError, ValueError) as error:
        raise _refused(run_id, f"left a receipt that does not count: it {error}", setting) from None


def _refused(run_id: str, what: str, setting: str) -> PermanentError:
    reason = (
        f"run {run_id} {what}; nothing of it is used; check {setting} against the key on the VM, and who changed it"
    )
    return PermanentError(reason, code=Code.RECEIPT_REFUSED)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError("not a count")
    return value


def _length(value: Any) -> int:
    if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
        raise ValueError("not a list")
    return len(value)
