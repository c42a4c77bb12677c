"""Texts whose secrets are parameters. `secrets: Extract`, rule 9."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from atmpl.template.cloud_config import DEFAULT_USER, PASSWORD, PASSWORD_HASH, SSH_KEY, CloudConfig, TextSecret
from atmpl.template.json_path import Path, dotted
from atmpl.template.leaves import ITEM_NAME
from atmpl.template.literal_parameters import Literals
from atmpl.template.parameter_names import Name, lengthen_duplicates, name_in_text, named
from atmpl.template.substitution import STRING_REF, ProcessorRules, Substitution

_SHOWN: Final = {  # kind of a secret: what a form calls it, and what to enter
    PASSWORD: ("Password", "letters, digits and -"),
    PASSWORD_HASH: ("Password hash", "as openssl passwd -6 prints it"),
    SSH_KEY: ("SSH public key", "one line, as in ~/.ssh/id_ed25519.pub"),
}
_COMMON_PASSWORD: Final = "CLOUD_USER_PASSWORD"  # noqa: S105 # the name in the common templates
_LITERAL: Final = re.compile(r"LITERAL[0-9]+")
_TEXT_RULES: Final = ProcessorRules(
    undefined=None, null_in_list="", null_in_map=None, null_key="", typed_key="", exact=True
)


@dataclass(frozen=True, slots=True)
class ExtractedSecret:
    """A secret that is a parameter."""

    place: TextSecret
    name: Name
    value: str  # of the source VM

    @property
    def note(self) -> str:
        """Return what the description adds: what to enter, and what else a user must know."""
        _, hint = _SHOWN.get(self.place.kind, ("", ""))
        again = "or the first key again" if _position(self.place) else ""
        return "; ".join(filter(None, (hint, again, self.place.note)))


@dataclass(frozen=True, slots=True)
class SecretParameter:
    """A parameter of a template that replaces a secret of the source VM, and the place of the secret in the VM."""

    name: str
    path: str  # for a secret inside a text also its path there
    generated: bool  # otherwise required


@dataclass(frozen=True, slots=True)
class ExtractedText:
    """A text whose secrets are parameters."""

    text: str  # with references
    secrets: tuple[ExtractedSecret, ...]
    suspicious: tuple[str, ...] | None  # keys that can hold more secrets; None if nothing is suspicious


def name_secrets(
    configs: Sequence[tuple[Name, Path, CloudConfig]], taken: set[str]
) -> list[tuple[CloudConfig, list[ExtractedSecret]]]:
    """Return the secrets of each text with their names. `taken` are the names of all leaves, selected or not.

    A text is (name of its leaf, path of its leaf below the VM's `spec`, its secrets).
    """
    found = [(name, path, secret) for name, path, config in configs for secret in config.secrets]
    names = iter(
        lengthen_duplicates(
            [_secret_name(name, secret) for name, _, secret in found],
            [(*path, *secret.path) for _, path, secret in found],
            taken,
        )
    )
    return [
        (
            config,
            [ExtractedSecret(secret, next(names), config.text[secret.start : secret.end]) for secret in config.secrets],
        )
        for _, _, config in configs
    ]


def extract_text(config: CloudConfig, secrets: list[ExtractedSecret], literals: Literals) -> ExtractedText | None:
    """Return the text with references instead of its secrets; None if the processors would mix up references.

    Both engines replace the first text that matches a reference (measured).
    """
    text = config.text
    if not secrets:
        return ExtractedText(text, (), config.suspicious(text))
    own = set(STRING_REF.findall(text))
    if own & {secret.name.name for secret in secrets} or any(_LITERAL.fullmatch(name) for name in own):
        return None
    state = literals.save()
    pieces: list[str] = []
    position = 0
    for secret in secrets:
        literal = text[position : secret.place.start]
        pieces += [
            STRING_REF.sub(lambda found: literals.inside(found[0]), literal),
            secret.name.string_reference,
        ]
        position = secret.place.end
    pieces.append(STRING_REF.sub(lambda found: literals.inside(found[0]), text[position:]))
    readable = "".join(pieces)
    values = {secret.name.name: secret.value for secret in secrets}
    values |= {each["name"]: each["value"] for each in literals.parameters}
    if Substitution(values, _TEXT_RULES).text(readable) != text:
        literals.restore(state)
        return None
    return ExtractedText(readable, tuple(secrets), config.suspicious(readable))


def secret_parameter(name: str, path: Path, place: TextSecret | None = None) -> SecretParameter:
    """Return the parameter for the leaf at `path` below the VM's `spec`, or for the secret `place` in its text."""
    where = dotted(("spec", *path))
    if place is None:
        return SecretParameter(name, where, generated=False)
    return SecretParameter(name, f"{where}: {dotted(place.path)}", generated=bool(place.generated))


def _secret_name(leaf: Name, secret: TextSecret) -> Name:
    """Return the name of a secret in the text of `leaf`."""
    display, _ = _SHOWN.get(secret.kind, ("", ""))
    if secret.user != DEFAULT_USER and not ITEM_NAME.fullmatch(secret.user):
        display = ""
    if display:
        number = f" {position + 1}" if (position := _position(secret)) else ""
        display = f"{display}{number} of {secret.user}"
    if secret.path == ("password",):
        return named(_COMMON_PASSWORD, display or "Cloud user password")
    return name_in_text(leaf, secret.path, display)


def _position(secret: TextSecret) -> int:
    """Return the index of an SSH key in the list of its user; 0 for any other secret."""
    index = secret.path[-1]
    return index if secret.kind == SSH_KEY and isinstance(index, int) else 0
