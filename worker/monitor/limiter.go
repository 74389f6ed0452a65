package monitor

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// A client may give a wrong token so many times at once, and then once per interval.
const (
	wrongTokens        = 10
	wrongTokenInterval = 6 * time.Second
	clientsKnown       = 1000
)

// limiter slows down those who guess the token. Whoever guesses does not lock out other addresses.
type limiter struct {
	mu    sync.Mutex
	spent map[string]time.Time // by client: when it has all its tries back
}

// take spends one of a client's tries at the time now, or returns how long it must wait for the next.
func (l *limiter) take(client string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spent == nil {
		l.spent = map[string]time.Time{}
	}
	if _, known := l.spent[client]; !known && len(l.spent) >= clientsKnown {
		for other, until := range l.spent {
			if !until.After(now) {
				delete(l.spent, other)
			}
		}
		if len(l.spent) >= clientsKnown {
			client = "" // those who cannot be told apart share their tries
		}
	}
	until := l.spent[client]
	if until.Before(now) {
		until = now
	}
	until = until.Add(wrongTokenInterval)
	if wait = until.Sub(now) - wrongTokens*wrongTokenInterval; wait > 0 {
		return wait
	}
	l.spent[client] = until
	return 0
}

// restore gives a client that knew the token all its tries back.
func (l *limiter) restore(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.spent, client)
}

// clientOf returns the address that a request comes from; of IPv6 the network, as one client may have all of its addresses.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if address = address.Unmap(); address.Is6() {
		network, _ := address.WithZone("").Prefix(64)
		return network.String()
	}
	return address.String()
}
