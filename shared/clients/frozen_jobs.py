"""The trees of admitted jobs, in blobs of the host's storage account: each once, named by the digest of its bytes."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContentSettings, LinearRetry

from shared.clients.host_storage import SETTING, StorageAccess
from shared.clients.storage_errors import parsed, require_own, translated, unavailable
from shared.errors import Code, PermanentError
from shared.messages import FrozenJob
from shared.training_code.job_trees import JobTree, digest_of


class FrozenJobs:
    """Keeps trees in the container ``<prefix>-jobs``, which it makes when it needs it."""

    def __init__(self, access: StorageAccess, prefix: str) -> None:
        self._what = "the storage of admitted code"
        service = access.blobs(
            # Short: the durable retry policy waits better than a call that blocks a worker's thread.
            retry_policy=LinearRetry(backoff=1, retry_total=2, random_jitter_range=1),
            connection_timeout=5,
            read_timeout=30,
            raw_response_hook=require_own,
        )
        self._container = service.get_container_client(f"{prefix}-jobs")

    def require_access(self) -> None:
        """Write, read and remove a blob that is nobody's; raises our errors when one of it is refused."""
        blob = self._container.get_blob_client("doctor")
        with translated(self._what, SETTING), parsed(self._what):
            with suppress(ResourceExistsError):
                self._container.create_container()
            blob.upload_blob(b"doctor", overwrite=True)
            with suppress(ResourceNotFoundError):  # another one looks at the same time
                blob.download_blob().readall()
                blob.delete_blob()

    def keep(self, tree: JobTree) -> FrozenJob:
        """Store a tree under its digest; nothing happens when it is stored already."""
        packed = tree.pack()
        job = FrozenJob(folder=tree.folder, tree=digest_of(packed))
        with translated(self._what, SETTING):
            try:
                self._upload(job, packed)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    self._container.create_container()
                self._upload(job, packed)
        return job

    def read(self, job: FrozenJob) -> JobTree:
        """The stored tree; raises :class:`PermanentError` when it does not exist any more."""
        with translated(self._what, SETTING):
            try:
                with parsed(self._what):
                    packed = self._container.download_blob(_name(job)).readall()
            except ResourceNotFoundError:
                where = f"{self._container.container_name}/{_name(job)}"
                reason = f"the code of training/{job.folder}/ that the run was admitted with, {where}, is gone from"
                remedy = "the host's storage account; ask for the run again, which keeps today's code"
                raise PermanentError(f"{reason} {remedy}", code=Code.CODE_MISSING) from None
        if digest_of(packed) != job.tree:
            other = f"{self._what} answered {len(packed)} bytes that are not what was kept as {job.tree}"
            raise unavailable(other, SETTING)
        return JobTree.unpack(job.folder, packed)

    def remove(self, tree: str, *, unused_for: timedelta, now: datetime) -> bool:
        """Remove a tree that nobody has stored, or found stored, for so long; false when somebody has."""
        blob = self._container.get_blob_client(f"{tree}.tar")
        with translated(self._what, SETTING):
            try:
                found = blob.get_blob_properties()
                if now - found.last_modified < unused_for:
                    return False
                # Whoever takes it up meanwhile notes that, which changes its ETag.
                blob.delete_blob(etag=found.etag, match_condition=MatchConditions.IfNotModified)
            except ResourceNotFoundError:
                return True
            except ResourceModifiedError:
                return False
        return True

    def close(self) -> None:
        """Close the connections."""
        self._container.close()

    def _upload(self, job: FrozenJob, packed: bytes) -> None:
        blob = self._container.get_blob_client(_name(job))
        settings = ContentSettings(content_type="application/x-tar")
        try:
            blob.upload_blob(packed, overwrite=False, content_settings=settings, validate_content=True)
        except ResourceExistsError:
            # As young as one that was just stored, so that it is not removed while its run is being admitted.
            blob.set_blob_metadata({"used": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")})


def _name(job: FrozenJob) -> str:
    return f"{job.tree}.tar"
