"""What operators did by hand, and which pipelines are retired. Table ``actions``.

- partition ``action``, row = the action's id: the action, and its end once it has one;
- partition ``standing``, row ``open-<id>``: an action without an end; row ``retired-<pipeline>``: who retired it, why
  and when. Whoever looks after both asks for them at once.
"""

import re
from datetime import datetime
from functools import cache

from shared.clients.ledger.keys import end_of
from shared.clients.ledger.tables import Row, Table
from shared.messages import Action, ActionEnd, Retirement
from shared.values.wire import from_text, to_text

_ACTION, _STANDING = "action", "standing"
_OPEN, _RETIRED = "open-", "retired-"
_ACTION_ID = re.compile(r"[A-Za-z0-9._-]{1,255}")


class ActionLedger:
    """Stores actions and retirements."""

    def __init__(self, actions: Table) -> None:
        self._actions = actions

    def begin(self, action: Action) -> Action:
        """Record an action before it is started; returns the one that is recorded under its id."""
        values = {"action": to_text(action)}
        self._actions.put(
            Row(_STANDING, f"{_OPEN}{action.action_id}", values)
        )  # first: an action without it would be forgotten
        if self._actions.insert(Row(_ACTION, action.action_id, values)):
            return action
        kept = self.action(action.action_id)
        return kept or action

    def action(self, action_id: str) -> Action | None:
        """The action of that id; None when there is none. Accepts any text."""
        if not _ACTION_ID.fullmatch(action_id):  # the tables refuse keys with a slash, so they are not queried
            return None
        row = self._actions.get(_ACTION, action_id)
        return _action(row) if row else None

    def ended(self, action_id: str) -> ActionEnd | None:
        """How the action ended; None while it has not."""
        row = self._actions.get(_ACTION, action_id)
        return from_text(ActionEnd, row.values["end"]) if row and row.values.get("end") else None

    def end(self, end: ActionEnd) -> None:
        """Record how an action ended. The first end stays."""
        row = self._actions.get(_ACTION, end.action_id)
        if row is not None and not row.values.get("end"):
            self._actions.update(Row(row.partition, row.key, {"end": to_text(end)}, row.etag))
        self._actions.delete(Row(_STANDING, f"{_OPEN}{end.action_id}", {}))

    def forget(self, *, before: datetime, most: int) -> int:
        """Remove actions that were asked for before that moment and have ended; how many went, at most so many.

        That of a pipeline that is still retired stays: without it the retirement would not seem to have begun.
        """
        gone, kept = 0, cache(self._of_retired)
        for row in self._actions.rows(_ACTION):
            if gone == most:
                break
            is_old = row.values.get("end") and from_text(Action, row.values["action"]).asked_at < before
            if is_old and row.key not in kept():
                self._actions.delete(row)
                gone += 1
        return gone

    def _of_retired(self) -> frozenset[str]:
        """The actions by which pipelines were retired that are so still."""
        rows = self._actions.rows(_STANDING, _RETIRED, end_of(_RETIRED))
        return frozenset(_retirement(row).action_id for row in rows)

    def unfinished(self) -> list[Action]:
        """Every action without an end."""
        return [_action(row) for row in self._actions.rows(_STANDING, _OPEN, end_of(_OPEN))]

    def retire(self, retirement: Retirement) -> Retirement:
        """Mark a pipeline as retired; returns the mark that holds, which is the first one."""
        if self._actions.insert(
            Row(_STANDING, f"{_RETIRED}{retirement.pipeline}", {"retirement": to_text(retirement)})
        ):
            return retirement
        return self.retirement(retirement.pipeline) or retirement

    def reinstate(self, pipeline: str) -> None:
        """Remove the mark; nothing when there is none."""
        self._actions.delete(Row(_STANDING, f"{_RETIRED}{pipeline}", {}))

    def retirement(self, pipeline: str) -> Retirement | None:
        """The mark of a pipeline; None when it is not retired."""
        row = self._actions.get(_STANDING, f"{_RETIRED}{pipeline}")
        return _retirement(row) if row else None

    def retired(self, pipeline: str) -> Retirement | None:
        """The mark of a pipeline whose retirement has begun; a mark alone may yet be taken back."""
        mark = self.retirement(pipeline)
        return mark if mark is not None and self.action(mark.action_id) is not None else None

    def standing(self) -> tuple[list[Action], dict[str, Retirement]]:
        """Every action without an end, and the marks of the retired pipelines; one query."""
        rows = list(self._actions.rows(_STANDING))
        marks = [_retirement(row) for row in rows if row.key.startswith(_RETIRED)]
        actions = [_action(row) for row in rows if row.key.startswith(_OPEN)]
        return actions, {mark.pipeline: mark for mark in marks}


def _action(row: Row) -> Action:
    return from_text(Action, row.values["action"])


def _retirement(row: Row) -> Retirement:
    return from_text(Retirement, row.values["retirement"])
