import pytest
from aiohttp import web

from local_stack.functions_host.routing import RouteError, RouteTable, RouteTemplate, RouteValues


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("api/runs", "/api/runs", {}),
        ("api/runs", "/API/Runs/", {}),
        ("api/runs/{id}", "/api/runs/Ab%20c", {"id": "Ab c"}),
        ("api/runs/{id}", "/api/runs/a%2Fb", {"id": "a/b"}),
        ("api/runs/{id}", "/api/runs", None),
        ("api/runs/{id?}", "/api/runs", {}),
        ("api/runs/{id?}", "/api/runs/1/2", None),
        ("api/runs/{id:int}", "/api/runs/-12", {"id": "-12"}),
        ("api/runs/{id:int}", "/api/runs/x", None),
        ("api/{id:guid}", "/api/00000000-0000-0000-0000-000000000001", {"id": "00000000-0000-0000-0000-000000000001"}),
        ("api/{kind:alpha}/{n:int?}", "/api/abc", {"kind": "abc"}),
        ("files/{*rest}", "/files/a/b%20c", {"rest": "a/b c"}),
        ("files/{*rest}", "/files", {"rest": ""}),
        ("", "/", {}),
        ("a/{x}/c", "/a//c", None),
    ],
)
def test_matching(template: str, path: str, values: RouteValues | None) -> None:
    assert RouteTemplate(template).match(path) == values


@pytest.mark.parametrize("template", ["a/{*rest}/b", "a/{x?}/b", "a/{x:colour}", "a/pre{x}"])
def test_templates_this_host_does_not_know_are_refused(template: str) -> None:
    with pytest.raises(RouteError):
        RouteTemplate(template)


def test_the_most_specific_template_of_the_method_wins() -> None:
    table = RouteTable()

    async def handler(_request: web.Request, _values: RouteValues) -> web.Response:
        return web.Response()

    for template in ("runs/{*rest}", "runs/{id}", "runs/{id:int}", "runs/all"):
        table.add("GET", template, handler)
    table.add(frozenset({"POST", "PUT"}), "runs/{id}", handler)
    table.add(None, "anything", handler)

    def found(method: str, path: str) -> RouteValues | None:
        match = table.find(method, path)
        return None if match is None else match[1]

    assert found("GET", "/runs/all") == {}
    assert found("GET", "/runs/7") == {"id": "7"}
    assert found("GET", "/runs/x/y") == {"rest": "x/y"}
    assert found("PUT", "/runs/all") == {"id": "all"}
    assert found("DELETE", "/runs/all") is None
    assert found("PATCH", "/anything") == {}


@pytest.mark.parametrize("more", ["{*rest}", "{id?}"])
def test_a_template_that_ends_wins_over_one_that_may_go_on(more: str) -> None:
    async def handler(_request: web.Request, _values: RouteValues) -> web.Response:
        return web.Response()

    table = RouteTable()
    table.add("GET", f"ui/{more}", handler)
    table.add("GET", "ui", handler)

    match = table.find("GET", "/ui")
    assert match is not None
    assert match[1] == {}
    assert table.find("GET", "/ui/x") is not None
