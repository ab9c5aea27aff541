"""What an app that logs in with its identity needs of the stack: tokens, and a storage account that takes them."""

from local_stack.azure_ml.tls import ensure_certificates
from local_stack.storage import azurite
from local_stack.supervisor.blueprint import HOST, Blueprint
from local_stack.supervisor.probes import every, exists, listens
from local_stack.supervisor.service import Service
from local_stack.supervisor.starting import environment, forget_endpoints, module

KINDS = ("blob", "queue", "table")
STORAGE = "cloud_storage_by_token"


def token_endpoint(plan: Blueprint) -> Service:
    """Where the app gets tokens for all that it may ask for in Azure, and for the workspace of this stack."""
    folder, port = plan.layout.folder("identity"), plan.ports["identity"]
    arguments = ["--state", str(folder), "--port", str(port), "--resource", f"https://{HOST}:{plan.ports['azure_ml']}"]
    return Service(
        name="identity",
        command=module("local_stack.identity", *arguments),
        environment=environment(plan, "identity"),
        prepare=lambda: forget_endpoints(folder),
        ready=every(exists(folder / "endpoints.json"), listens(port)),
        url=f"http://{HOST}:{port}",
    )


def cloud_storage_by_token(plan: Blueprint) -> Service:
    """The host's storage account by TLS and with tokens, beside its door for those with a key."""
    ports = {kind: plan.ports[f"cloud_{kind}_by_token"] for kind in KINDS}
    doors = [[f"--{kind}", str(port), str(plan.ports[f"cloud_{kind}"])] for kind, port in ports.items()]
    certificates = plan.layout.folder(STORAGE)
    arguments = [*(word for door in doors for word in door), "--issuer", str(plan.issuer)]
    return Service(
        name=STORAGE,
        command=module("local_stack.storage.by_token", *arguments, "--certificates", str(certificates)),
        environment=environment(plan, STORAGE, azurite.accounts_environment(plan.cloud)),
        prepare=lambda: _make_certificates(plan),
        ready=every(*(listens(port) for port in ports.values())),
        depends_on=frozenset({"cloud_storage"}),
        url=azurite.endpoint(plan.cloud, ports["blob"], scheme="https"),
    )


def _make_certificates(plan: Blueprint) -> None:
    ensure_certificates(plan.layout.folder(STORAGE))
