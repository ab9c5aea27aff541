"""What Flex Consumption refuses, though the description of a site knows it: then the deployment fails as a whole."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.checks.app_settings import SITE, straight_in
from infra.checks.bicep import BicepFile, texts
from infra.checks.findings import Finding

PROPERTIES = frozenset(
    {
        "alwaysOn",
        "ftpsState",
        "functionAppScaleLimit",
        "javaVersion",
        "linuxFxVersion",
        "minimumElasticInstanceCount",
        "netFrameworkVersion",
        "powerShellVersion",
        "preWarmedInstanceCount",
        "use32BitWorkerProcess",
        "vnetRouteAllEnabled",
        "windowsFxVersion",
    }
)
"""Of ``siteConfig``."""
SETTINGS = frozenset(
    {
        "ENABLE_ORYX_BUILD",
        "FUNCTIONS_EXTENSION_VERSION",
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_WORKER_RUNTIME_VERSION",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_CONTENTSHARE",
        "WEBSITE_RUN_FROM_PACKAGE",
        "WEBSITE_TIME_ZONE",
        "WEBSITE_VNET_ROUTE_ALL",
    }
)
"""https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations"""

ALWAYS_RUNS = "alwaysRuns"
"""What the file calls the other plan."""


def check(app: BicepFile) -> Iterator[Finding]:
    """``app``: the file with the site, which is on Flex Consumption unless ``alwaysRuns``."""
    for site in app.resources:
        if site.type == SITE:
            config = site.body["properties"].get("siteConfig", {})
            for name in sorted(PROPERTIES & {each for each in config if not _only_elsewhere(config[each])}):
                what = f"Flex Consumption refuses it; write: {ALWAYS_RUNS} ? ... : null"
                yield Finding(site.where, f"properties.siteConfig.{name}: {what}")
            if "Disabled" not in texts(config.get("ftpsState")):
                yield Finding(site.where, f"properties.siteConfig.ftpsState: must be 'Disabled' where {ALWAYS_RUNS}")
    set_here = set(_here([*app.variables.values(), *straight_in(app)]))
    for name in sorted(SETTINGS & set_here):
        yield Finding(app.name, f"{name}: Flex Consumption refuses it; set it where {ALWAYS_RUNS} only")


def _here(value: Any) -> Iterator[str]:
    """Every text in it that counts on Flex Consumption."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list) and not _only_elsewhere(value):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _here(each)


def _only_elsewhere(value: Any) -> bool:
    operator = value.get("operator") if isinstance(value, Mapping) else None
    operands = operator.get("operands", {}) if isinstance(operator, Mapping) else {}
    return operands.get("condition") == ALWAYS_RUNS and operands.get("false_value") in (None, [])
