# The platform: code location, webserver, read-only webserver and daemon are commands of this one image.
# Built from the root of the project; see docker/README.md.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS installed
RUN python3 -m venv /opt/chu
COPY requirements.lock /build/
WORKDIR /build
# As `make install` does: setuptools first, since PySpark comes as source.
RUN --mount=type=cache,target=/root/.cache/pip \
    sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock > build.lock \
    && /opt/chu/bin/pip install --no-deps -r build.lock \
    && /opt/chu/bin/pip install --no-deps --no-build-isolation -r requirements.lock
# true for runs as jobs of Kubernetes: kubernetes/README.md.
ARG KUBERNETES=false
COPY docker/kubernetes.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    if [ "${KUBERNETES}" = true ]; then /opt/chu/bin/pip install --no-deps -r kubernetes.lock; fi
COPY setup.py /build/
COPY chu_platform /build/chu_platform
RUN /opt/chu/bin/pip install --no-deps --no-build-isolation --no-cache-dir .

FROM ${BASE}
# Who owns the volumes; the image of Spark has the same.
ARG UID=10001
RUN useradd --uid "${UID}" --user-group --no-create-home --home-dir /tmp chu \
    && install -d -o chu -g chu /var/lib/chu /var/lib/chu/dagster \
    && install -d -o chu -g chu -m 0755 /var/lib/chu-lake \
    && install -d -o chu -g chu -m 0700 /var/lib/chu-keys /run/chu-own \
    && install -d -o chu -g chu -m 0700 /var/lib/chu-keys/accounts /var/lib/chu-keys/journal /var/lib/chu-keys/seals
COPY --from=installed /opt/chu /opt/chu
COPY docker/entrypoint.sh /opt/chu/bin/

# No secret is here: these name places. compose.yaml puts dagster.yaml and workspace.yaml into DAGSTER_HOME.
ENV PATH=/opt/chu/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CHU_HOME=/var/lib/chu \
    CHU_LAKE=/var/lib/chu-lake \
    CHU_SECRETS=/var/lib/chu-keys \
    CHU_SOURCES=/data \
    DAGSTER_HOME=/var/lib/chu/dagster \
    DAGSTER_POSTGRES_HOST=postgres \
    PGPASSFILE=/tmp/pgpass

USER chu
WORKDIR /tmp
ENTRYPOINT ["entrypoint.sh"]
# Each service of compose.yaml says its own command.
CMD ["chu", "--help"]
