// Sleeper is the user's program in the makespan benchmark. An item is "number:milliseconds"; the program sleeps for that
// long and appends a line to the file SLEEPER_LOG: number, start and end in nanoseconds since 1970.
//
//	sleeper one ITEM   one item, as exec mode, xargs and GNU parallel run it
//	sleeper batch      one item a line on standard input
//	sleeper stream     the stream protocol, one request at a time
//
// Two more do not sleep: they show what the worker itself costs.
//
//	sleeper echo [STATUS]  the stream protocol, each response at once
//	sleeper count          reads all of standard input, and appends a line to SLEEPER_LOG
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// messages is descriptor 3, on which a program of the stream protocol responds.
var messages = os.NewFile(3, "messages")

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
	case len(args) > 0 && args[0] == "echo":
		return echo(append(args, "done")[1])
	case len(args) == 1 && args[0] == "count":
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return err
		}
		return note("one process")
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
	return note(fmt.Sprintf("%s %d %d", number, started.UnixNano(), time.Now().UnixNano()))
}

// note appends a line to the log.
func note(line string) error {
	log, err := os.OpenFile(os.Getenv("SLEEPER_LOG"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	_, err = fmt.Fprintln(log, line)
	return err
}

// echo responds as fast as a program can. It knows that the ID comes first.
func echo(status string) error {
	in := bufio.NewReaderSize(os.Stdin, 64<<10)
	var id []byte
	for begins := true; ; {
		part, err := in.ReadSlice('\n')
		if begins && len(part) > 0 {
			before, _, _ := bytes.Cut(part, []byte(`","attempt"`))
			id = append(id[:0], bytes.TrimPrefix(before, []byte(`{"id":"`))...)
		}
		begins = err == nil
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return err
		default:
			if _, err := fmt.Fprintf(messages, `{"id":"%s","status":"%s"}`+"\n", id, status); err != nil {
				return err
			}
		}
	}
}

func stream() error {
	requests, responses := json.NewDecoder(os.Stdin), json.NewEncoder(messages)
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
