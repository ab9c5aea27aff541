"""The settings that say who may do what. They are read by themselves too, since the doctor answers without others."""

from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict, SettingsError

from shared.decisions.access.roles import Role, roles_in
from shared.environment import FromTheEnvironment, Meaning, read_as
from shared.errors import Code, PermanentError

KEY_NAMES: Final = "EDGETRAIN_KEY_NAMES__"
KEY_ROLES: Final = "EDGETRAIN_KEY_ROLES__"
SHORTEST_SECRET: Final = 32
_OURS: Final = (KEY_NAMES, KEY_ROLES)


def _roles(given: Any) -> Any:
    return roles_in(given) if isinstance(given, str) else given


class PageSettings(BaseModel):
    """What the page needs besides. ``secret``: signs sessions, tickets and forms; absent: nobody signs in by key."""

    model_config = ConfigDict(frozen=True)

    secret: SecretStr | None = None

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        given = len(secret.get_secret_value()) if secret else 0
        if 0 < given < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters; make one with: openssl rand -base64 48")
        return secret if given else None


class AccessSettings(FromTheEnvironment):
    """Whose word counts, and which keys may do what."""

    model_config = SettingsConfigDict(env_prefix="EDGETRAIN_", env_nested_delimiter="__", frozen=True, extra="ignore")

    app_service_authentication: bool = Field(
        default=False, description="App Service authentication is on, and refuses or strips what does not pass it"
    )
    key_names: dict[str, str] = Field(
        default_factory=dict, description="by name of a function key: SHA-256 of the key, in hex"
    )
    key_roles: dict[str, Annotated[frozenset[Role], BeforeValidator(_roles)]] = Field(
        default_factory=dict, description="by name of a function key: its roles; none at all: every key may everything"
    )

    @model_validator(mode="after")
    def _roles_have_keys(self) -> Self:
        missing = sorted(self.key_roles.keys() - self.key_names.keys())
        if missing:
            names = ", ".join(f"{KEY_ROLES}{name.upper()}" for name in missing)
            wanted = ", ".join(f"{KEY_NAMES}{name.upper()}" for name in missing)
            raise ValueError(f"{names} gives roles to a key that has no name; set {wanted}, or remove it")
        return self


def read_access(meaning: Meaning) -> AccessSettings:
    """These settings alone, as they are now: no secret of others is asked for.

    Raises :class:`PermanentError` for what is wrong with them, so that a caller who is refused learns why.
    """
    try:
        return read_as(AccessSettings, lambda name, value: meaning(name, value) if name.startswith(_OURS) else value)
    except (ValidationError, SettingsError) as error:
        raise PermanentError(f"nobody is let in: {_what_is_wrong(error)}", code=Code.BAD_CONFIGURATION) from None


def _what_is_wrong(error: ValidationError | SettingsError) -> str:
    """The first thing that is wrong, by the setting's name and without its value."""
    if isinstance(error, SettingsError):
        return str(error)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = "__".join(str(part).upper() for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    return f"EDGETRAIN_{name} {said}" if name else said
