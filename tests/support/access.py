"""Who asks: keys with roles, and people as App Service authentication tells of them."""

import base64
import hashlib
import json

from shared.access_settings import AccessSettings
from shared.decisions.access.roles import Role

KEYS = {role.value: f"the-{role}-key" for role in Role}
UNKNOWN_KEY = "a-key-that-the-settings-do-not-know"
ROLE_CLAIM = "urn:roles-of-that-directory"


def digest(key: str) -> str:
    """What the settings know a key by."""
    return hashlib.sha256(key.encode()).hexdigest()


def signed_in(*roles: str, kind: str = "roles", name: str = "ada") -> dict[str, str]:
    """The header of a person with these roles; without a name, of a program."""
    claims = [{"typ": kind, "val": role} for role in roles] + [{"typ": "name", "val": name}] * bool(name)
    principal = {"auth_typ": "aad", "name_typ": "name", "role_typ": ROLE_CLAIM, "claims": claims}
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(principal).encode()).decode()}


def by_key(name: str) -> dict[str, str]:
    """The header of the key of that name."""
    return {"x-functions-key": KEYS[name]}


NO_ROLES = AccessSettings(key_names={name: digest(key) for name, key in KEYS.items()})
ROLES = AccessSettings(key_names=NO_ROLES.key_names, key_roles={role.value: frozenset({role}) for role in Role})
"""Each key has the role of its name."""
PEOPLE = AccessSettings(key_names=ROLES.key_names, key_roles=ROLES.key_roles, app_service_authentication=True)
PEOPLE_WITHOUT = AccessSettings(app_service_authentication=True)
