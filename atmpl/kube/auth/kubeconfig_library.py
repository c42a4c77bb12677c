"""The parts of kubernetes_asyncio that read kubeconfigs, imported without its 840 generated modules.

`import kubernetes_asyncio` imports a class for each type of the Kubernetes API: 0.18 s of CPU and 32 MiB (measured).
atmpl uses none of them. While this module is imported, an import hook leaves out the code of three packages of the
library, which does nothing but collect these classes. Everything else is the library's own code.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final

ROOT: Final = "kubernetes_asyncio"
COLLECTED: Final[dict[str, dict[str, str]]] = {  # package: the names that others import from it
    ROOT: {},
    f"{ROOT}.client": {"ApiClient": f"{ROOT}.client.api_client", "Configuration": f"{ROOT}.client.configuration"},
    f"{ROOT}.client.models": {},
}


class _Finder(MetaPathFinder):
    """Finds the three packages."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in COLLECTED else None
        if spec is not None:
            spec.loader = _Loader()
        return spec


class _Loader(Loader):
    """Fills a package with the names that are used."""

    def exec_module(self, module: ModuleType) -> None:
        for name, source in COLLECTED[module.__name__].items():
            setattr(module, name, getattr(import_module(source), name))


_finder = _Finder()
sys.meta_path.insert(0, _finder)
try:
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config import ConfigException
    from kubernetes_asyncio.config.kube_config import ConfigNode, KubeConfigLoader
finally:
    sys.meta_path.remove(_finder)

__all__ = ["ConfigException", "ConfigNode", "Configuration", "KubeConfigLoader"]
