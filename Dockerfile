# syntax=docker/dockerfile:1
FROM python:3.11-slim

# Set it to the address of PyTorch's wheels without CUDA for an image some gigabytes smaller.
ARG TORCH_INDEX_URL=""

WORKDIR /usr/src/autoprune
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY autoprune autoprune
COPY searchers searchers
COPY latency_tables latency_tables
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --disable-pip-version-check --cache-dir=/var/cache/pip \
        --constraint constraints.txt ${TORCH_INDEX_URL:+--extra-index-url "${TORCH_INDEX_URL}"} \
        ".[ray,postgres,server]"

# A named volume takes over owner and mode of the folder it covers; with these, any user id may
# write there, also one chosen when the container starts.
RUN useradd --uid 1000 --create-home autoprune \
    && install --directory --mode=1777 /var/lib/autoprune /job

ENV HOME=/var/lib/autoprune \
    USER=autoprune \
    AUTOPRUNE_CACHE=/var/lib/autoprune/cache \
    PYTHONUNBUFFERED=1 \
    RAY_USAGE_STATS_ENABLED=0

USER autoprune
WORKDIR /job
ENTRYPOINT ["autoprune"]
CMD ["--help"]
