# The service: its bundle on a base that holds Node and no shell. Targets: `release` (the default) and `emulator`, which is never released.
# scripts/pin-images writes the digests of the bases at a release, which is refused without them; docs/operate/supply-chain.md.
ARG BUILDER=docker.io/library/node:26.10.0-trixie-slim
ARG RUNTIME=gcr.io/distroless/nodejs26-debian13:nonroot

# An own cache of npm, for a build without network: --build-context npm-cache=FOLDER --build-arg NPM_FLAGS=--offline.
FROM scratch AS npm-cache

FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
WORKDIR /src
COPY package.json package-lock.json ./
ARG NPM_FLAGS=--prefer-offline
RUN --mount=type=bind,from=npm-cache,target=/npm,rw \
    npm ci --ignore-scripts --no-audit --no-fund --cache /npm ${NPM_FLAGS}
COPY . .
ARG SOURCE_DATE_EPOCH=0
RUN node scripts/image/stage.ts /out

FROM ${RUNTIME} AS base
ARG RUNTIME
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
# RFC 3339; the time of the commit at a release.
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=
# The service's name in the MCP registry; empty where it is not registered.
ARG MCP_SERVER_NAME=
LABEL org.opencontainers.image.title="ductape-mcp" \
      org.opencontainers.image.description="An HTTP MCP service that lets AI agents use Ductape safely from inside a Kubernetes cluster" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${RUNTIME}" \
      io.modelcontextprotocol.server.name="${MCP_SERVER_NAME}"
ENV DUCTAPE_MCP_CONFIG=/etc/ductape-mcp/config.yaml
WORKDIR /app
USER 10001:10001
EXPOSE 3001
# Room for what a start makes (semi-space, in MiB) spares it collections: a tenth of its time. Under load V8 would take as much.
# Nothing is allocated in the old space on a guess: from the first few collections V8 can guess so wrongly that the garbage of each call is kept and copied.
ENTRYPOINT ["/nodejs/bin/node", \
            "--permission", \
            "--allow-net", \
            "--allow-fs-read=/app/", \
            "--allow-fs-read=/etc/ductape-mcp/", \
            "--allow-fs-read=/run/ductape-mcp/", \
            "--allow-fs-write=/run/ductape-mcp/", \
            "--disable-proto=throw", \
            "--disallow-code-generation-from-strings", \
            "--disable-warning=ExperimentalWarning", \
            "--min-semi-space-size=16", \
            "--no-allocation-site-pretenuring", \
            "/app/ductape-mcp.mjs"]

FROM base AS emulator
COPY --from=build /out/emulator/ /
CMD ["emulator", "--port", "4311"]

FROM base AS app
COPY --from=build /out/release/ /

# The Node that will read the code writes it; another one, or one with other flags of V8, goes on without.
FROM app AS warm
COPY --from=build --chown=10001:10001 /out/cache /app/cache
RUN --mount=type=bind,from=build,source=/src,target=/src ["/nodejs/bin/node", "/src/scripts/image/warm.ts", "/app/cache"]

FROM app AS release
HEALTHCHECK --interval=30s --timeout=5s --retries=3 CMD ["/nodejs/bin/node", "--permission", "--allow-net", "--allow-fs-read=/app/", "--disable-proto=throw", "--disallow-code-generation-from-strings", "--disable-warning=ExperimentalWarning", "/app/ductape-mcp.mjs", "health"]
CMD ["serve"]
# Last and alone: it is the one layer whose bytes are not the same in two builds.
COPY --from=warm --chown=0:0 /app/cache /app/cache
