package queue

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pack writes what cmsgpack.pack writes for a list of strings.
func pack(values []string) string {
	var b []byte
	size := func(n int, fixed byte, small int, wide [3]byte) {
		switch {
		case n <= small:
			b = append(b, fixed|byte(n))
		case n <= 0xff && wide[0] != 0:
			b = append(b, wide[0], byte(n))
		case n <= 0xffff:
			b = binary.BigEndian.AppendUint16(append(b, wide[1]), uint16(n))
		default:
			b = binary.BigEndian.AppendUint32(append(b, wide[2]), uint32(n))
		}
	}
	if len(values) == 0 {
		return "\x80"
	}
	size(len(values), 0x90, 0x0f, [3]byte{0, 0xdc, 0xdd})
	for _, v := range values {
		size(len(v), 0xa0, 0x1f, [3]byte{0xd9, 0xda, 0xdb})
		b = append(b, v...)
	}
	return string(b)
}

func FuzzUnpackStrings(f *testing.F) {
	for _, values := range [][]string{nil, {""}, {"a", "\x00\xff"}, {strings.Repeat("x", 31), strings.Repeat("x", 32)},
		{strings.Repeat("x", 256), strings.Repeat("x", 1<<16)}, slices.Repeat([]string{"y"}, 16), slices.Repeat([]string{"z"}, 1<<16)} {
		f.Add(pack(values))
		f.Add(pack(values) + "\xa0")
	}
	for _, broken := range []string{"", "\x91", "\x91\xc0", "\x92\xa0", "\xdd\xff\xff\xff\xff", "\xdd\x00\x00\x00\x01\xdb\xff\xff\xff\xff", "\x91\xd9"} {
		f.Add(broken)
	}
	f.Fuzz(func(t *testing.T, packed string) {
		values, err := unpackStrings(packed)
		if err != nil {
			return
		}
		again, err := unpackStrings(pack(values))
		if err != nil || !slices.Equal(again, values) {
			t.Errorf("%q: unpacked %q, and packed again %q, %v", packed, values, again, err)
		}
	})
}

func FuzzParseEnvelope(f *testing.F) {
	for _, envelope := range []string{"1:0:0:", "17:2:1:a:b", "x", "1:2:3", "1:-2:3:x", "1:2:99999999999999999999:x", ":::", "1:0:0:\x00\xff"} {
		f.Add(envelope)
	}
	f.Fuzz(func(t *testing.T, envelope string) {
		item, err := parseEnvelope(envelope)
		if err != nil {
			return
		}
		again, err := parseEnvelope(fmt.Sprintf("%s:%d:%d:%s", item.ID, item.Attempts, item.Crashes, item.Payload))
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
	blobs := []string{"", ":", "1:" + pack([]string{"a"}), "-1:" + pack([]string{"1:0:0:a"}), "0:" + pack([]string{"a"}),
		"1:1700000000000:" + pack([]string{"a", "b"}), "0:1700000000000:" + pack([]string{"7:1:0:a"}),
		"-1:1700000000000:" + pack([]string{"7:1:2:a"}), "9223372036854775807:1:" + pack([]string{"a", "b"}), "1:x:\x90"}
	for i, blob := range blobs {
		f.Add("items", int64(0), "epoch", "w:1", blob, int64(i), "lost", byte(0))
		f.Add("items", int64(0), "epoch", "w:1", blob, int64(i), "lost", byte(1)<<(i%8))
	}
	f.Add("wait", int64(-1), "", "", "", int64(0), "", byte(0))
	f.Add("vanished", int64(1)<<62, "", "", "", int64(-1), "", byte(0xff))
	f.Fuzz(func(t *testing.T, status string, wait int64, epoch, id, blob string, suspects int64, lost string, wrong byte) {
		raw := []any{status, wait, epoch, id, blob, suspects, []any{lost, int64(1)}, []any{lost, blob}}
		for i := range raw {
			if wrong&(1<<i) != 0 {
				raw[i] = []any{nil, 3.14, raw[i]}[i%3]
			}
		}
		for cut := range len(raw) {
			if _, _, err := parseReply(raw[:cut]); err == nil {
				t.Fatalf("%d parts are a reply", cut)
			}
		}
		reply, _, err := parseReply(raw)
		if err != nil {
			return
		}
		if (reply.Batch != nil) != (reply.Status == Items) {
			t.Errorf("status %s, batch %+v", reply.Status, reply.Batch)
		}
		if reply.Batch != nil && reply.Batch.Suspect && len(reply.Batch.Items) > 0 {
			if _, err := parseEnvelope(reply.Batch.Items[0].ID + ":0:0:"); err != nil {
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
