"""The Dockerfile, as text: a build needs a container engine."""

import re

from tests.support.manifests import CONFIG

DOCKERFILE = (CONFIG.parent / "Dockerfile").read_text()


def test_pip_uses_the_certificate_of_a_private_ca() -> None:
    steps = re.findall(r"^RUN ((?:.*\\\n)*.*)", DOCKERFILE, re.MULTILINE)
    downloads = 0
    for step in steps:
        first, *commands = step.replace("\\\n", " ").split("&&")
        if any("-m pip " in command and "--no-index" not in command for command in [first, *commands]):
            downloads += 1
            assert first.startswith("--mount=type=secret,id=pip_cert ")
            assert "export PIP_CERT=/run/secrets/pip_cert;" in first
            assert "-m pip " not in first
    assert downloads > 0
