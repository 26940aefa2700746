# Slipway's own image. scripts/rootfs.sh says what is in it.
#
#   slipway build --context dir://. --destination registry.example.com/slipway:dev    from source; any builder of Dockerfiles can
#   make image                                                                        with the binary built on this machine
#
# `make image` replaces the first stage by a directory, as `--build-context content=DIRECTORY` does.
FROM swift:6.2-bookworm AS content
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        pkg-config libgit2-dev libcurl4-openssl-dev libyaml-dev zlib1g-dev libisal-dev libdeflate-dev libzstd-dev \
        libbz2-dev liblzma-dev libssl-dev \
        ca-certificates uidmap libcap2-bin openssh-client gpg gpg-agent gpgconf \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY scripts/link scripts/link
COPY Sources Sources
COPY Tests Tests
RUN swift build --configuration release --product slipway --static-swift-stdlib
COPY scripts/rootfs.sh scripts/
RUN scripts/rootfs.sh .build/release/slipway /content

FROM scratch
COPY --from=content --chown=0:0 /content /
# Directories that belong to the user, from an empty one.
COPY --from=content --chown=1000:1000 /content/tmp /home/slipway
COPY --from=content --chown=1000:1000 /content/tmp /var/lib/slipway
ENV HOME=/home/slipway PATH=/usr/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
LABEL org.opencontainers.image.title="Slipway" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 1000:1000
WORKDIR /var/lib/slipway
EXPOSE 8080
ENTRYPOINT ["/usr/bin/slipway"]
CMD ["agent", "--config", "/etc/slipway/agent.yaml"]
