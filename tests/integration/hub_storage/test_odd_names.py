"""Blobs with names that hardly anybody would give: taken as they are, or left out and told, and never in the way."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pytest
from azure.storage.blob import ContainerClient
from pydantic import SecretStr

from shared.clients.hub_storage import HubStorage
from shared.errors import Code, PermanentError, TransientError
from shared.pipelines import Pipeline
from shared.settings import Site
from tests.integration.hub_storage.conftest import Fill
from tests.support.arrivals import a_pipeline
from tests.support.spoiled_hub import Answer, SpoiledHub, spoiled_hub

HOLDOUT = "holdout/holdout.csv"


@pytest.fixture
def pipeline(container: ContainerClient) -> Pipeline:
    return a_pipeline(container=container.container_name, pattern="*")


@pytest.fixture
def spoiled(accounts: dict[str, str]) -> Iterator[SpoiledHub]:
    with spoiled_hub(accounts["hub"]) as door:
        yield door


def names_in(hub: HubStorage, pipeline: Pipeline) -> list[str]:
    """What a snapshot of the pipeline holds, blob by blob."""
    manifest = hub.take_snapshot(pipeline).manifest
    return [name for name in NAMES if hub.find_in_manifest(manifest, name) is not None]


NAMES = [
    "landing/x.csv",
    "landing/X.csv",
    unicodedata.normalize("NFC", "landing/\u00e9.csv"),
    unicodedata.normalize("NFD", "landing/\u00e9.csv"),
    "landing/ends in a dot.",
    "landing/ends in a slash/",
    "landing/#?%2F&lt;+'.csv",
    "landing/ spaces ",
    "landing/\U0001f600.csv",
    "landing/\u202eright to left.csv",
    "landing/" + "l" * (1024 - len("landing/")),
]


def test_whatever_can_be_had_is_taken_under_exactly_its_name(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, *NAMES)

    assert names_in(hub, pipeline) == NAMES
    assert (hub.listing(pipeline).blobs, hub.listing(pipeline).unreadable) == (len(NAMES), "")


def test_names_with_control_characters_are_left_out_and_named(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, "landing/a.csv", "landing/b\tb.csv", "landing/c\nc.csv", "landing/d\x7fd.csv", "landing/e\x85e.csv")
    before = hub.page(pipeline).digest

    listing, snapshot = hub.listing(pipeline), hub.take_snapshot(pipeline)

    assert listing.digest == snapshot.listing
    assert (listing.blobs, snapshot.blobs) == (1, 1)
    assert listing.unreadable == r"landing/b\tb.csv, landing/c\nc.csv, landing/d\x7fd.csv and 1 more"
    [left_out] = snapshot.left_out
    assert (left_out.why, left_out.count, left_out.first[0]) == ("unreadable", 4, r"landing/b\tb.csv")
    fill("landing/f\x7f.csv")
    assert hub.page(pipeline).digest != before, "a quick scan sees that there is another one"


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("\uffff".encode(), r"landing/b\uffff.csv"),
        (b"&#xFFFF;", r"landing/b\uffff.csv"),
        (b"&#11;", r"landing/b\x0b.csv"),
        (b"\x0b", r"landing/b\x0b.csv"),
        (b"\xed\xa0\x80", r"landing/b\udced\udca0\udc80.csv"),
    ],
)
def test_a_listing_that_is_no_xml_is_read_all_the_same(
    spoiled: SpoiledHub, pipeline: Pipeline, fill: Fill, written: bytes, named: str
) -> None:
    fill(HOLDOUT, "landing/a&amp;.csv", "landing/b@@.csv", "landing/c.csv")

    def as_an_old_service_lists(path: str, answer: Answer) -> Answer:
        return replace(answer, body=answer.body.replace(b"@@", written)) if "comp=list" in path else answer

    spoiled.spoil = as_an_old_service_lists
    hub = HubStorage("factory", Site(connection_string=SecretStr(spoiled.connection_string)))

    listing, snapshot = hub.listing(pipeline), hub.preview_snapshot(pipeline)
    hub.close()

    assert (listing.blobs, listing.unreadable, snapshot.blobs) == (2, named, 2)


@pytest.mark.parametrize("name", ["landing/m\x0b.csv", "landing/m\uffff.csv"])
@pytest.mark.parametrize("page", [None, 2])
def test_a_service_that_fails_at_a_name_is_named_by_the_place(
    site: Site, pipeline: Pipeline, fill: Fill, name: str, page: int | None
) -> None:
    fill(HOLDOUT, *(f"landing/{letter}.csv" for letter in "abcdefghxyz"), name)
    hub = HubStorage("factory", site, page=page)

    for ask in (hub.listing, hub.take_snapshot):
        with pytest.raises(PermanentError, match=r"landing/h\.csv") as caught:
            ask(pipeline)
        assert caught.value.code is Code.UNREADABLE_NAMES
    hub.close()


def test_a_name_before_all_others_is_named_too(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, "landing/\x0b.csv", "landing/a.csv")

    with pytest.raises(PermanentError, match="first blob"):
        hub.page(pipeline)


def test_a_service_that_fails_at_everything_is_trouble_that_passes(
    spoiled: SpoiledHub, pipeline: Pipeline, fill: Fill
) -> None:
    fill(HOLDOUT, "landing/a.csv")
    spoiled.spoil = lambda _, answer: replace(answer, status=500, body=b"")
    hub = HubStorage("factory", Site(connection_string=SecretStr(spoiled.connection_string)))

    with pytest.raises(TransientError, match="answered 500"):
        hub.page(pipeline)
    hub.close()
