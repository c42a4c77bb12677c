"""The errors of this package."""


class RenderError(ValueError):
    """The VM cannot be rendered. `path` is the place in the VM: `spec.template.spec.domain.cpu`; it can be empty."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}" if path else why)
        self.path = path
        self.why = why


class TemplateTooLargeError(RenderError):
    """The template exceeds the size that a cluster stores. Rendering stops as soon as this is known."""

    def __init__(self) -> None:
        super().__init__(
            "", f"its template exceeds {MAX_STORED_BYTES:,} bytes; make the VM smaller, or move userData into a Secret"
        )


class ProcessError(ValueError):
    """The template cannot be processed. `errors` holds all reasons, in the words of the cluster's processor."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


MAX_STORED_BYTES = 1_048_576  # of a template; beyond 1.5 MiB the API server answers 500 (measured)
