# Slipway's own image. Any builder of Dockerfiles can build it, also Slipway:
#
#   slipway build --context dir://. --destination registry.example.com/slipway:dev
#
# `make image` makes a smaller one from scratch, with the binary that is built on this machine.
FROM swift:6.2-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        pkg-config libgit2-dev libcurl4-openssl-dev libyaml-dev zlib1g-dev libisal-dev libdeflate-dev libzstd-dev \
        libbz2-dev liblzma-dev libssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY scripts/link scripts/link
COPY Sources Sources
COPY Tests Tests
RUN swift build --configuration release --product slipway --static-swift-stdlib \
    && install -D --strip .build/release/slipway /out/usr/bin/slipway

FROM debian:bookworm-slim
# The shared libraries that the binary loads, libgit2 when git is used; libcurl is in it. openssh-client and gpg sign commits and verify signatures. uidmap maps a
# range of user ids into a build's user namespace for an ordinary user; inside a pod that works by file capabilities, not
# by the set-user-id bit.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates libgit2-1.5 libyaml-0-2 zlib1g libisal2 libdeflate0 libzstd1 libbz2-1.0 liblzma5 \
        libssl3 libnghttp2-14 libidn2-0 libssh2-1 libpsl5 libgssapi-krb5-2 libbrotli1 uidmap libcap2-bin openssh-client gpg gpg-agent gpgconf \
    && chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap \
    && setcap cap_setuid+ep /usr/bin/newuidmap \
    && setcap cap_setgid+ep /usr/bin/newgidmap \
    && apt-get purge --yes --auto-remove libcap2-bin \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --home-dir /home/slipway --shell /usr/sbin/nologin slipway \
    && echo 'slipway:100000:65536' > /etc/subuid \
    && echo 'slipway:100000:65536' > /etc/subgid \
    && install -d -o slipway -g slipway /var/lib/slipway \
    && install -d /kaniko \
    && ln -s /usr/bin/slipway /kaniko/executor \
    && ln -s /usr/bin/slipway /kaniko/warmer
COPY --from=build /out/ /
LABEL org.opencontainers.image.title="Slipway" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 1000:1000
WORKDIR /var/lib/slipway
EXPOSE 8080
ENTRYPOINT ["/usr/bin/slipway"]
CMD ["agent", "--config", "/etc/slipway/agent.yaml"]
