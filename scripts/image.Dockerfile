# Used by scripts/image.sh, whose context is the image's root file system.
FROM scratch
COPY --chown=0:0 . /
COPY --chown=65532:65532 home/slipway /home/slipway
COPY --chown=65532:65532 var/lib/slipway /var/lib/slipway
ENV HOME=/home/slipway SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
LABEL org.opencontainers.image.title="Slipway" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
WORKDIR /var/lib/slipway
EXPOSE 8080
ENTRYPOINT ["/usr/bin/slipway"]
CMD ["agent", "--config", "/etc/slipway/agent.yaml"]
