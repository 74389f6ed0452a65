package queue

import (
	"fmt"
	"strings"
	"testing"
)

func FuzzParseEnvelope(f *testing.F) {
	for _, envelope := range []string{"1:0:0:0:0:", "17:2:1:0:4:a:b", "x", "1:2:3", "1:-2:3:0:0:x", "1:2:99999999999999999999:0:0:x", ":::::", "1:0:0:0:0:\x00\xff"} {
		f.Add(envelope)
	}
	f.Fuzz(func(t *testing.T, envelope string) {
		item, err := parseEnvelope(envelope)
		if err != nil {
			return
		}
		again, err := parseEnvelope(fmt.Sprintf("%s:%d:%d:%d:0:%s", item.ID, item.Attempts, item.Crashes, item.Snoozes, item.Payload))
		if err != nil || again != item {
			t.Errorf("%q: %+v, and again %+v, %v", envelope, item, again, err)
		}
		if !strings.HasSuffix(envelope, item.Payload) {
			t.Errorf("%q: payload %q", envelope, item.Payload)
		}
	})
}

// FuzzParseReply makes replies of any parts, each of them of the right type or not.
func FuzzParseReply(f *testing.F) {
	blobs := []string{"", ":", "1:\na", "1:1700000000000\na\nb", "0:1700000000000\n7:1:0:0:0:a", "0:1700000000000\na",
		"-1:1700000000000\n7:1:2:0:1:a", "9223372036854775807:1\na\nb", "1:x\n"}
	for i, blob := range blobs {
		f.Add("items", int64(0), "epoch", "w:1", blob, int64(i), "lost", byte(0))
		f.Add("items", int64(0), "epoch", "w:1", blob, int64(i), "lost", byte(1)<<(i%8))
	}
	f.Add("wait", int64(-1), "", "", "", int64(0), "", byte(0))
	f.Add("vanished", int64(1)<<62, "", "", "", int64(-1), "", byte(0xff))
	f.Fuzz(func(t *testing.T, status string, wait int64, epoch, id, blob string, isolate int64, lost string, wrong byte) {
		values := strings.Split(blob, "\n")
		raw := []any{status, wait, epoch, id, isolate, []any{lost, int64(1)}, []any{lost, blob}, isolate}
		for i := range raw {
			if wrong&(1<<i) != 0 {
				raw[i] = []any{nil, 3.14, raw[i]}[i%3]
			}
		}
		for cut := range len(raw) {
			if _, _, err := parseReply(raw[:cut], values); err == nil {
				t.Fatalf("%d parts are a reply", cut)
			}
		}
		reply, _, err := parseReply(raw, values)
		if err != nil {
			return
		}
		if (reply.Batch != nil) != (reply.Status == StatusItems) {
			t.Errorf("status %s, batch %+v", reply.Status, reply.Batch)
		}
		if reply.Batch != nil && reply.Batch.Suspect && len(reply.Batch.Items) > 0 {
			if _, err := parseEnvelope(reply.Batch.Items[0].ID + ":0:0:0:0:"); err != nil {
				t.Errorf("a suspect with the id %q", reply.Batch.Items[0].ID)
			}
		}
	})
}

func FuzzParseCounts(f *testing.F) {
	f.Add("epoch\nx\nready\n1\ntaken\n2\nnow\n1700000000000")
	f.Add("ready\n-1\nready\n99999999999999999999\nodd")
	f.Add("")
	f.Fuzz(func(t *testing.T, lines string) {
		c := parseCounts(strings.Split(lines, "\n"))
		if c.Drained() && !c.Sealed {
			t.Errorf("drained without a seal: %+v", c)
		}
	})
}
