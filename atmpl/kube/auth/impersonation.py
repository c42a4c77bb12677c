"""Acting as somebody else: `--as` and `--as-group`, and the same two in a kubeconfig.

The API server asks whether we may, then judges each call as if it were theirs.
"""

from collections.abc import Mapping, Sequence

from multidict import MultiDict

from atmpl.kube.auth.endpoint import APIEndpoint, Credentials

USER, GROUP = "Impersonate-User", "Impersonate-Group"


def headers(user: str, groups: Sequence[str]) -> MultiDict[str]:
    """Return the headers that ask to be judged as `user`, one of `groups`; there is one header a group."""
    return MultiDict([(USER, user), *((GROUP, group) for group in groups)])


class ImpersonatedCredentials:
    """Credentials that act as somebody else, whoever they would act as by themselves."""

    def __init__(self, own: Credentials, user: str, groups: Sequence[str] = ()) -> None:
        self._own = own
        self._as = headers(user, groups)

    async def access(self) -> APIEndpoint:
        """Return our own access, and whom to be judged as."""
        access = await self._own.access()
        return access._replace(headers=self._instead(access.headers))

    async def renew(self, refused: APIEndpoint) -> None:
        """Have our own credentials renewed."""
        await self._own.renew(refused)

    async def namespace(self) -> str:
        """Return the namespace that our own credentials name."""
        return await self._own.namespace()

    def _instead(self, own: Mapping[str, str]) -> Mapping[str, str]:
        kept = MultiDict((name, value) for name, value in own.items() if name not in (USER, GROUP))
        kept.extend(self._as)
        return kept
