"""Roles in Bicep equal what the code calls, both ways; who has each, on what, and the words of the code for it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.checks.bicep import Resource, dotted, texts
from infra.checks.findings import Finding

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
APP, PULL, EVENTS, OPERATORS = "the app", "Container Apps", "Event Grid", "operators"

PRINCIPALS: Mapping[str, str] = {
    "appPrincipalId": APP,
    "app.properties.principalId": APP,
    "pullPrincipalId": PULL,
    "eventsPrincipalId": EVENTS,
    "operatorPrincipalId": OPERATORS,
}
"""What the files call them."""

IDS: Mapping[str, str] = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "76199698-9eea-4c19-bc75-cec21354c6b6": "Storage Table Data Reader",
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": "Azure Service Bus Data Receiver",
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": "Azure Service Bus Data Sender",
    "d5a91429-5739-47e2-a06b-3470a27159e7": "EventGrid Data Sender",
    "2414bbcf-6497-4faf-8c65-045460748405": "EventGrid EventSubscription Reader",
    "f6c7c914-8db3-469d-8ca1-694a8f32e121": "AzureML Data Scientist",
    "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815": "AzureML Compute Operator",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "8311e382-0749-4cb8-b61a-304f252e45ec": "AcrPush",
    "c2f4ef07-c644-48eb-af81-4b1b4947fb11": "AcrDelete",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "12338af0-0e69-4776-bea7-57ae8d297424": "Key Vault Crypto User",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "358470bc-b998-42bd-ab17-a7e34c199c0f": "Container Apps Contributor",
    "43d0d8ad-25c7-4714-9337-8ba259a9fe05": "Monitoring Reader",
    "f1a07417-d97a-45cb-824c-7a7467783830": "Managed Identity Operator",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "0ad04412-c4d5-4796-b79c-f76d14c8d402": "Durable Task Data Contributor",
}
"""https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """``on``: file and resource; without a resource the resource group."""

    who: str
    role: str
    on: str

    def __str__(self) -> str:
        return f"{self.role} for {self.who} on {self.on}"


Words = tuple[tuple[str, str], ...]
NEEDED: Mapping[Grant, Words] = {
    Grant(APP, "Storage Blob Data Owner", "storage: account"): (
        ("shared/clients/frozen_jobs.py", "upload_blob"),
        ("host.json", "durableTask"),
    ),
    Grant(APP, "Storage Queue Data Contributor", "storage: account"): (("host.json", "durableTask"),),
    Grant(APP, "Storage Table Data Contributor", "storage: account"): (
        ("shared/clients/ledger/azure_tables.py", "get_table_client"),
    ),
    Grant(EVENTS, "Storage Blob Data Contributor", "storage: deadLetters"): (
        ("infra/after-code.bicep", "deadLetterWithResourceIdentity"),
    ),
    Grant(OPERATORS, "Storage Table Data Reader", "storage: account"): (
        ("cli/ledger_copy/command.py", "storage.host_storage, signed_in"),
    ),
    Grant(OPERATORS, "Storage Table Data Contributor", "storage: imagePins"): (
        ("cli/image_pinning.py", "ledger.image_pins"),
    ),
    Grant(APP, "Azure Service Bus Data Receiver", "messaging: requests"): (
        ("function_app/triggers/training_requests.py", "service_bus_queue_trigger"),
    ),
    Grant(APP, "Azure Service Bus Data Sender", "messaging: results"): (
        ("shared/clients/service_bus.py", "training-results"),
    ),
    Grant(APP, "Azure Service Bus Data Sender", "messaging: quarantine"): (
        ("shared/clients/service_bus.py", "training-requests-quarantine"),
    ),
    Grant(APP, "EventGrid Data Sender", "messaging: announcements"): (
        ("shared/clients/announcements.py", "EventGridPublisherClient"),
    ),
    Grant(APP, "EventGrid EventSubscription Reader", "messaging: arrivals"): (
        ("shared/clients/event_subscriptions.py", "/providers/Microsoft.EventGrid/eventSubscriptions"),
    ),
    Grant(APP, "AzureML Data Scientist", "machine-learning: workspace"): (
        ("shared/clients/azure_ml/driver.py", "submit"),
    ),
    Grant(APP, "AzureML Compute Operator", "machine-learning: workspace"): (
        ("shared/clients/azure_ml/compute.py", "attach"),
    ),
    Grant(APP, "AcrPush", "registry: registry"): (("shared/clients/container_registry.py", "put_blob"),),
    Grant(APP, "AcrDelete", "registry: registry"): (("shared/clients/container_registry.py", "delete"),),
    Grant(PULL, "AcrPull", "registry: registry"): (
        ("shared/clients/serving_targets/container_apps.py", "pull_identity"),
    ),
    Grant(APP, "Key Vault Crypto User", "secrets: signingKey"): (("shared/clients/key_vault_signer.py", "/sign"),),
    Grant(APP, "Key Vault Secrets User", "secrets: vault"): (("shared/clients/secret_settings.py", "ask_vault"),),
    Grant(OPERATORS, "Key Vault Secrets Officer", "secrets: vault"): (
        ("docs/runbooks/rotated-secrets.md", "az keyvault secret set"),
    ),
    Grant(OPERATORS, "Key Vault Crypto User", "secrets: signingKey"): (("cli/dependency_image.py", "sign"),),
    Grant(OPERATORS, "AcrPush", "registry: registry"): (("cli/dependency_image.py", "push"),),
    Grant(OPERATORS, "AzureML Compute Operator", "machine-learning: workspace"): (
        ("cli/attach/attaching.py", "attach_compute"),
    ),
    Grant(OPERATORS, "Reader", "machine-learning: workspace"): (("cli/attach/attaching.py", "AzureMlWorkspace"),),
    Grant(APP, "Container Apps Contributor", "serving"): (
        ("shared/clients/container_apps/arm.py", "begin_create_or_update"),
    ),
    Grant(APP, "Monitoring Reader", "serving"): (("shared/clients/container_apps/arm.py", "metrics"),),
    Grant(APP, "Managed Identity Operator", "identity: pull"): (
        ("shared/clients/serving_targets/container_apps.py", "pull_identity"),
    ),
    Grant(APP, "Monitoring Metrics Publisher", "monitoring: insights"): (
        ("infra/modules/app.bicep", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"),
    ),
    Grant(APP, "Durable Task Data Contributor", "scheduler: scheduler"): (("host.json", "durableTask"),),
}
"""Every grant, and where it is needed: a file and a word in it; of what people do by hand, the page that says so."""


def check(resources: Iterable[Resource], root: Path, needed: Mapping[Grant, Words] = NEEDED) -> Iterator[Finding]:
    """``resources``: of all files; ``root``: of the project."""
    granted = grants(made := list(resources))
    for each in made:
        if each.type == ASSIGNMENT and _grant(each) is None:
            yield Finding(each.where, f"assigns a role, or to somebody, that is not in {__name__}; add it there")
    for grant, each in granted.items():
        if not str(each.body["properties"].get("description", "")).startswith(f"{grant.role}: "):
            yield Finding(each.where, f"its description must begin with '{grant.role}: ' and say why")
    for grant in sorted(set(granted) - set(needed)):
        where = granted[grant].where
        yield Finding(where, f"nothing is known to need {grant}; remove it, or say in {__name__} what does")
    for grant in sorted(set(needed) - set(granted)):
        yield Finding("modules", f"nothing assigns {grant}, which is needed; assign it, or remove it from {__name__}")
    for grant, words in needed.items():
        for file, word in words:
            if not (root / file).exists() or word not in (root / file).read_text(encoding="utf-8"):
                yield Finding(file, f"does not say {word!r} any more; is {grant} still needed?")


def grants(resources: Iterable[Resource]) -> dict[Grant, Resource]:
    """What is granted, and by which resource; without what is not understood."""
    made = ((_grant(each), each) for each in resources if each.type == ASSIGNMENT)
    return {grant: each for grant, each in made if grant is not None}


def _grant(resource: Resource) -> Grant | None:
    properties = resource.body.get("properties", {})
    role = next((IDS[text] for text in texts(properties.get("roleDefinitionId")) if text in IDS), None)
    who = PRINCIPALS.get(dotted(properties.get("principalId")))
    module = Path(resource.file).stem
    return Grant(who, role, f"{module}: {resource.scope}" if resource.scope else module) if role and who else None
