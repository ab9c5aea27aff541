import json
import logging
from pathlib import Path
from typing import Any

import pytest

from local_stack.service_bus import config
from local_stack.service_bus.config import ConfigError, Entities
from local_stack.service_bus.journal import SqliteJournal
from tests.unit.service_bus.broker import Clock, draft

DEFAULT = Path(config.__file__).with_name("entities.json")


def written(folder: Path, text: str) -> Path:
    path = folder / "entities.json"
    path.write_text(text, encoding="utf-8")
    return path


def with_queue(folder: Path, **properties: Any) -> Path:
    namespace = {"Name": "n", "Queues": [{"Name": "q", "Properties": properties}]}
    return written(folder, json.dumps({"UserConfig": {"Namespaces": [namespace]}}))


def test_the_projects_entities() -> None:
    clock = Clock()
    broker = Entities.read(DEFAULT).broker(SqliteJournal(":memory:"), clock)

    broker.inbox("training-results").send([draft("answer")])
    broker.inbox("training-requests-quarantine").send([draft("odd")])
    requests = broker.inbox("training-requests")
    requests.send([draft("1", message_id="m")])
    clock.advance(299)
    requests.send([draft("2", message_id="m")])
    clock.advance(1)
    requests.send([draft("3", message_id="m")])

    assert len(broker.queue("training-results/Subscriptions/upstream")) == 1
    assert len(broker.queue("training-requests-quarantine")) == 1
    queue = broker.queue("training-requests")
    assert len(queue) == 2
    ((token, _),) = queue.lock(1)
    assert queue.renew(token) == clock.now + 30
    queue.abandon(token)
    for _ in range(4):
        queue.abandon(queue.lock(1)[0][0])
    assert len(broker.queue("training-requests/$DeadLetterQueue")) == 1


def test_comments_are_allowed_outside_of_texts(tmp_path: Path) -> None:
    text = '{ // what follows\n "UserConfig": {"Namespaces": [{"Name": "a//b", "Queues": [{"Name": "q"}]}]}} // end'

    assert Entities.read(written(tmp_path, text)).user_config.namespaces[0].name == "a//b"


def test_unknown_keys_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Entities.read(with_queue(tmp_path, MaxSizeInMegabytes=5))

    assert "key=UserConfig.Namespaces.Queues.Properties.MaxSizeInMegabytes" in caplog.text


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"RequiresSession": True}, "RequiresSession"),
        ({"ForwardTo": "elsewhere"}, "ForwardTo"),
        ({"ForwardDeadLetteredMessagesTo": "elsewhere"}, "ForwardDeadLetteredMessagesTo"),
        ({"DefaultMessageTimeToLive": "PT1H"}, "DefaultMessageTimeToLive"),
        ({"LockDuration": "PT0S"}, "LockDuration"),
        ({"LockDuration": "soon"}, "LockDuration"),
        ({"MaxDeliveryCount": 0}, "MaxDeliveryCount"),
    ],
)
def test_what_is_not_served_or_makes_no_sense_is_refused(
    tmp_path: Path, properties: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        Entities.read(with_queue(tmp_path, **properties))


def test_rules_are_refused(tmp_path: Path) -> None:
    rule = {"Name": "r", "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "1=1"}}}
    topic = {"Name": "t", "Subscriptions": [{"Name": "s", "Rules": [rule]}]}
    text = json.dumps({"UserConfig": {"Namespaces": [{"Name": "n", "Topics": [topic]}]}})

    with pytest.raises(ConfigError, match="Rules"):
        Entities.read(written(tmp_path, text))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"UserConfig": {"Namespaces": []}}', '{"UserConfig": {"Namespaces": [{}, {}]}}']
)
def test_files_of_another_shape_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"^entities\.json"):
        Entities.read(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Entities.read(tmp_path / "entities.json")


def test_names_have_no_case(tmp_path: Path) -> None:
    namespace = {"Name": "n", "Queues": [{"Name": "orders"}], "Topics": [{"Name": "Orders"}]}
    entities = Entities.read(written(tmp_path, json.dumps({"UserConfig": {"Namespaces": [namespace]}})))

    with pytest.raises(ConfigError, match="two entities"):
        entities.broker(SqliteJournal(":memory:"), Clock())
