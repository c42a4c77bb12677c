"""What the bare loop is given."""

import msgspec


class Call(msgspec.Struct):
    """One call, ready to be made."""

    method: str
    path: str  # with its query
    headers: dict[str, str]
    body: bytes | None


class Work(msgspec.Struct):
    """Calls, and how they are to be made."""

    server: str  # https://host:port
    authority: str  # PEM
    token: str
    connections: int
    keep_alive: float  # seconds
    read_buffer: int  # bytes
    requests: list[list[Call]]
