# The binary is built by make, for each architecture, before this file is used: no emulation, no base image, and nothing
# here that the classic builder does not know.
FROM scratch
ARG TARGETARCH
COPY bin/linux-${TARGETARCH}/worker /worker
# What it is made of asks for its texts to go with it.
COPY LICENSE THIRD_PARTY_LICENSES /
LABEL org.opencontainers.image.title="workqueue worker" \
      org.opencontainers.image.description="Processes the items of a Redis queue with any program; each one is accounted for" \
      org.opencontainers.image.source="https://github.com/workqueue/workqueue" \
      org.opencontainers.image.documentation="https://github.com/workqueue/workqueue#readme" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
# Where the worker is: `kubectl exec deploy/fruits-monitor -- worker dead` needs no path.
ENV PATH=/
ENTRYPOINT ["/worker"]
