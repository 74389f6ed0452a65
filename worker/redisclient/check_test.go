package redisclient

import (
	"strings"
	"testing"
)

func TestUnfit(t *testing.T) {
	for _, test := range []struct{ info, says string }{
		{"redis_version:7.0.15\r\nredis_mode:standalone\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n", ""},
		{"redis_version:6.2.0\r\nmaxmemory:100\r\nmaxmemory_policy:noeviction\r\n", ""},
		{"redis_version:6.0.16\r\n", "version 6.0.16 (6.2 or newer"},
		{"redis_version:5.0.7\r\n", "version 5.0.7 (6.2 or newer"},
		{"redis_version:8\r\n", ""},
		{"redis_version:10.0\r\n", ""},
		{"redis_version:unstable\r\n", ""},
		{"", ""}, // INFO is forbidden
		{"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n", ""},
		{"maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", ""},
		{"maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n", "evicts any key"},
		{"maxmemory:100\r\nmaxmemory_policy:volatile-lru\r\n", ""}, // the keys of a run in progress have no time to live
		{"redis_mode:sentinel\r\n", "it is a Sentinel"},
	} {
		got := unfit(parseInfo(test.info))
		if (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
			t.Errorf("%q: got %q, want %q", test.info, got, test.says)
		}
	}
}
