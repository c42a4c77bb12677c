"""Commands without a cluster do not import what only clusters need."""

import subprocess
import sys

import pytest

from tests.unit.cli.test_render import VM

CLUSTER = {"aiohttp", "asyncio", "ssl", "kubernetes_asyncio", "prometheus_client", "logging"}
OWNED = {"atmpl.controller", "atmpl.kube", "atmpl.manager"}

PROGRAM = """
import sys
from atmpl.cli import main as cli
try:
    cli.main(sys.argv[1:])
except SystemExit:
    pass
print("\\n", *sys.modules, file=sys.stderr)
"""

CHEAP = {
    "the help": ["--help"],
    "the help of render": ["render", "--help"],
    "render": ["render", "-"],
    "the help of process": ["process", "--help"],
    "process": ["process", "-"],
    "the help of create": ["create", "--help"],
    "wrong usage of create": ["create", "--vm", "web", "-n", "a", "--name", "BAD"],
    "the help of diff": ["diff", "--help"],
    "diff of files": ["diff", "-", "no such file"],
    "the help of instantiate": ["instantiate", "--help"],
    "convert": ["convert", "-"],
}


@pytest.mark.parametrize("case", CHEAP)
def test_the_clusters_side_is_not_imported(case):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *CHEAP[case]],
        input=VM.format(name="web"),
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(ran.stderr.splitlines()[-1].split())
    assert "atmpl.cli" in imported  # it is the list of modules
    assert not imported & CLUSTER
    assert not {name for name in imported if name.startswith(tuple(OWNED))}


LIBRARY = """
import sys
from atmpl.kube.auth import kubeconfig
assert not any(type(finder).__module__.startswith("atmpl") for finder in sys.meta_path)
print(kubeconfig.KubeConfigLoader.__module__, *sys.modules)
"""


def test_the_librarys_client_is_not_imported():
    ran = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=True)
    loader, *imported = ran.stdout.split()
    assert loader == "kubernetes_asyncio.config.kube_config"
    assert not set(imported) & {"urllib3", "dateutil", "multiprocessing.pool"}


WHOLE_LIBRARY = """
from atmpl.kube.auth import kubeconfig
import kubernetes_asyncio.config, kubernetes_asyncio.dynamic
kubernetes_asyncio.client.CoreV1Api, kubernetes_asyncio.client.Configuration.set_default
"""


def test_another_import_gets_the_whole_library():
    subprocess.run([sys.executable, "-c", WHOLE_LIBRARY], check=True)


ENDING = """
import gc, sys
from atmpl.__main__ import main
sys.argv = ["atmpl", "--version"]
try:
    main()
except SystemExit:
    print(len(gc.get_objects()))
"""


def test_interpreter_ends_without_a_search_for_garbage():
    ran = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=True)
    assert int(ran.stdout.splitlines()[-1]) < 1000  # 10,000 and more are modules
