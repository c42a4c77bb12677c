"""The other inputs of a render: options, template metadata, and the request that owns the template."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from atmpl.template.path_patterns import pattern_error

Identity = Literal["Fresh", "Preserve"]
DataVolumes = Literal["Preserve", "Unique"]
Secrets = Literal["Preserve", "Require", "Extract"]
Naming = Literal["Generate", "Parameter"]
Console = Literal["Listed", "Complete"]
Profile = Literal["All", "Common", "None"]

CHOICES: Final[dict[str, tuple[str, ...]]] = {  # field of RenderOptions: its values, the default first
    "identity": ("Fresh", "Preserve"),
    "data_volumes": ("Preserve", "Unique"),
    "secrets": ("Preserve", "Require", "Extract"),
    "naming": ("Generate", "Parameter"),
    "console": ("Listed", "Complete"),
    "profile": ("All", "Common", "None"),
}


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """`spec.options` of a request."""

    identity: Identity = "Fresh"
    data_volumes: DataVolumes = "Preserve"
    secrets: Secrets = "Preserve"
    naming: Naming = "Generate"
    console: Console = "Listed"
    profile: Profile = "All"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def has_name_parameter(self) -> bool:
        """Return True if the template has the parameter NAME. `console: Complete` implies it."""
        return self.naming == "Parameter" or self.console == "Complete"

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return all patterns of the request."""
        return self.include + self.exclude

    def error(self) -> str | None:
        """Return what is wrong with these options; None if they are valid."""
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                return f"{name} is {value!r}; use {' or '.join(known)}"
        for name in ("include", "exclude"):
            patterns = getattr(self, name)
            if not isinstance(patterns, tuple | list):
                return f"{name} is not a list; use a list of patterns"
            for pattern in patterns:
                if error := pattern_error(pattern):
                    return f"{name}: {error}"
        return None

    def non_default(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, with the keys of `spec.options`.

        `naming` is left out if `console: Complete` implies it.
        """
        result: dict[str, Any] = {}
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if name == "profile" or value == known[0] or (name == "naming" and self.console == "Complete"):
                continue
            result[_SPEC_KEYS.get(name, name)] = value
        parameters: dict[str, Any] = {} if self.profile == "All" else {"profile": self.profile}
        for name in ("include", "exclude"):
            if patterns := getattr(self, name):
                parameters[name] = list(patterns)
        if parameters:
            result["parameters"] = parameters
        return result

    @classmethod
    def from_spec(cls, options: Mapping[str, Any]) -> Self:
        """Return the options written with the keys of `spec.options`, for example by `non_default`.

        Raises ValueError if a key or a value is unknown.
        """
        names = {_SPEC_KEYS.get(name, name): name for name in CHOICES if name != "profile"}
        parameters = options.get("parameters", {})
        if not isinstance(parameters, Mapping):
            raise ValueError("parameters is not an object; use profile, include and exclude")  # noqa: TRY004 # one error
        unknown = [key for key in options if key not in names and key != "parameters"]
        unknown += [f"parameters.{key}" for key in parameters if key not in ("profile", "include", "exclude")]
        if unknown:
            raise ValueError(f"{unknown[0]} is not a known option")
        fields: dict[str, Any] = {names[key]: value for key, value in options.items() if key in names}
        for key, value in parameters.items():
            fields[key] = tuple(value) if isinstance(value, list) else value
        result = cls(**fields)
        if error := result.error():
            raise ValueError(error)
        return result


_SPEC_KEYS: Final = {"data_volumes": "dataVolumes"}  # where the key of `spec.options` differs from the field


@dataclass(frozen=True, slots=True)
class TemplateMetadata:
    """`spec.templateMetadata` of a request: labels and annotations that the template itself gets. Rule 12."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TemplateOwner:
    """The request that a template is rendered for. Its uid marks the template as owned."""

    namespace: str
    name: str
    uid: str
    refresh_on_change: bool  # refreshPolicy OnChange
