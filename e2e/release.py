"""The artifacts of a release: image, signature, manifests, chart and OLM bundle.

Each has a recipe: `just publish`, `just sign`, `just manifest`, `just bundle`. The release workflow runs them.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from atmpl.version import __version__
from e2e import bundle, krew, manifests
from e2e.controlplane.build import BuildError

ROOT = Path(__file__).parents[1]
PLATFORMS = "linux/amd64,linux/arm64"


class ReleaseError(Exception):
    """The release is not possible; the message has the reason."""


def manifest(image: str) -> str:
    """Return all of config/default for an image, for `kubectl apply -f`. Raises BuildError, ReleaseError."""
    rendered = manifests.text("default")
    placeholder = f"image: atmpl:{__version__}"
    if rendered.count(placeholder) != 1:
        raise ReleaseError(
            f"config/default does not contain `{placeholder}` exactly once; atmpl/version.py has {__version__}"
        )
    return rendered.replace(placeholder, f"image: {image}")


def publish(repository: str, tag: str) -> str:
    """Build, push and attest the image; return it by digest. `tag` is the git tag of this version.

    BuildKit adds an SBOM (SPDX) and SLSA provenance to the image, for each platform.
    """
    if tag != f"v{__version__}":
        raise ReleaseError(f"the tag is {tag} and atmpl/version.py has {__version__}; they must be equal")
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory(prefix="atmpl-publish-") as folder:
        told = Path(folder) / "image.json"
        subprocess.run(
            [
                *(
                    "docker",
                    "buildx",
                    "build",
                    f"--platform={PLATFORMS}",
                    "--push",
                    f"--tag={repository}:{__version__}",
                ),
                *("--sbom=true", "--provenance=mode=max", f"--metadata-file={told}"),
                *(f"--build-arg=VERSION={__version__}", f"--build-arg=REVISION={revision.stdout.strip()}", ROOT),
            ],
            stdout=sys.stderr,
            check=True,
        )
        digest: str = json.loads(told.read_text())["containerimage.digest"]
    return f"{repository}@{digest}"


def sign(image: str) -> None:
    """Sign an image, named by its digest, with the identity of the workflow: there is no key that can leak."""
    if not re.search(r"@sha256:[0-9a-f]{64}$", image):
        raise ReleaseError(f"{image} is not IMAGE@sha256:DIGEST; a tag can change before it is signed")
    subprocess.run(["cosign", "sign", "--yes", image], check=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command of the arguments; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m e2e.release", description="Build the artifacts of a release.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("manifest", help="print the manifests for `kubectl apply -f`").add_argument(
        "image", metavar="IMAGE"
    )
    bundled = commands.add_parser("bundle", help="write the OLM bundle")
    bundled.add_argument("image", metavar="IMAGE")
    bundled.add_argument("folder", metavar="FOLDER", type=Path)
    plugin = commands.add_parser("krew", help="write the archives and the manifest of the krew plugin")
    plugin.add_argument("folder", metavar="FOLDER", type=Path)
    plugin.add_argument("url", metavar="URL", help="where the archives will be, without their names")
    commands.add_parser("policy", help="print the admission policy, which no OLM bundle can contain")
    published = commands.add_parser("publish", help="build and push the image; print it by its digest")
    published.add_argument("repository", metavar="REPOSITORY")
    published.add_argument("tag", metavar="TAG", help="the git tag, v and the version")
    commands.add_parser("sign", help="sign an image").add_argument("image", metavar="IMAGE@DIGEST")
    asked = parser.parse_args(arguments)
    try:
        match asked.command:
            case "manifest":
                print(manifest(asked.image), end="")
            case "bundle":
                bundle.write(asked.image, asked.folder)
            case "krew":
                krew.write(asked.folder, asked.url)
            case "policy":
                print(manifests.text("policy"), end="")
            case "publish":
                print(publish(asked.repository, asked.tag))
            case "sign":
                sign(asked.image)
    except (BuildError, ReleaseError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(f"error: {error.filename} is not installed here", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
