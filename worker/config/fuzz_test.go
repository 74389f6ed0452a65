package config

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// FuzzLoad sets one variable to anything: it is taken, or refused by its name; what is secret is never repeated.
func FuzzLoad(f *testing.F) {
	names := []string{"WQ_QUEUE", "WQ_REDIS_URL", "WQ_REDIS_PASSWORD", "WQ_REDIS_ADDRS", "WQ_REDIS_CLUSTER", "WQ_REDIS_UNREACHABLE_TIMEOUT",
		"WQ_REDIS_SENTINEL_PASSWORD", "WQ_REDIS_USERNAME", "WQ_COMMAND", "WQ_CONCURRENCY", "WQ_ITEM_TIMEOUT", "WQ_LEASE",
		"WQ_BACKOFF_MAX", "WQ_DEAD_EXIT_CODES", "WQ_SNOOZE_EXIT_CODES", "WQ_LOG_LEVEL", "WQ_LOG_FORMAT"}
	secret := []string{"WQ_REDIS_URL", "WQ_REDIS_PASSWORD", "WQ_REDIS_SENTINEL_PASSWORD"}
	for i := range names {
		for _, value := range []string{"", "x", "0", "-1", "30s", "-5m", "1e9h", "true", "99999999999999999999",
			"redis://user:s3cret@host:1/2", "rediss://:%zz@h/0?db=x", "redis://s3cret?pool_size=s3cret", "unix:///s", "a:1,b:2,:3",
			`["sh","-c","{}"]`, `[""]`, `{}`, "75,1, 255", "0", "256", "job{2}"} {
			f.Add(i, value)
		}
	}
	f.Fuzz(func(t *testing.T, i int, value string) {
		if strings.Contains(value, "\x00") {
			return // no variable holds that
		}
		name := names[uint(i)%uint(len(names))]
		os.Clearenv()
		t.Setenv("WQ_QUEUE", "job2")
		t.Setenv("WQ_COMMAND", `["true"]`)
		t.Setenv(name, value)
		err := Load(&Work{})
		if err == nil {
			return
		}
		// A user without a password may be in the URL.
		if !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), "WQ_REDIS_") && !strings.Contains(err.Error(), "WQ_BACKOFF_INITIAL") {
			t.Errorf("%s=%q: the error does not name it: %v", name, value, err)
		}
		if slices.Contains(secret, name) && len(value) > 20 && strings.Contains(err.Error(), value) {
			t.Errorf("%s=%q is repeated: %v", name, value, err)
		}
		if strings.Contains(err.Error(), "s3cret") && slices.Contains(secret, name) {
			t.Errorf("%s=%q is told: %v", name, value, err)
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, value := range []string{`["a"]`, `["a","{}"]`, `[]`, `[""]`, `"a"`, `["a",1]`, `null`, `[null]`, `["a"] x`, "[\"\\ud800\"]"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var c Command
		if c.Decode(value) != nil || value == "" {
			return
		}
		if len(c) == 0 || c[0] == "" {
			t.Fatalf("%q is a command without a program", value)
		}
		text, err := json.Marshal(c)
		var again Command
		if err != nil || again.Decode(string(text)) != nil || !slices.Equal(c, again) {
			t.Errorf("%q: %q, and again %q", value, c, again)
		}
	})
}

func FuzzExitCodes(f *testing.F) {
	for _, value := range []string{"", "1", "1,2,3", " 75 , ,255", "0", "256", "-1", "1.5", "x"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var codes ExitCodes
		if codes.Decode(value) != nil {
			return
		}
		for _, code := range codes {
			if code < 1 || code > 255 {
				t.Errorf("%q: %d is no exit code", value, code)
			}
		}
	})
}

func FuzzAddrs(f *testing.F) {
	for _, value := range []string{"", "a:1", "a:1, b:2,", "[::1]:1", "::1:1", "a", ":1", "a:"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var addrs, again Addrs
		if addrs.Decode(value) != nil {
			return
		}
		if err := again.Decode(strings.Join(addrs, ",")); err != nil || !slices.Equal(addrs, again) {
			t.Errorf("%q: %q, and again %q, %v", value, addrs, again, err)
		}
	})
}
