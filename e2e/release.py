"""What a release is made of: the image for both architectures, its signature, and one file that installs it.

Each is a recipe (`just manifest`, `just publish`, `just sign`), and what .github/workflows/release.yaml runs.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from atmpl.version import __version__
from e2e.controlplane import programs
from e2e.controlplane.build import BuildError

ROOT = Path(__file__).parents[1]
PLATFORMS = "linux/amd64,linux/arm64"


class ReleaseError(Exception):
    """This cannot be released; the message says why."""


def manifest(image: str) -> str:
    """Return all of config/default for an image, as `kubectl apply -f` reads it. Raises BuildError, ReleaseError."""
    kubectl = programs.find("kubectl")["kubectl"]
    built = subprocess.run(
        [kubectl, "kustomize", ROOT / "config" / "default"], stdout=subprocess.PIPE, text=True, check=True
    )
    ours = f"image: atmpl:{__version__}"
    if built.stdout.count(ours) != 1:
        raise ReleaseError(f"config/default does not have `{ours}` exactly once: atmpl/version.py says {__version__}")
    return built.stdout.replace(ours, f"image: {image}")


def publish(repository: str, tag: str) -> str:
    """Build, push and attest the image; return it by digest. `tag` is git's, of this very version.

    BuildKit adds an SBOM (SPDX) and how it was built (SLSA provenance) to the image, for each platform.
    """
    if tag != f"v{__version__}":
        raise ReleaseError(f"the tag is {tag}, and atmpl/version.py says {__version__}: they must agree")
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
    """Sign an image, named by its digest, as whoever the workflow is: without a key that could be lost."""
    if not re.search(r"@sha256:[0-9a-f]{64}$", image):
        raise ReleaseError(f"{image} is not IMAGE@sha256:DIGEST: a tag may be another image by the time it is signed")
    subprocess.run(["cosign", "sign", "--yes", image], check=True)


def main(arguments: list[str] | None = None) -> int:
    """Do as the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m e2e.release", description="What a release is made of.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("manifest", help="print all that a cluster needs").add_argument("image", metavar="IMAGE")
    published = commands.add_parser("publish", help="build and push the image; print it by its digest")
    published.add_argument("repository", metavar="REPOSITORY")
    published.add_argument("tag", metavar="TAG", help="the git tag, v and the version")
    commands.add_parser("sign", help="sign an image").add_argument("image", metavar="IMAGE@DIGEST")
    asked = parser.parse_args(arguments)
    try:
        match asked.command:
            case "manifest":
                print(manifest(asked.image), end="")
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
