"""How settings are read from the environment, alike for every model of them."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

Model = TypeVar("Model", bound=BaseSettings)
Meaning = Callable[[str, str], str]
_MEANING: ContextVar[Meaning] = ContextVar("meaning", default=lambda _, value: value)


class AppEnvironment(EnvSettingsSource):
    """The environment, whose values are texts where no field says otherwise: a password of digits stays as it is.

    Values of our own settings may stand for others; those that the host reads too may not.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        meaning = _MEANING.get()
        self.env_vars = {
            name: meaning(name.upper(), value) if value and name.startswith("edgetrain_") else value
            for name, value in self.env_vars.items()
        }

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """The value of a field that holds others; as it is where no field is known."""
        return value if field is None else super().decode_complex_value(field_name, field, value)


class FromTheEnvironment(BaseSettings):
    """Settings that are read from what is given in code, then from the environment, and from nothing else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by our own
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - we read no such files
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - nor these
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, then the environment."""
        return init_settings, AppEnvironment(settings_cls)


def read_as(model: type[Model], meaning: Meaning) -> Model:
    """The settings as they are now. ``meaning``: of a setting's name and value, such as the secret at an address."""
    token = _MEANING.set(meaning)
    try:
        return model()
    finally:
        _MEANING.reset(token)
