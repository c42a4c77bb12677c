# The controller and the command as an image: `just image`, or `docker build .` where there is an engine.
# Nothing here depends on the architecture: `docker buildx build --platform linux/amd64,linux/arm64 .` makes both.

# The two bases must have the same Python at the same path: the environment made in the first one runs in the second.
# The first needs pip, the second nothing but Python.
ARG BUILD_BASE=python:3.13-slim-trixie
ARG RUN_BASE=python:3.13-slim-trixie


# hadolint ignore=DL3006 -- the tag is in the argument
FROM ${BUILD_BASE} AS build

# For a network with a mirror or a certificate of its own; empty, pip has its defaults.
ARG PIP_INDEX_URL
ARG PIP_CERT

WORKDIR /src
COPY config/image/build.txt config/image/requirements.txt ./
RUN python3 -m venv --without-pip /opt/build \
 && python3 -m pip --python /opt/build install --no-cache-dir --only-binary=:all: --require-hashes -r build.txt \
 && python3 -m venv --without-pip /opt/atmpl \
 && python3 -m pip --python /opt/atmpl install --no-cache-dir --no-compile --only-binary=:all: --require-hashes \
        -r requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY atmpl atmpl
# Compiled here, since nothing can be written where it runs; by hash, since a build may set all times to one.
RUN python3 -m pip --python /opt/build wheel --no-cache-dir --no-index --no-deps --no-build-isolation -w dist . \
 && python3 -m pip --python /opt/atmpl install --no-cache-dir --no-index --no-deps --no-compile dist/*.whl \
 && /opt/atmpl/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/atmpl/lib


# hadolint ignore=DL3006 -- the tag is in the argument
FROM ${RUN_BASE}

# A base that is made for building has pip; what runs here installs nothing.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip

COPY --from=build /opt/atmpl /opt/atmpl

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="atmpl" \
      org.opencontainers.image.description="Turns a KubeVirt virtual machine into a template" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

ENV PATH=/opt/atmpl/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1

# Nobody's number, so that `runAsNonRoot` can be checked without the image's /etc/passwd.
USER 65532:65532
WORKDIR /
EXPOSE 8080
ENTRYPOINT ["atmpl"]
CMD ["controller"]
