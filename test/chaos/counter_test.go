package chaos

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// counter counts the runs of items outside the cluster, where no fault can make it forget. Each item calls it over HTTP and ends
// only after the reply, so the counter learns of an item before Redis does: an item that is done and was never counted is lost.
type counter struct {
	url   string
	items int

	mu       sync.Mutex
	began    []int            // times an item asked to begin, by its number; only some programs ask
	counted  []int            // times an item was counted
	distinct int              // items that were counted at least once
	by       map[string]int   // counts by pod
	last     time.Time        // when the last item was counted for the first time
	strange  map[string]error // calls that no item makes
}

// newCounter starts a counter at an address of this machine that the nodes can reach.
func newCounter(t *testing.T, address string, items int) *counter {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatalf("the counter: %v", err)
	}
	c := &counter{url: "http://" + listener.Addr().String(), items: items,
		began: make([]int, items+1), counted: make([]int, items+1), by: map[string]int{}, strange: map[string]error{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /begin/{item}", c.begin)
	mux.HandleFunc("GET /count/{item}/{pod}", c.count)
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return c
}

// begin returns how often the item has begun, this time included.
func (c *counter) begin(w http.ResponseWriter, r *http.Request) {
	if item, ok := c.item(w, r); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.began[item]++
		fmt.Fprintln(w, c.began[item])
	}
}

func (c *counter) count(w http.ResponseWriter, r *http.Request) {
	if item, ok := c.item(w, r); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.counted[item]++; c.counted[item] == 1 {
			c.distinct++
			c.last = time.Now()
		}
		c.by[r.PathValue("pod")]++
	}
}

// item is the number in a call's path.
func (c *counter) item(w http.ResponseWriter, r *http.Request) (int, bool) {
	item, err := strconv.Atoi(r.PathValue("item"))
	if err == nil && (item < 1 || item > c.items) {
		err = fmt.Errorf("there is no item %d", item)
	}
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.strange[r.URL.Path] = err
		http.Error(w, err.Error(), http.StatusBadRequest)
		return 0, false
	}
	return item, true
}

// done returns how many items were counted at least once, and when the last of them was.
func (c *counter) done() (int, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.distinct, c.last
}

// again returns the number of surplus runs.
func (c *counter) again() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	again := -c.distinct
	for _, n := range c.counted {
		again += n
	}
	return again
}

// missing returns the items that were never counted.
func (c *counter) missing() (items []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for item := 1; item <= c.items; item++ {
		if c.counted[item] == 0 {
			items = append(items, item)
		}
	}
	return items
}
