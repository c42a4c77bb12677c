"""What is asked of a render besides the VM: options (section 1) and, in a cluster, who asks (rule 12)."""

from typing import Literal, NamedTuple


class RenderOptions(NamedTuple):
    """`spec.options` of a request. Design section 1."""

    identity: Literal["Fresh", "Preserve"] = "Fresh"
    data_volumes: Literal["Preserve", "Unique"] = "Preserve"
    secrets: Literal["Preserve", "Require"] = "Preserve"


class TemplateOwner(NamedTuple):
    """The request that a template is made for; its uid is what makes the template ours. Design section 3."""

    namespace: str
    name: str
    uid: str
    refresh_on_change: bool  # refreshPolicy OnChange
