# One image, five roles: docs/container.md
#   docker build -t drupalize-mcp . && docker run --env-file … drupalize-mcp mcp_endpoint

FROM python:3.13-slim-trixie AS build
WORKDIR /build
COPY requirements/container.txt .
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --target /app -r container.txt
COPY functions /app/functions
COPY shared /app/shared
RUN rm -rf /app/functions/edge_challenge /app/functions/canary /app/functions/release_check \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /app -p /app /app

FROM python:3.13-slim-trixie
RUN useradd --system --uid 10001 --no-create-home app
COPY --from=build /app /app
WORKDIR /app
USER 10001
# Many people share a process: connections to Postgres, requests at once (as many wait).
ENV PYTHONUNBUFFERED=1 PYTHONPATH=/app TRACE_PROVIDER=none \
    DATABASE_CONNECTIONS_MAX=10 CALLS_AT_ONCE_MAX=20
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-m", "functions.container.healthy"]
ENTRYPOINT ["python", "-m", "functions.container", "--host", "0.0.0.0"]
CMD ["mcp_endpoint"]
