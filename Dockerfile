FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /hookswitch ./cmd/hookswitch

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends flite ca-certificates && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /data hookswitch
COPY --from=build /hookswitch /usr/local/bin/hookswitch
USER hookswitch
VOLUME /data
# Run it with --network host, so that the addresses it tells callers are true,
# and say who may call:
#   docker run --network host -v hookswitch:/data hookswitch \
#     serve --data /data --sip 0.0.0.0:5060 --allow 192.168.1.0/24
EXPOSE 5060/udp 5060/tcp 10000-20000/udp
ENTRYPOINT ["hookswitch"]
CMD ["serve", "--data", "/data"]
