"""Roles: read from settings and claims, and held against what is needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.access.roles import (
    EVERY_ROLE,
    NO_ROLE,
    Role,
    UnknownRoleError,
    listed_roles,
    roles_in,
    roles_of_key,
    roles_of_person,
    suffices,
)

some_roles = st.frozensets(st.sampled_from(Role))
configurations = st.dictionaries(st.sampled_from(["ops", "ci", "ward"]), some_roles)


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("reader", {Role.READER}),
        (" operator ,approver", {Role.OPERATOR, Role.APPROVER}),
        ("reader,,reader", {Role.READER}),
        ("", set()),
        (" , ", set()),
    ],
)
def test_roles_are_words_between_commas(text: str, roles: set[Role]) -> None:
    assert roles_in(text) == roles


@pytest.mark.parametrize("text", ["admin", "reader operator", "Reader", "reader;operator", "reader, a-key-by-mistake"])
def test_a_word_that_is_no_role_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UnknownRoleError) as refused:
        roles_in(text)

    assert "reader, operator and approver" in str(refused.value)
    assert "mistake" not in str(refused.value)


@given(some_roles)
def test_what_is_written_is_read_back(roles: frozenset[Role]) -> None:
    assert roles_in(",".join(roles)) == roles
    assert all(role in listed_roles(roles) for role in roles)


@given(some_roles, st.sampled_from(Role))
def test_more_roles_never_allow_less(roles: frozenset[Role], more: Role) -> None:
    for needed in (None, *Role):
        assert not suffices(roles, needed) or suffices(roles | {more}, needed)


def test_who_operates_or_approves_reads_and_neither_does_the_others_work() -> None:
    assert suffices(frozenset({Role.OPERATOR}), Role.READER)
    assert suffices(frozenset({Role.APPROVER}), Role.READER)
    assert not suffices(frozenset({Role.APPROVER}), Role.OPERATOR)
    assert not suffices(frozenset({Role.OPERATOR}), Role.APPROVER)
    assert not suffices(NO_ROLE, Role.READER)


@given(configurations, st.none() | st.text(max_size=5) | st.sampled_from(["ops", "ci"]))
def test_a_key_has_what_its_name_is_given_or_everything_when_nobody_is_given_anything(
    configured: dict[str, frozenset[Role]], name: str | None
) -> None:
    found = roles_of_key(name, configured)

    assert found == (configured.get(name or "\0", NO_ROLE) if configured else EVERY_ROLE)


@given(st.lists(st.text(max_size=10) | st.sampled_from(Role).map(str)), st.booleans())
def test_a_person_has_the_roles_that_are_claimed_and_no_others(claimed: list[str], configured: bool) -> None:
    found = roles_of_person(claimed, configured=configured)
    known = {role for role in Role if role.value in claimed}

    assert found == (known or (NO_ROLE if configured else EVERY_ROLE))
