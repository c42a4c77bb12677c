"""Whether a store's first list is in."""

import asyncio


class BaseStore:
    """What every store knows of its stream."""

    def __init__(self) -> None:
        self.is_served: bool | None = None  # None until the first list is in, or the API is known not to be served
        self.synced = asyncio.Event()  # set once is_served is not None; for good

    def served(self, yes: bool) -> None:
        """Take it from the stream: the list is complete, or the API is not served and counts as empty."""
        self.is_served = yes
        self.synced.set()
