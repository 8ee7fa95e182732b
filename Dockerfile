# autoagent as a non-root program that needs nothing but its workspace and its state:
#
#   docker build -t autoagent .
#   docker run --rm -it --user "$(id -u):$(id -g)" -v "$PWD:/workspace" -v autoagent-state:/state autoagent run "…"
#
# The package index of this machine, where it is not the public one: --secret id=pip.conf,src=FILE

# Another base needs apt, python3 from 3.11 on, and its venv module
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
COPY requirements.txt requirements-build.txt ./
# pip and what builds the wheel stay in this stage: the final environment has neither
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv tools \
    && python3 -m venv --without-pip /opt/autoagent \
    && tools/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-build.txt \
    && tools/bin/pip --python /opt/autoagent/bin/python3 install \
        --no-cache-dir --no-compile --require-hashes --only-binary :all: -r requirements.txt
COPY LICENSE README.md pyproject.toml ./
COPY autoagent autoagent
# unchecked: neither a builder that changes dates nor a read-only root makes a start compile anything
RUN tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && tools/bin/pip --python /opt/autoagent/bin/python3 install --no-cache-dir --no-compile --no-deps --no-index dist/*.whl \
    && /opt/autoagent/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/autoagent/lib

FROM ${BASE}
ARG VERSION=
LABEL org.opencontainers.image.title="autoagent" \
      org.opencontainers.image.description="An autonomous agent with results you can check: durable, bounded, replayable." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"

# DL3008: Debian keeps one version of a package, so that a pinned one can't be built again next month.
# 1777: a new named volume takes the mode of the folder it covers, and whoever runs may write into it.
# compileall: the official images have no bytecode of the standard library, and no later start could keep it.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log \
    && install -d -m 1777 /state /workspace \
    && install -d -m 755 /config/autoagent \
    && python3 -m compileall -q -x '/(ensurepip|idlelib|lib2to3|site-packages|tests?|tkinter|turtledemo)/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/autoagent /opt/autoagent

# Any uid may run it: nothing is looked up in /etc/passwd
ENV PATH=/opt/autoagent/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    LANG=C.UTF-8 \
    XDG_STATE_HOME=/state \
    XDG_CONFIG_HOME=/config \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /workspace
USER 65532:65532

# tini reaps what commands leave behind and passes SIGTERM on; -s: also where an engine's own init is PID 1.
# Without -g: a stop is autoagent's to hand to its children.
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "autoagent"]
