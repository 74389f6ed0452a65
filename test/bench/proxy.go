package main

import (
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// startProxy starts a proxy in front of Redis that delays replies, so that a round trip takes that much longer. It returns the
// address to connect to and a function that ends the proxy.
func startProxy(upstream string, delay time.Duration) (addr string, stop func(), err error) {
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(api, "redis", "127.0.0.1:0", upstream)
	if err := proxy.Start(); err != nil {
		return "", nil, err
	}
	toxic := fmt.Sprintf(`{"type": "latency", "attributes": {"latency": %d}}`, delay.Milliseconds())
	if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		proxy.Stop()
		return "", nil, err
	}
	return proxy.Listen, proxy.Stop, nil
}
