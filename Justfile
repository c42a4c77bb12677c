# The tools beside this `just` (one environment holds them all) come first on PATH.
export PATH := parent_directory(just_executable()) + ":" + env("PATH")
# Containers often set this. Without bytecode, pytest compiles all tests in each process: 6 s of CPU.
export PYTHONDONTWRITEBYTECODE := ""

# Arguments keep their quotes: `just test -k "watch and not lost"`.
set positional-arguments

# how pytest-xdist runs the tests: tests/conftest.py has the groups
parallel := "-n auto --dist loadgroup --no-loadscope-reorder"

# list the recipes
default:
    @just --list --justfile {{justfile()}}

# check format, lint, types and imports: seconds
check:
    ruff format --check --quiet
    ruff check --quiet
    mypy
    lint-imports --no-logo

# fix format and lint, as far as ruff can
format:
    ruff format --quiet
    ruff check --fix --quiet

# run all tests in parallel; arguments go to pytest (`just test -k watch`, `just test -n 0 --pdb`)
test *ARGS: programs
    python -m pytest {{parallel}} "$@"

# run the tests without an API server: about a minute, no Go
test-unit *ARGS:
    python -m pytest {{parallel}} tests/unit tests/simulation "$@"

# run the tests on a shared API server; ATMPL_KUBERNETES is its version
test-integration *ARGS: programs
    python -m pytest {{parallel}} tests/integration "$@"

# run the tests with API servers of their own
test-system *ARGS: programs
    python -m pytest {{parallel}} tests/system "$@"

# print the coverage of the unit tests: lines and branches
coverage *ARGS:
    python -m pytest {{parallel}} tests/unit tests/simulation --cov --cov-report=term --quiet "$@"

# build the API server's programs if they are missing: 5 to 10 minutes
programs:
    @python -m e2e.envtest programs

# make a template from a VM on a real API server, step by step (`--keep` leaves it running)
demo *ARGS:
    python -m e2e.demo "$@"

# test the template layer with 14,300 VMs per property and the command line with 24,000 inputs: half an hour of one core (`just fuzz -k console`)
fuzz *ARGS:
    python -m pytest tests/unit/template tests/unit/cli/test_fuzz.py --hypothesis-profile=fuzz --timeout=3600 "$@"

# test every pair of faults, and every suspension, in every scenario, on the API server in memory: minutes (`just crash -k TTL`)
crash *ARGS:
    python -m pytest {{parallel}} tests/simulation/test_crash.py tests/simulation/test_stale.py --every --timeout=3600 "$@"

# inject faults into real processes: minutes (`just chaos --help`)
chaos *ARGS:
    python -m e2e.chaos "$@"

# play incidents with a real Prometheus and Alertmanager: 25 minutes (`just incidents --help`)
incidents *ARGS:
    python -m e2e.incidents {{ARGS}}

# run benchmarks: throughput, scale, render, profile (`just bench --help`)
bench *ARGS:
    python -m e2e.bench "$@"

# build the image, with docker, podman or buildah (`--output FILE` writes it as an archive)
image *ARGS:
    hadolint Dockerfile
    python -m e2e.image "$@"

# build the image and test it; arguments go to pytest
test-image *ARGS:
    python -m pytest e2e/image "$@"

# pin packages by version and hash, and base images by digest, after a change of pyproject.toml or for updates
pin:
    python -m e2e.image.pin

# check and test the alert rules with promtool (built once, some minutes)
alerts:
    python -m e2e.gotools alerts

# test chart, OLM bundle, one-file program and krew plugin (builds helm, krew and the bundle's validators once, some minutes)
packages: (one-file "build/programs")
    ATMPL_PROGRAMS=build/programs python -m e2e.gotools packages

# test the health of requests with kstatus and Flux (built once, some minutes)
health:
    python -m e2e.gotools health

# check the workflows with actionlint
workflows:
    python -m e2e.gotools workflows

# test the controller in a kind cluster with KubeVirt (`--keep` leaves the cluster); needs Docker
kind *ARGS:
    python -m e2e.kind "$@"

# run the tests of `just kind` in the cluster that ATMPL_E2E_CONTEXT names; it runs KubeVirt and the controller
test-kind *ARGS:
    python -m pytest e2e/kind "$@"

# print the manifests for an image, as in the install.yaml of a release
manifest IMAGE:
    @python -m e2e.release manifest "{{IMAGE}}"

# write the OLM bundle for an image into a folder
bundle IMAGE FOLDER:
    python -m e2e.release bundle "{{IMAGE}}" "{{FOLDER}}"

# write the command line as one file, which needs no Python, into a folder: atmpl-SYSTEM-MACHINE of this platform
one-file FOLDER:
    python -m PyInstaller --noconfirm --log-level WARN --distpath "{{FOLDER}}" --workpath build/one-file e2e/one_file/atmpl.spec

# write the archives and the manifest of the krew plugin into a folder, from the one-file programs of all platforms in PROGRAMS; URL is where the archives will be
krew PROGRAMS FOLDER URL:
    python -m e2e.release krew "{{PROGRAMS}}" "{{FOLDER}}" "{{URL}}"

# build wheel and sdist into dist/, and check their metadata (needs a package index)
dist:
    rm -rf dist
    uv build --out-dir dist
    uv tool run twine check --strict dist/*

# write all files of a release into a folder: image, manifests, chart, bundle, plugin, wheel (needs Docker, and the one-file programs of all platforms in PROGRAMS)
artifacts REPOSITORY TAG PROGRAMS FOLDER *ARGS:
    @python -m e2e.release artifacts "{{REPOSITORY}}" "{{TAG}}" "{{PROGRAMS}}" "{{FOLDER}}" {{ARGS}}

# check the pinned packages for known vulnerabilities, and fail if one cannot be checked (needs PyPI itself)
audit:
    uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes --requirement config/image/requirements.txt
    uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes --requirement config/image/one-file.txt
    uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes --requirement config/image/build.txt

# test the Deployment on a real node of its own; as root, arguments go to pytest
node *ARGS:
    python -m e2e.node "$@"
