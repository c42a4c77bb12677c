"""YAML as Kubernetes has it: read as sigs.k8s.io/yaml reads it, written so that no reader of any version is misled."""

from atmpl.cli.yaml.reading import NotYamlError, read
from atmpl.cli.yaml.writing import write

__all__ = ["NotYamlError", "read", "write"]
