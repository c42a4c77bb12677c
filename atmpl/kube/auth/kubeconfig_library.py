"""The parts of kubernetes_asyncio that read kubeconfigs, imported without its client.

`import kubernetes_asyncio` imports a class for each type of the Kubernetes API, urllib3 and dateutil: 0.25 s of CPU and
38 MiB (measured). atmpl uses none of them. While this module is imported, an import hook leaves out the code of two
packages of the library. `kubernetes_asyncio.config` is the library's own code. Afterwards the library counts as not
imported, so that another import in the same process gets all of it.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final


class Configuration:
    """The configuration that KubeConfigLoader fills. atmpl reads only the token; the library's own imports urllib3."""

    def __init__(self) -> None:
        self.api_key: dict[str, str] = {}  # BearerToken: the value of the header Authorization


ROOT: Final = "kubernetes_asyncio"
REPLACED: Final[dict[str, dict[str, Any]]] = {  # package: the names that kubernetes_asyncio.config imports from it
    ROOT: {},
    f"{ROOT}.client": {"ApiClient": None, "Configuration": Configuration},
}


class _Finder(MetaPathFinder):
    """Finds the two packages."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in REPLACED else None
        if spec is not None:
            spec.loader = _Loader()
        return spec


class _Loader(Loader):
    """Fills a package with the names that are used."""

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(REPLACED[module.__name__])


_before = set(sys.modules)
_finder = _Finder()
sys.meta_path.insert(0, _finder)
try:
    from kubernetes_asyncio.config import ConfigException
    from kubernetes_asyncio.config.kube_config import ConfigNode, KubeConfigLoader
finally:
    sys.meta_path.remove(_finder)
    for _name in set(sys.modules) - _before:
        if _name.partition(".")[0] == ROOT:
            del sys.modules[_name]

__all__ = ["ConfigException", "ConfigNode", "Configuration", "KubeConfigLoader"]
