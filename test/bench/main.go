// Bench compares the queue with plain lists and with other queues on Redis. Start it with the script run, which builds it and its
// peers. It writes report.md and report.json into the folder named by its first argument. Further arguments name the parts to
// measure; without them it measures all.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// scale says how much is measured, and so how long it takes.
type scale struct {
	rounds      int           // of each comparison
	otherRounds int           // in which the other queues take part
	target      time.Duration // of one run
	seedRounds  int
	seedItems   int
	largeItems  int
	loadItems   int
	crowdTime   time.Duration
	trials      int           // of a recovery
	makespan    time.Duration // work for each slot
}

var (
	full  = scale{rounds: 5, otherRounds: 3, target: 1500 * time.Millisecond, seedRounds: 9, seedItems: 3e6, largeItems: 10e6, loadItems: 1e6, crowdTime: 12 * time.Second, trials: 7, makespan: 10 * time.Second}
	quick = scale{rounds: 3, otherRounds: 1, target: 400 * time.Millisecond, seedRounds: 3, seedItems: 1e6, largeItems: 1e6, loadItems: 1e5, crowdTime: 3 * time.Second, trials: 2, makespan: 5 * time.Second}
)

func main() {
	log.SetFlags(log.Ltime)
	log.SetPrefix("bench ")
	if len(os.Args) < 2 {
		log.Fatal("usage: bench FOLDER [PART...]; start it with test/bench/run [PART...]")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	sizes := full
	if os.Getenv("BENCH_QUICK") == "1" {
		sizes = quick
	}
	report, err := measure(ctx, sizes, os.Args[2:])
	if err == nil {
		err = report.write(os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

// measure runs the given parts, each on a server of its own.
func measure(ctx context.Context, sizes scale, names []string) (*report, error) {
	r := newReport(sizes == quick)
	parts := []struct {
		name    string
		measure func(context.Context, *server) error
	}{
		{"drain", func(ctx context.Context, s *server) (err error) {
			r.Loopback, err = contest(ctx, s, s.addr, sizes)
			return err
		}},
		{"drain-1ms", func(ctx context.Context, s *server) error {
			addr, stop, err := startProxy(s.addr, time.Millisecond)
			if err != nil {
				return err
			}
			defer stop()
			r.Millisecond, err = contest(ctx, s, addr, sizes)
			return err
		}},
		{"seed", func(ctx context.Context, s *server) (err error) {
			r.Seed, err = measureSeed(ctx, s, sizes)
			return err
		}},
		{"large", func(ctx context.Context, s *server) (err error) {
			r.Large, err = measureLarge(ctx, s, sizes)
			return err
		}},
		{"crowd", func(ctx context.Context, s *server) (err error) {
			r.Crowd, err = measureCrowd(ctx, s, sizes)
			return err
		}},
		{"load", func(ctx context.Context, s *server) (err error) {
			r.Load, err = measureLoad(ctx, s, sizes)
			return err
		}},
		{"recovery", func(ctx context.Context, s *server) (err error) {
			r.Recovery, err = measureRecovery(ctx, s, sizes)
			return err
		}},
		{"costs", func(ctx context.Context, s *server) (err error) {
			r.Costs, err = measureCosts(ctx, s, sizes)
			return err
		}},
		{"makespan", func(ctx context.Context, s *server) (err error) {
			r.Makespans, err = measureMakespan(ctx, s, sizes)
			return err
		}},
	}
	for _, part := range parts {
		if len(names) > 0 && !slices.Contains(names, part.name) {
			continue
		}
		log.Printf("%s, at a load of %s", part.name, load())
		condition := Condition{Part: part.name, Load: load()}
		err := func() error {
			s, err := startServer(ctx)
			if err != nil {
				return err
			}
			defer s.stop()
			others := s.watch()
			err = part.measure(ctx, s)
			condition.Others, condition.Repeated = others(), s.repeated
			return err
		}()
		r.Conditions = append(r.Conditions, condition)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	r.finish()
	return r, nil
}
