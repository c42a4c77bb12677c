"""The two errors of this layer."""


class RenderError(ValueError):
    """The VM cannot be rendered. `path` is where, as a person writes it: `spec.template.spec.domain.cpu`."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}" if path else why)
        self.path = path
        self.why = why


class ProcessError(ValueError):
    """The template cannot be processed. `errors` holds every reason, in the cluster's own words where it has some."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors
