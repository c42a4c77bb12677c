"""Texts whose secrets are parameters. `secrets: Extract`, rule 9."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from atmpl.template.cloud_config import CloudConfig, TextSecret
from atmpl.template.json_path import Path, pointer
from atmpl.template.literal_parameters import Literals
from atmpl.template.parameter_names import Name, assign_more_names, name_in_text, named
from atmpl.template.substitution import STRING_REF, ProcessorRules, Substitution

ITEM_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # safe in a form, and never a reference
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
        assign_more_names(
            [_secret_name(name, secret) for name, _, secret in found],
            [pointer(("spec", *path, *secret.path)) for _, path, secret in found],
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


def _secret_name(leaf: Name, secret: TextSecret) -> Name:
    """Return the name of a secret in the text of `leaf`."""
    display = ""
    if ITEM_NAME.fullmatch(secret.user):
        words = " ".join(str(key) for key in secret.path[-2 if type(secret.path[-1]) is int else -1 :])
        display = f"User {secret.user}: {words.replace('_', ' ')}"
    if secret.path == ("password",):
        return named(_COMMON_PASSWORD, display or "Cloud user password")
    return name_in_text(leaf, secret.path, display)
