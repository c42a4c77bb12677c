# The controller and the command line as an image: `just image`, or `docker build .` (BuildKit, podman or buildah).
# For both architectures: `docker buildx build --platform linux/amd64,linux/arm64 .`

# Both bases need the same Python at the same path: the environment that the first stage creates runs in the second.
# The first base needs pip, the second only Python. The digest is of the index of all platforms; `just pin` renews it.
ARG BUILD_BASE=python:3.13-slim-trixie@sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6
ARG RUN_BASE=python:3.13-slim-trixie@sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6


# hadolint ignore=DL3006 -- the tag is in the argument
FROM ${BUILD_BASE} AS build

# For a mirror. Its CA certificate, if private, is a build secret: `--secret id=pip_cert,src=ca.pem`.
ARG PIP_INDEX_URL

WORKDIR /src
COPY config/image/build.txt config/image/requirements.txt ./
RUN --mount=type=secret,id=pip_cert \
    if [ -e /run/secrets/pip_cert ]; then export PIP_CERT=/run/secrets/pip_cert; fi \
 && python3 -m venv --without-pip /opt/build \
 && python3 -m pip --python /opt/build install --no-cache-dir --only-binary=:all: --require-hashes -r build.txt \
 && python3 -m venv --without-pip /opt/atmpl \
 && python3 -m pip --python /opt/atmpl install --no-cache-dir --no-compile --only-binary=:all: --require-hashes \
        -r requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY atmpl atmpl
# Compiled here, because the container's file system is read-only. By hash, because a build can set all file times to one.
RUN python3 -m pip --python /opt/build wheel --no-cache-dir --no-index --no-deps --no-build-isolation -w dist . \
 && python3 -m pip --python /opt/atmpl install --no-cache-dir --no-index --no-deps --no-compile dist/*.whl \
 && /opt/atmpl/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/atmpl/lib


# hadolint ignore=DL3006 -- the tag is in the argument
FROM ${RUN_BASE}

# The image installs nothing at run time.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip

COPY --from=build /opt/atmpl /opt/atmpl

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="atmpl" \
      org.opencontainers.image.description="Creates templates of KubeVirt virtual machines" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

ENV PATH=/opt/atmpl/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1

# A number, because the kubelet cannot verify `runAsNonRoot` for a name. Any other UID works too, as on OpenShift.
USER 65532:65532
WORKDIR /
EXPOSE 8080
ENTRYPOINT ["atmpl"]
CMD ["controller"]
