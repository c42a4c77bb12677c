"""resourceVersions are numbers that grow, by promise since Kubernetes 1.35, and by everybody's practice before it."""


def is_older_version(version: str, than: str) -> bool:
    """Whether a resourceVersion is older than another: numbers of any length. Of what is no number nothing is known."""
    return version.isdecimal() and than.isdecimal() and (len(version), version) < (len(than), than)
