"""Azure ML: the workspace opens, and each compute is attached at the address of the settings."""

from typing import Final

from function_app.composition import Services
from shared.doctor import Check, Kind, Seen, ok, unknown, wrong
from shared.doctor.once import Once

_SECONDS: Final = 40.0  # the SDK's import and four requests, with its own retries


class _Workspace:
    """Opened once in an examination; the app itself keeps it open."""

    def __init__(self) -> None:
        self._once: Once[None] = Once()

    def opens(self, services: Services, _: str) -> Seen:
        self._once("", services.workspace.require_access)
        return ok(f"the workspace {services.settings.azure_ml.workspace} answers")

    def has_compute(self, services: Services, name: str) -> Seen:
        self._once("", services.workspace.require_access)
        found, wanted = services.workspace.attached(name), services.settings.compute(name)
        if found is None:
            return ok("not attached yet; the first run attaches it")
        here = f"{wanted.address}:{wanted.port}"
        if (found.address, found.port) != (wanted.address, wanted.port):
            return wrong(f"attached at {found.address}:{found.port}", wanted=f"attached at {here}")
        if found.state in {"Creating", "Updating", "Deleting"}:
            return unknown(f"it is {found.state.lower()}; ask again in a minute")
        if found.state != "Succeeded":
            return wrong(f"its attachment is {found.state.lower() or 'without a state'}")
        return ok(f"attached at {here}")


def checks(_: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """The checks, for one examination."""
    workspace = _Workspace()
    return (
        Check(
            name="azure_ml.workspace",
            about=Kind.APP,
            wanted="the workspace opens with the app's credentials, which may read in it",
            why="no training is submitted and no model is registered without it",
            remedy="check EDGETRAIN_AZURE_ML__..., and give the app's identity the role AzureML Data Scientist there",
            look=workspace.opens,
            seconds=_SECONDS,
            for_runs=True,
        ),
        Check(
            name="azure_ml.compute",
            about=Kind.COMPUTE,
            wanted="attached at the address of the settings, or not attached yet",
            why="Azure ML would train on another machine, or wait for one that is gone",
            remedy="the next run attaches the VM anew; when it keeps coming back, another app uses this workspace"
            " and this name",
            look=workspace.has_compute,
            seconds=_SECONDS,
        ),
    )
