"""Strict settings from flags, environment and a TOML file, in this order of precedence; unknown keys are errors.

Subclassed once by each service. House rule: nothing else reads os.environ.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    CliApp,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from phonoscope.common.errors import SettingsError

PREFIX = "PHONOSCOPE_"
# Prefixes of other programs of this distribution, whose variables the server ignores.
FOREIGN_PREFIXES = ("CLIENT_", "EMOTION_", "GATEWAY_", "LOADGEN_", "CI_")
# Variables that Kubernetes adds to a pod for a Service named phonoscope or phonoscope-…, without the prefix.
SERVICE_LINK = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")

LINK_SCHEMES = ("tcp://", "udp://", "sctp://")


class StrictSettings(BaseSettings):
    """Settings of one service; every field is a flag, an environment variable and a key of the file.

    STANDARD_VARIABLES names variables that other programs use too, by field: they have the lowest precedence.
    FOREIGN_VARIABLES are variables with this service's prefix that belong to another service, without the prefix.
    """

    STANDARD_VARIABLES: ClassVar[Mapping[str, Sequence[str]]] = {}
    FOREIGN_VARIABLES: ClassVar[frozenset[str]] = frozenset()

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        use_attribute_docstrings=True,
        env_ignore_empty=True,
    )

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> Self:
        """Returns the settings of a command line, the environment and the file that PHONOSCOPE_CONFIG names.

        Raises:
            SettingsError: a key is unknown, or a value is out of range.
            SystemExit: --help, or an unknown flag; the message has been printed.
        """
        cls._refuse_unknown_variables()
        try:
            return CliApp.run(cls, cli_args=list(arguments))
        except ValidationError as error:
            raise SettingsError(cls._explain(error)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            variable = cls._config_variable()
            raise SettingsError(f"{variable}={os.environ.get(variable)}: is not TOML: {error}") from None
        except OSError as error:
            raise SettingsError(f"{cls._config_variable()}={error.filename}: {error.strerror}") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the hook's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the hook's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Orders the sources: flags (which pydantic puts first), environment, file, standard variables."""
        standard = InitSettingsSource(settings_cls, _standard(cls.STANDARD_VARIABLES))
        if not (path := os.environ.get(cls._config_variable())):
            return init_settings, env_settings, standard
        file = Path(path).expanduser()
        if not file.is_file():
            raise SettingsError(f"{cls._config_variable()}={path}: no such file")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file), standard

    @classmethod
    def _prefix(cls) -> str:
        return cls.model_config.get("env_prefix", PREFIX)

    @classmethod
    def _config_variable(cls) -> str:
        return f"{cls._prefix()}CONFIG"

    @classmethod
    def _refuse_unknown_variables(cls) -> None:
        prefix = cls._prefix()
        known = {name.upper() for name in cls.model_fields} | {"CONFIG"}
        for variable, value in os.environ.items():
            name = variable.upper().removeprefix(prefix)  # pydantic reads variables of either case
            is_foreign = name in cls.FOREIGN_VARIABLES or (prefix == PREFIX and name.startswith(FOREIGN_PREFIXES))
            if not variable.upper().startswith(prefix) or is_foreign:
                continue
            is_link = SERVICE_LINK.fullmatch(name) or (name.endswith("PORT") and value.startswith(LINK_SCHEMES))
            if name not in known and not is_link:
                valid = ", ".join(prefix + name for name in sorted(known))
                raise SettingsError(f"unknown environment variable {variable}; valid: {valid}")

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        problems = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                problems.append(f"unknown setting {name}; valid: {', '.join(sorted(cls.model_fields))}")
                continue
            text = f"{name}={problem['input']!r}: {problem['msg']}"
            if str(problem["input"]).startswith(LINK_SCHEMES):
                text += (
                    f". Kubernetes sets {cls._prefix()}{name.upper()} for a Service of that name: set "
                    "enableServiceLinks: false in the pod, or the variable to a number"
                )
            problems.append(text)
        return "; ".join(problems)


def _standard(variables: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Returns the fields that standard variables set; the first variable of a field that is set counts."""
    values_of = {
        field: [os.environ[name] for name in names if os.environ.get(name)] for field, names in variables.items()
    }
    return {field: values[0] for field, values in values_of.items() if values}
