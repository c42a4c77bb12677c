"""The parameters that a template declares. They are the same in all formats."""

import re
from typing import Any, NamedTuple, TypeVar

import msgspec

from atmpl.template.errors import ProcessError
from atmpl.template.json_path import dotted

T = TypeVar("T")

_MISMATCH = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>\w+)`(?: - at `(?P<path>[^`]+)`)?")
_JSON_TYPES = {  # msgspec's name of a type: JSON's
    "str": "a string",
    "int": "a number",
    "float": "a number",
    "bool": "a boolean",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


class Parameter(NamedTuple):
    """One parameter of a template. A field that the template does not have is empty."""

    name: str
    display_name: str = ""
    description: str = ""
    value: str = ""
    generate: str = ""  # the generator's name; the only one is `expression`
    from_: str = ""  # the generator's input: `[a-z0-9]{5}`
    required: bool = False


class Declared(msgspec.Struct, rename={"display_name": "displayName", "from_": "from"}):
    """A parameter as a template has it. Go reads `null` as the empty value."""

    name: str | None = None
    display_name: str | None = None
    description: str | None = None
    value: str | None = None
    generate: str | None = None
    from_: str | None = None
    required: bool | None = None

    def as_go_json(self) -> dict[str, str | bool]:
        """Return it as Go writes it in errors: in Go's order of fields, without empty ones."""
        fields = {
            "name": self.name or "",
            "displayName": self.display_name,
            "description": self.description,
            "value": self.value,
            "generate": self.generate,
            "from": self.from_,
            "required": self.required,
        }
        return {name: value for name, value in fields.items() if value or name == "name"}  # type: ignore[misc]


class Metadata(msgspec.Struct, rename={"generate_name": "generateName"}):
    """The typed fields of a template's own metadata. Only their types matter."""

    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None


class _Spec(msgspec.Struct):
    parameters: list[Declared | None] | None = None


class _Template(msgspec.Struct):
    parameters: list[Declared | None] | None = None  # the OpenShift format's
    spec: _Spec | None = None  # the native format's


def parameters(template: dict[str, Any]) -> list[Parameter]:
    """Return the parameters of a template of either format, in its order. Raises ProcessError."""
    decoded = typed(template, _Template)
    spec = decoded.spec or _Spec()
    return [
        Parameter(
            name=declared.name or "",
            display_name=declared.display_name or "",
            description=declared.description or "",
            value=declared.value or "",
            generate=declared.generate or "",
            from_=declared.from_ or "",
            required=declared.required or False,
        )
        for declared in present(decoded.parameters or spec.parameters)
    ]


def present(declared: list[Declared | None] | None) -> list[Declared]:
    """Return the parameters of a decoded template. `null` is one without a name, as in Go."""
    return [item or Declared() for item in declared or ()]


def typed(template: dict[str, Any], shape: type[T]) -> T:
    """Return the template's typed fields. Raises ProcessError that names the path of a value of the wrong type."""
    try:
        return msgspec.convert(template, shape)
    except msgspec.ValidationError as error:
        raise ProcessError([_type_error(str(error), template)]) from None


def _type_error(message: str, template: dict[str, Any]) -> str:
    """Return msgspec's message about a value of the wrong type in words of JSON."""
    match = _MISMATCH.fullmatch(message)
    if match is None:
        return f"the template cannot be read: {message}"
    path = _with_keys((match["path"] or "$").removeprefix("$").lstrip("."), template) or "the template"
    expected = _JSON_TYPES.get(match["expected"].removesuffix(" | null"), match["expected"])
    advice = "; put quotes around it" if expected == "a string" and match["got"] in ("int", "float", "bool") else ""
    return f"{path} is {_JSON_TYPES.get(match['got'], match['got'])}, not {expected}{advice}"


def _with_keys(path: str, template: dict[str, Any]) -> str:
    """Return msgspec's path with the key instead of `[...]`, which is of the first label or annotation without text."""
    before, unnamed, _ = path.partition("[...]")
    if not unnamed:
        return path
    texts: Any = template
    for field in before.split("."):
        texts = texts[field]
    key = next(key for key, text in texts.items() if not isinstance(text, str | None))
    return dotted((*before.split("."), key))
