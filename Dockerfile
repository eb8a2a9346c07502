# The server (and the `phonoscope` command) on CPU:   docker build -t phonoscope:cpu .
# docker-compose.yml builds it as `server-cpu`; docs/compose.md explains it. Dockerfile.gpu is the same with CUDA.
#
# Layers go from what changes seldom to what changes often: Debian's Python, torch, the other libraries, our package.
# `--secret id=pip,src=pip.conf` lends the build a pip configuration, such as a company's mirror; no layer keeps it.
# `--build-arg KOKORO=1` adds what `phonoscope[kokoro]` brings: docs/kokoro.md.
ARG BASE_IMAGE=debian:12.12-slim

FROM ${BASE_IMAGE} AS python
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/*
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin phonoscope \
 && install -d -o phonoscope -g phonoscope /var/lib/phonoscope /var/lib/phonoscope/voices /var/lib/phonoscope/cache

# pip lives beside the environment that it fills, so that what is copied out of here has none.
FROM python AS pip
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/phonoscope
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
ENV INSTALL="/opt/pip/bin/pip --python /opt/phonoscope/bin/python install --constraint /constraints.txt"

# The layers below depend on the requirements alone: the rest of pyproject.toml may change.
FROM python AS requirements
ARG KOKORO=
COPY pyproject.toml constraints.txt /
RUN python3 -c "import sys, tomllib; project = tomllib.load(open('/pyproject.toml', 'rb'))['project']; \
    extras = project['optional-dependencies']; \
    kokoro = {'': [], '0': [], '1': extras['kokoro']}.get('${KOKORO}'); \
    kokoro is None and sys.exit('KOKORO is 1 to add phonoscope[kokoro], or empty: not ${KOKORO}'); \
    print(*project['dependencies'], *extras['server'], *extras['gateway'], *kokoro, sep='\n')" > /requirements.txt \
 && grep '^torch==' /constraints.txt > /torch.txt

# PyTorch's own index has builds without CUDA, which are a tenth of the size; the one on PyPI is for CUDA.
# With --build-arg TORCH_INDEX_URL= torch comes from wherever pip is configured to look.
FROM pip AS torch
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
COPY --from=requirements /torch.txt /constraints.txt /
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    ${INSTALL} ${TORCH_INDEX_URL:+--index-url "${TORCH_INDEX_URL}"} --requirement /torch.txt \
 && /opt/phonoscope/bin/python -B -c "from torch.version import cuda; print('CUDA', cuda); exit(cuda is not None)"
# Headers, build tools and tests: nobody compiles or tests in a container. What pip knows of setuptools stays, or it
# would come back with the next layer.
RUN cd /opt/phonoscope/lib/python3.11/site-packages \
 && rm -rf torch/include torch/test torch/share/cmake \
           setuptools pkg_resources _distutils_hack distutils-precedence.pth \
 && find torch/bin -type f -not -name torch_shm_manager -delete \
 && find . -type d -name tests -not -path './numpy/*' -prune -exec rm -rf {} + \
 && /opt/phonoscope/bin/python -B -c "import torch"

# --root puts them into a folder, and so into a layer, of their own.
FROM torch AS libraries
COPY --from=requirements /requirements.txt /
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    ${INSTALL} --no-warn-script-location --root /libraries --requirement /requirements.txt
RUN cd /libraries/opt/phonoscope/lib/python3.11/site-packages \
 && rm -rf onnx/backend/test/data \
 && find . -type d -name tests -not -path './numpy/*' -prune -exec rm -rf {} +

FROM pip AS package
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/pip/bin/pip --python /opt/phonoscope/bin/python install hatchling==1.33.0
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE /source/
COPY services /source/services
RUN /opt/pip/bin/pip --python /opt/phonoscope/bin/python install --no-build-isolation --no-deps --no-cache-dir \
    --no-warn-script-location --root /package /source

FROM python
COPY --from=torch /opt/phonoscope /opt/phonoscope
COPY --from=libraries /libraries /
COPY --from=package /package /

# No .pyc is written at run time: pip compiled them, and the file system may be read-only.
ENV PATH=/opt/phonoscope/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GRPC_VERBOSITY=ERROR \
    PHONOSCOPE_HOST=0.0.0.0 \
    PHONOSCOPE_LOG_FORMAT=json \
    PHONOSCOPE_VOICES_DIR=/var/lib/phonoscope/voices \
    PHONOSCOPE_CACHE_DIR=/var/lib/phonoscope/cache
USER 10001:10001
WORKDIR /var/lib/phonoscope
EXPOSE 50051 9464 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["phonoscope", "health"]
ENTRYPOINT ["phonoscope"]
CMD ["serve"]

# Last, since it changes with every commit: docker build --build-arg REVISION=$(git rev-parse HEAD) .
ARG REVISION=unknown
ENV PHONOSCOPE_REVISION=${REVISION}
LABEL org.opencontainers.image.title="Phonoscope" \
      org.opencontainers.image.description="Text to speech over gRPC that shows everything it does, on CPU" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later" \
      org.opencontainers.image.base.name="debian:12.12-slim" \
      org.opencontainers.image.revision="${REVISION}"
