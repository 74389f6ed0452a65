// Package peer is what the peer programs have in common with the program that measures them.
//
// A peer is a program in any language with two verbs. "seed" puts BENCH_ITEMS payloads of 16 bytes into its queue, by
// whatever bulk call its library offers; "drain" works them off with a handler that does nothing. Redis is at
// BENCH_ADDR. It prints a Result as a line of JSON.
//
// The peer itself measures the time, so that an interpreter's start does not count: the clock runs while the queue is drained, in
// the foreign peers from the first item's start to the last item's end.
package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Queue is the name of the queue that all peers use.
const Queue = "bench"

// Result is a peer's report on a run.
type Result struct {
	Items   int     `json:"items"`
	Seconds float64 `json:"seconds"`
	Version string  `json:"version,omitempty"`
	PeakRSS int64   `json:"peak_rss,omitempty"` // bytes, Go peers only
}

// Verb is one thing a peer can do.
type Verb func(ctx context.Context, client *redis.Client, items int) (Result, error)

// Main runs the verb that the command line names.
func Main(verbs map[string]Verb) {
	if len(os.Args) != 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: %s VERB, with BENCH_ADDR and BENCH_ITEMS set\n", os.Args[0])
		os.Exit(64)
	}
	client := redis.NewClient(&redis.Options{Addr: os.Getenv("BENCH_ADDR")})
	defer client.Close()
	result, err := verbs[os.Args[1]](context.Background(), client, Number("BENCH_ITEMS"))
	if err == nil {
		result.PeakRSS = PeakRSS("self")
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// PeakRSS is the largest resident memory of a process so far, in bytes. A parent's rusage of its child would not do: it includes
// the parent's own memory between fork and exec.
func PeakRSS(process string) int64 {
	status, _ := os.ReadFile("/proc/" + process + "/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseInt(kib, 10, 64)
	return n * 1024
}

// Number reads a whole number from the environment, 0 if there is none.
func Number(variable string) int {
	n, _ := strconv.Atoi(os.Getenv(variable))
	return n
}

// Payload is the i-th item: 16 bytes.
func Payload(i int) string {
	const digits = "0000000000000000"
	s := strconv.Itoa(i)
	return digits[:len(digits)-len(s)] + s
}

// Payloads makes items before the clock starts.
func Payloads(n int) []string {
	payloads := make([]string, n)
	for i := range payloads {
		payloads[i] = Payload(i)
	}
	return payloads
}
