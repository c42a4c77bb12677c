"""Exec credential plugins: `users[].user.exec` of a kubeconfig, client.authentication.k8s.io.

kubernetes_asyncio has its own implementation. It runs the program once a minute if it returns a certificate or no
expiry, leaves certificates in temporary files, and does not end a program that does not return.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import orjson

from atmpl.kube.auth import CredentialsError

TIMEOUT_SECONDS = 60.0  # without a user; a plugin that waits for input does not return
INTERACTIVE_TIMEOUT_SECONDS: Final = 900.0  # with a user, who opens a browser or types a code
EXPIRY_MARGIN_SECONDS: Final = 300.0  # a credential is renewed so long before it expires
MAX_OUTPUT_BYTES: Final = 2**20
PLUGIN_HINT: Final = "run the command at users[].user.exec by hand to see its output"
INTERACTIVE_MODES: Final = ("Never", "IfAvailable", "Always")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin returned: a token, a certificate with its key, or all three."""

    token: str
    certificate: str  # PEM
    key: str  # PEM
    expires: float | None  # seconds since 1970; None: valid until the server rejects it


class ExecPlugin:
    """The plugin of one user. Its credential is kept until shortly before it expires.

    If `interactive`, the plugin runs for a user's own command: as with kubectl, its standard error is the command's,
    and so is its standard input if that is a terminal. Otherwise both are closed: nothing of it enters a log.
    """

    def __init__(self, wall: Callable[[], float] = time.time, *, interactive: bool = False) -> None:
        self._wall = wall
        self._interactive = interactive
        self._config: Mapping[str, Any] | None = None  # the configuration of `_credential`
        self._credential: Credential | None = None

    def forget(self) -> None:
        """Forget the credential, because the server rejected it."""
        self._credential = None

    async def credential(
        self, config: Mapping[str, Any], folder: Path, cluster: Mapping[str, Any] | None = None
    ) -> Credential:
        """Return the credential; run the plugin if there is none, or if it expires soon.

        `config` is `users[].user.exec`; a command with a slash is relative to the kubeconfig's `folder`; `cluster` is
        passed to plugins with provideClusterInfo.

        Raises:
            CredentialsError: the plugin failed. The message contains no output of it.
        """
        credential = self._credential if config == self._config else None
        if credential is None or (
            credential.expires is not None and self._wall() >= credential.expires - EXPIRY_MARGIN_SECONDS
        ):
            credential = _parse(await self._run(config, folder, cluster or {}), config)
            self._credential, self._config = credential, config
        return credential

    async def _run(self, config: Mapping[str, Any], folder: Path, cluster: Mapping[str, Any]) -> bytes:
        """Run the program; return its standard output."""
        command, args, environment = await asyncio.to_thread(_command, config, folder)
        has_terminal = self._uses_terminal(config)
        spec = {"interactive": has_terminal} | ({"cluster": cluster} if cluster else {})
        info = {"apiVersion": config["apiVersion"], "kind": "ExecCredential", "spec": spec}
        timeout = INTERACTIVE_TIMEOUT_SECONDS if self._interactive else TIMEOUT_SECONDS
        # A file, not a pipe: a child of the program that keeps a pipe open would extend the wait.
        with await asyncio.to_thread(tempfile.TemporaryFile) as output:
            process = await _start(
                command,
                args,
                environment | {"KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()},
                output,
                has_terminal=has_terminal,
                shows_errors=self._interactive,
            )
            try:
                async with asyncio.timeout(timeout):
                    await process.wait()
            except TimeoutError:
                _fail(f"the plugin did not return within {timeout:.0f} s")
            finally:
                if process.returncode is None:
                    _kill(process, is_group=not has_terminal)
                    await process.wait()
            if process.returncode:
                _fail(f"the plugin returned exit status {process.returncode}")
            text = await asyncio.to_thread(_read, output)
        if len(text) > MAX_OUTPUT_BYTES:
            _fail(f"the plugin wrote more than {MAX_OUTPUT_BYTES:,} bytes")
        return text

    def _uses_terminal(self, config: Mapping[str, Any]) -> bool:
        """Return True if the plugin gets the user's terminal as its standard input, as interactiveMode requires."""
        mode = config.get("interactiveMode") or "IfAvailable"
        if mode not in INTERACTIVE_MODES:
            raise CredentialsError(f"users[].user.exec.interactiveMode must be one of {', '.join(INTERACTIVE_MODES)}")
        is_available = self._interactive and sys.stdin is not None and sys.stdin.isatty()
        if mode == "Always" and not is_available:
            raise CredentialsError(
                "exec: the plugin needs a terminal (interactiveMode: Always) and there is none; "
                "log in by hand first, or use a plugin that does not need one"
            )
        return is_available and mode != "Never"


def _command(config: Mapping[str, Any], folder: Path) -> tuple[str, list[str], dict[str, str]]:
    """Return the program, its arguments and its environment."""
    command, args, env = config.get("command"), config.get("args") or [], config.get("env") or []
    if not isinstance(command, str) or not isinstance(config.get("apiVersion"), str):
        raise CredentialsError("users[].user.exec needs a command and an apiVersion")
    if not isinstance(args, list) or not isinstance(env, list):
        raise CredentialsError("args and env of users[].user.exec must be lists")
    try:
        added = {str(item["name"]): str(item["value"]) for item in env}
    except (TypeError, KeyError):
        raise CredentialsError("env of users[].user.exec must be a list of names and values") from None
    is_path = os.sep in command or bool(os.altsep and os.altsep in command)
    # An absolute path stays as it is. On Windows, `which` also finds programs that end in .cmd.
    program = str(folder / command) if is_path else shutil.which(command)
    if program is None:
        raise CredentialsError(f"exec: the program is not installed, or not in PATH{_install_hint(config)}")
    return program, [str(arg) for arg in args], {**os.environ, **added}


async def _start(
    program: str,
    args: list[str],
    environment: dict[str, str],
    output: IO[bytes],
    *,
    has_terminal: bool,
    shows_errors: bool,
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            program,
            *args,
            env=environment,
            stdin=None if has_terminal else asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=None if shows_errors else asyncio.subprocess.DEVNULL,
            start_new_session=not has_terminal,  # a session of its own has no terminal, and is ended as a whole
        )
    except OSError as error:
        raise CredentialsError(f"exec: the program cannot be started ({error.strerror}); {PLUGIN_HINT}") from None
    except ValueError:
        raise CredentialsError("args and env of users[].user.exec must not contain NUL characters") from None


def _read(output: IO[bytes]) -> bytes:
    output.seek(0)
    return output.read(MAX_OUTPUT_BYTES + 1)


def _kill(process: asyncio.subprocess.Process, *, is_group: bool) -> None:
    """End the program, with its children if it has a process group of its own."""
    with suppress(ProcessLookupError):
        if is_group and hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _install_hint(config: Mapping[str, Any]) -> str:
    hint = config.get("installHint")
    return f"\n{hint}" if isinstance(hint, str) and hint else f"; {PLUGIN_HINT}"


def _parse(output: bytes, config: Mapping[str, Any]) -> Credential:
    """Parse an ExecCredential."""
    try:
        parsed = orjson.loads(output)
    except orjson.JSONDecodeError:
        _fail("the output is not valid JSON")
    status = parsed.get("status") if isinstance(parsed, dict) else None
    if not isinstance(status, dict) or parsed.get("kind") != "ExecCredential":
        _fail("the output is not an ExecCredential with a status")
    if parsed.get("apiVersion") != config["apiVersion"]:
        _fail("the output has another apiVersion than the kubeconfig")
    fields = ("token", "clientCertificateData", "clientKeyData")
    token, certificate, key = (status.get(field) or "" for field in fields)
    if not all(isinstance(text, str) for text in (token, certificate, key)):
        _fail("the token or certificate is not a string")
    if bool(certificate) != bool(key) or not (token or certificate):
        _fail("the output has neither a token nor a certificate with its key")
    return Credential(token, certificate, key, _expiry(status.get("expirationTimestamp")))


def _expiry(time: object) -> float | None:
    if not time:
        return None
    with suppress(TypeError, ValueError):
        when = datetime.fromisoformat(time)  # type: ignore[arg-type] # any JSON value
        if when.tzinfo is not None:
            return when.timestamp()
    return _fail("expirationTimestamp is not an RFC 3339 time")


def _fail(problem: str) -> NoReturn:
    raise CredentialsError(f"exec: {problem}; {PLUGIN_HINT}")
