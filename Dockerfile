# syntax=docker/dockerfile:1
# The gateway in an image without a shell, as a user without rights. Nothing in it is written to: run it with a read-only root.
#
#   docker build -t auth0-graphql .
#   docker run --read-only --cap-drop ALL -p 3000:3000 --env-file .env auth0-graphql

# Node.js bundles the playground, and is not in the image.
FROM node:24-bookworm-slim AS node

FROM rust:1-bookworm AS build
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --bin auth0-graphql \
    && install -D target/dist/auth0-graphql /out/auth0-graphql

# The C library, the certificates of the public authorities, and nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="auth0-graphql" \
      org.opencontainers.image.description="A read-only GraphQL gateway for the Auth0 Management API" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /out/auth0-graphql /usr/local/bin/auth0-graphql
# Callers have to show credentials at this address: without JWT_ISSUER or API_KEYS it does not start.
ENV HOST=0.0.0.0 PORT=3000 LOG_FORMAT=json
USER 65532:65532
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/auth0-graphql", "health"]
ENTRYPOINT ["/usr/local/bin/auth0-graphql"]
CMD ["serve"]
