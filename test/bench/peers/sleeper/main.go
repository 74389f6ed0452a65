// Sleeper is the user's program in the makespan benchmark. An item is "number:milliseconds"; the program sleeps for that
// long and appends a line to the file SLEEPER_LOG: number, start and end in nanoseconds since 1970.
//
//	sleeper one ITEM   one item, as exec mode, xargs and GNU parallel run it
//	sleeper batch      one item a line on standard input
//	sleeper stream     the stream protocol, one request at a time
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sleeper:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "one":
		return sleep(args[1])
	case len(args) == 1 && args[0] == "batch":
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			if err := sleep(lines.Text()); err != nil {
				return err
			}
		}
		return lines.Err()
	case len(args) == 1 && args[0] == "stream":
		return stream()
	}
	return fmt.Errorf("unknown arguments %q", args)
}

func sleep(item string) error {
	started := time.Now()
	number, millis, _ := strings.Cut(item, ":")
	duration, err := strconv.Atoi(millis)
	if err != nil {
		return fmt.Errorf("item %q: %w", item, err)
	}
	time.Sleep(time.Duration(duration) * time.Millisecond)
	log, err := os.OpenFile(os.Getenv("SLEEPER_LOG"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	_, err = fmt.Fprintf(log, "%s %d %d\n", number, started.UnixNano(), time.Now().UnixNano())
	return err
}

func stream() error {
	requests, responses := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for requests.More() {
		var request struct{ ID, Item string }
		if err := requests.Decode(&request); err != nil {
			return err
		}
		if err := sleep(request.Item); err != nil {
			return err
		}
		if err := responses.Encode(map[string]string{"id": request.ID, "status": "done"}); err != nil {
			return err
		}
	}
	return nil
}
