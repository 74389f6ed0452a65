# The binary is built by make, for each architecture, before this file is used: no emulation, no base image, and nothing
# here that the classic builder does not know.
FROM scratch
ARG TARGETARCH
COPY bin/linux-${TARGETARCH}/worker /worker
# What it is made of asks for its texts to go with it.
COPY LICENSE THIRD_PARTY_LICENSES /
USER 65532:65532
ENTRYPOINT ["/worker"]
