"""What stands between a roll-out and whatever serves: a VM behind HAProxy, a Container App, later a site's agent.

Level, not edge: a target is told what should be there (:meth:`DeploymentTarget.apply`) and asked what is there
(:meth:`DeploymentTarget.observe`). A crash, a repeated call, a reboot and a lost answer are one case: observe, compare,
apply again.

What every target owes its callers:

* ``apply`` is idempotent, and returns when the target has taken the plan, not when it is fulfilled: the caller
  observes. It moves no traffic to a release that it has not seen healthy, and never takes the last healthy release out
  of the traffic before another one is in. What it cannot do now it leaves as it was.
* Before an image is brought to the target, its signature is verified by a key that the target trusts. An image without
  one is refused with :class:`shared.errors.PermanentError` (``Code.SIGNATURE_REFUSED``), and nothing is changed.
* A plan made for an older revision than the target's is refused with ``Code.STALE_PLAN``.
* ``observe`` changes nothing that a client could notice. It checks each release (health, smoke sample) and says why one
  is unhealthy in words fit for people.
* Errors are :class:`shared.errors.TransientError` or :class:`shared.errors.PermanentError`, never the vendor's own.
"""

from typing import Protocol

from shared.messages.serving import Serving, ServingPlan


class DeploymentTarget(Protocol):
    """A place that serves models."""

    def apply(self, plan: ServingPlan) -> None:
        """Make it so, or as far as it goes now. Raises only when the target took nothing of the plan."""

    def observe(self, pipeline: str) -> Serving:
        """What is there for the pipeline now; no releases when there is nothing."""


class DeploymentTargets(Protocol):
    """Opens targets by the name that the settings give them."""

    def open(self, target: str) -> DeploymentTarget:
        """The target; raises ``PermanentError`` naming the missing setting."""
