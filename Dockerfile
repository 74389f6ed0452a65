# The binary is built by make, for each architecture, before this file is used: no emulation, no base image, and nothing
# here that the classic builder does not know.
FROM scratch
ARG TARGETARCH
COPY bin/linux-${TARGETARCH}/worker /worker
USER 65532:65532
ENTRYPOINT ["/worker"]
