"""The artifacts of a release: image, manifests, chart, OLM bundle, programs, kubectl plugin, wheel and sdist.

`just artifacts REPOSITORY TAG PROGRAMS FOLDER` writes all of them. The release workflow does so in a job that may not
write, and publishes and signs them in jobs that install nothing.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from atmpl.version import __version__
from e2e import bundle, gotools, krew, manifests
from e2e.envtest.build import BuildError
from e2e.image.pin import unpinned_bases

ROOT = Path(__file__).parents[1]
PLATFORMS = "linux/amd64,linux/arm64"
DOWNLOADS = f"https://github.com/OWNER/atmpl/releases/download/v{__version__}"


class ReleaseError(Exception):
    """The release is not possible; the message has the reason."""


def artifacts(repository: str, tag: str, programs: Path, folder: Path, url: str = DOWNLOADS) -> str:
    """Write everything that a release has into a folder; return the image by digest.

    `image.tar` is the image, `image.txt` its name by digest, `files` the downloads, whose place will be `url`. `tag` is
    the git tag. `programs` is the folder with the command line as one file for each platform.
    Raises BuildError, ReleaseError, subprocess.CalledProcessError.
    """
    if tag != f"v{__version__}":
        raise ReleaseError(f"the tag is {tag} and atmpl/version.py has {__version__}; they must be equal")
    if unpinned := unpinned_bases():
        raise ReleaseError(f"Dockerfile: {', '.join(unpinned)} without a digest; run `just pin`, and commit the result")
    if missing := [name for name in map(krew.name, krew.PLATFORMS) if not (programs / name).is_file()]:
        raise ReleaseError(f"{programs} has no {', '.join(missing)}; `just one-file` makes it on its platform")
    files = folder / "files"
    files.mkdir(parents=True)
    image = build_image(repository, folder / "image.tar")
    (folder / "image.txt").write_text(f"{image}\n")
    (files / "install.yaml").write_text(manifest(image))
    (files / "install-single-node.yaml").write_text(manifest(image, "single-node"))
    (files / "policy.yaml").write_text(manifests.text("policy"))
    package_chart(image, files)
    with tempfile.TemporaryDirectory(prefix="atmpl-bundle-") as scratch:
        bundle.write(image, Path(scratch))
        with tarfile.open(files / f"atmpl-olm-bundle-{__version__}.tar.gz", "w:gz") as tar:
            tar.add(scratch, "bundle")
    build = (sys.executable, "-m", "hatchling", "build", "--directory", files)
    subprocess.run(build, cwd=ROOT, stdout=sys.stderr, check=True)
    for name in map(krew.name, krew.PLATFORMS):
        shutil.copyfile(programs / name, files / name)
    krew.write(programs, files, url)
    names = sorted(files.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in names)
    (files / "SHA256SUMS").write_text(sums)
    return image


def build_image(repository: str, archive: Path) -> str:
    """Build the image as an OCI archive for both platforms; return it by digest.

    BuildKit adds an SBOM (SPDX) and SLSA provenance for each platform.
    """
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory(prefix="atmpl-image-") as scratch:
        metadata = Path(scratch) / "image.json"
        command = [
            *("docker", "buildx", "build", f"--platform={PLATFORMS}", f"--output=type=oci,dest={archive}"),
            *(f"--tag={repository}:{__version__}", "--sbom=true", "--provenance=mode=max"),
            *(f"--metadata-file={metadata}", f"--build-arg=VERSION={__version__}"),
            *(f"--build-arg=REVISION={revision.stdout.strip()}", str(ROOT)),
        ]
        subprocess.run(command, stdout=sys.stderr, check=True)
        digest: str = json.loads(metadata.read_text())["containerimage.digest"]
    return f"{repository}@{digest}"


def manifest(image: str, folder: str = "default") -> str:
    """Return a kustomization of config/ for an image, for `kubectl apply -f`. Raises BuildError, ReleaseError."""
    rendered = manifests.text(folder)
    placeholder = f"image: atmpl:{__version__}"
    if rendered.count(placeholder) != 1:
        raise ReleaseError(
            f"config/{folder} does not contain `{placeholder}` exactly once; atmpl/version.py has {__version__}"
        )
    return rendered.replace(placeholder, f"image: {image}")


def package_chart(image: str, folder: Path) -> None:
    """Write the chart as an archive whose default image is this one. Raises BuildError, CalledProcessError."""
    repository, _, digest = image.partition("@")
    with tempfile.TemporaryDirectory(prefix="atmpl-chart-") as scratch:
        chart = Path(scratch) / "atmpl"
        shutil.copytree(manifests.CONFIG / "chart", chart)
        values = (chart / "values.yaml").read_text()
        for line, new in (
            ("repository: atmpl # REGISTRY/atmpl", f"repository: {repository}"),
            ('digest: ""', f'digest: "{digest}"'),
        ):
            if values.count(line) != 1:
                raise ReleaseError(f"config/chart/values.yaml does not contain `{line}` exactly once")
            values = values.replace(line, new)
        (chart / "values.yaml").write_text(values)
        package = (gotools.program("helm"), "package", chart, f"--destination={folder}")
        subprocess.run(package, stdout=sys.stderr, check=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command of the arguments; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m e2e.release", description="Build the artifacts of a release.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    everything = commands.add_parser("artifacts", help="write everything that a release has; print the image by digest")
    everything.add_argument("repository", metavar="REPOSITORY", help="where the image will be, without its tag")
    everything.add_argument("tag", metavar="TAG", help="the git tag: v and the version")
    everything.add_argument("programs", metavar="PROGRAMS", type=Path, help="folder with atmpl-SYSTEM-MACHINE")
    everything.add_argument("folder", metavar="FOLDER", type=Path, help="is created")
    everything.add_argument("--url", default=DOWNLOADS, help="where the files of the release will be")
    one = commands.add_parser("manifest", help="print the manifests for `kubectl apply -f`")
    one.add_argument("image", metavar="IMAGE")
    bundled = commands.add_parser("bundle", help="write the OLM bundle")
    bundled.add_argument("image", metavar="IMAGE")
    bundled.add_argument("folder", metavar="FOLDER", type=Path)
    plugin = commands.add_parser("krew", help="write the archives and the manifest of the krew plugin")
    plugin.add_argument("programs", metavar="PROGRAMS", type=Path, help="folder with atmpl-SYSTEM-MACHINE")
    plugin.add_argument("folder", metavar="FOLDER", type=Path)
    plugin.add_argument("url", metavar="URL", help="where the archives will be, without their names")
    commands.add_parser("policy", help="print the admission policy, which no OLM bundle can contain")
    args = parser.parse_args(arguments)
    try:
        match args.command:
            case "artifacts":
                print(artifacts(args.repository, args.tag, args.programs, args.folder, args.url))
            case "manifest":
                print(manifest(args.image), end="")
            case "bundle":
                bundle.write(args.image, args.folder)
            case "krew":
                krew.write(args.programs, args.folder, args.url)
            case "policy":
                print(manifests.text("policy"), end="")
    except (BuildError, ReleaseError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(f"error: {error.filename} does not exist here", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
