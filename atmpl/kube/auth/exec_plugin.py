"""A kubeconfig's plugin, `users[].user.exec`: a program that says who we are. client.authentication.k8s.io.

kubernetes_asyncio has one of its own, which asks the program once a minute where it gives a certificate or no time of
expiry, leaves its certificates in temporary files, and the program running where it does not answer.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import orjson

from atmpl.kube.auth import CredentialsError

TIME = 60.0  # seconds a plugin may take; nobody is there to type a password
EARLY = 300.0  # seconds before it expires that a credential is asked for anew
SPEAKS = "it is the command at users[].user.exec: run it by hand to see what it says"


class Credential(NamedTuple):
    """What a plugin gave: a token, a certificate with its key, or all three."""

    token: str
    certificate: str  # PEM
    key: str  # PEM
    expires: float | None  # seconds since 1970; None: when the server refuses it


class ExecPlugin:
    """The plugin of one user. Its credential is kept until shortly before it expires."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._asked: Mapping[str, Any] | None = None  # the configuration of what is kept
        self._kept: Credential | None = None

    def forget(self) -> None:
        """Forget the credential: the server refused it."""
        self._kept = None

    async def credential(
        self, config: Mapping[str, Any], folder: Path, cluster: Mapping[str, Any] | None = None
    ) -> Credential:
        """Return what the plugin gave or, where that is about to expire, gives now.

        `config` is `users[].user.exec`; a command with a slash is looked for from the kubeconfig's `folder`; `cluster`
        is what a plugin is told that wants to know what it is for. Raises AccessError, which repeats nothing that the
        plugin said.
        """
        kept = self._kept if config == self._asked else None
        if kept is None or (kept.expires is not None and self._wall() >= kept.expires - EARLY):
            self._kept = kept = _credential(await _run(config, folder, cluster or {}), config)
            self._asked = config
        return kept


async def _run(config: Mapping[str, Any], folder: Path, cluster: Mapping[str, Any]) -> bytes:
    """Run the program; return what it wrote."""
    command = config.get("command")
    args, env = config.get("args") or [], config.get("env") or []
    if not isinstance(command, str) or not isinstance(config.get("apiVersion"), str):
        raise CredentialsError("users[].user.exec needs a command and an apiVersion")
    if not isinstance(args, list) or not isinstance(env, list):
        raise CredentialsError("args and env of users[].user.exec are not lists")
    spec = {"interactive": False} | ({"cluster": cluster} if cluster else {})
    asked = {"apiVersion": config["apiVersion"], "kind": "ExecCredential", "spec": spec}
    try:
        more = {str(item["name"]): str(item["value"]) for item in env}
        process = await asyncio.create_subprocess_exec(
            str(folder / command) if os.sep in command else command,  # an absolute one stays as it is
            *map(str, args),
            env={**os.environ, **more, "KUBERNETES_EXEC_INFO": orjson.dumps(asked).decode()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise CredentialsError(
            f"exec: the program does not start ({error.strerror}); is it installed? {SPEAKS}"
        ) from None
    except (TypeError, KeyError, ValueError):
        raise CredentialsError("env of users[].user.exec is not a list of names and values") from None
    try:
        async with asyncio.timeout(TIME):
            said, _ = await process.communicate()
    except TimeoutError:
        _fail(f"no answer in {TIME:.0f} s")
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        _fail(f"it returned {process.returncode}")
    return said


def _credential(said: bytes, config: Mapping[str, Any]) -> Credential:
    """Read an ExecCredential."""
    try:
        found = orjson.loads(said)
    except orjson.JSONDecodeError:
        _fail("what it said is no JSON")
    status = found.get("status") if isinstance(found, dict) else None
    if not isinstance(status, dict) or found.get("kind") != "ExecCredential":
        _fail("what it said is no ExecCredential with a status")
    if found.get("apiVersion") != config["apiVersion"]:
        _fail("it speaks another apiVersion than the kubeconfig's")
    fields = ("token", "clientCertificateData", "clientKeyData")
    token, certificate, key = (status.get(field) or "" for field in fields)
    if not all(isinstance(text, str) for text in (token, certificate, key)):
        _fail("its token or certificate is no text")
    if bool(certificate) != bool(key) or not (token or certificate):
        _fail("it gave neither a token nor a certificate with its key")
    return Credential(token, certificate, key, _expiry(status.get("expirationTimestamp")))


def _expiry(time: object) -> float | None:
    if not time:
        return None
    with suppress(TypeError, ValueError):
        when = datetime.fromisoformat(time)  # type: ignore[arg-type] # whatever it is
        if when.tzinfo is not None:
            return when.timestamp()
    return _fail("its expirationTimestamp is no time")


def _fail(why: str) -> NoReturn:
    raise CredentialsError(f"exec: {why}; {SPEAKS}")
