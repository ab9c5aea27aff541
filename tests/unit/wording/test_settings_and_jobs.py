"""What settings and messages are refused with."""

from functools import partial

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat

from shared.clients.ssh_keys import KeyTextError, host_key_line, private_key
from shared.errors import PermanentError
from shared.settings import Settings
from shared.wire_contracts.blob_events import arrival_from
from tests.support.arrivals import a_blob_created
from tests.support.golden import compare
from tests.support.workflow import START
from tests.unit.clients import test_ssh_keys as keys


def refusal(call: object, *arguments: object) -> str:
    with pytest.raises((PermanentError, KeyTextError)) as refused:
        call(*arguments)  # type: ignore[operator]
    return str(refused.value)


def test_settings() -> None:
    texts = {
        "an empty key": "",
        "no key": "no key at all",
        "a passphrase": keys.encrypted(keys.ED25519, PrivateFormat.OpenSSH),
        "a public key": keys.public(keys.RSA),
        "a key of PuTTY": "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none",
        "a Key Vault reference": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/key)",
        "an address in Key Vault": "https://v.vault.azure.net/secrets/key",
        "a key without its end": "\n".join(keys.LINES[:-1]),
        "a damaged key": keys.DAMAGED,
        "a DSA key": keys.DSA,
    }
    sentences = {f"PRIVATE_KEY: {case}": refusal(private_key, text) for case, text in texts.items()}
    sentences["HOST_KEY: nonsense"] = refusal(host_key_line, "nonsense")
    settings = Settings.model_construct(sites={}, computes={}, targets={})
    sentences |= {
        "a site that is not set": refusal(settings.site, "factory"),
        "a compute that is not set": refusal(settings.compute, "hub-vm"),
        "a target that is not set": refusal(settings.target, "hub-vm"),
    }

    compare(
        "settings",
        "What is wrong with a setting; of a key, each completes 'its PRIVATE_KEY in the app settings ...'.",
        sentences,
    )


def test_blob_events() -> None:
    events = {
        "another type": a_blob_created(type="Microsoft.Storage.BlobDeleted"),
        "no data": a_blob_created(data=[]),
        "no subject": a_blob_created(subject=None),
        "another subject": a_blob_created(subject="/queues/x"),
        "no time": a_blob_created(time=None),
        "a time that cannot be read": a_blob_created(time="yesterday"),
    }

    sentences = {case: refusal(partial(arrival_from, received_at=START), event) for case, event in events.items()}

    compare("blob_events", "Why an event is rejected.", sentences)
