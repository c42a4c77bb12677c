"""What a template's users should know. Design section 1: each says what it means and what to do."""

from typing import Final, NamedTuple


class RenderWarning(NamedTuple):
    """Something to know about a template: one of section 1's reasons, and the path in the VM that it is about."""

    reason: str
    message: str
    path: str


SHARED_DATA_VOLUMES: Final = "SharedDataVolumes"
INLINE_SECRET: Final = "InlineSecret"  # noqa: S105 # the name of a reason
LITERAL_NUMBER: Final = "LiteralNumber"

MESSAGES: Final = {
    SHARED_DATA_VOLUMES: (
        "Every VM made from this template uses data volumes of the same names, so a second one in the same namespace "
        "silently uses the first one's disks. Make one VM a namespace from it, or ask for a template with the option "
        "dataVolumes: Unique."
    ),
    INLINE_SECRET: (
        "Inline cloud-init data of the source VM is a default in this template, and everybody who may read the "
        "template can read the passwords and keys in it. If it holds any, ask for a template with the option "
        "secrets: Require, or keep the data in a Secret."
    ),
    LITERAL_NUMBER: (
        "This number is too large for a parameter, which would round it, so it stays in the template as it is. "
        "To change it, edit the template's object itself."
    ),
}

SHOWN: Final = (SHARED_DATA_VOLUMES, INLINE_SECRET)  # also in the template's own message: its users see no request


def warning(reason: str, path: str) -> RenderWarning:
    """Return the warning of `reason` about what stands at `path`."""
    return RenderWarning(reason, MESSAGES[reason], path)


def shown(warnings: list[RenderWarning]) -> str | None:
    """Return the template's own message: each reason that its users must know, once."""
    reasons = {warning.reason for warning in warnings}
    return " ".join(MESSAGES[reason] for reason in SHOWN if reason in reasons) or None
