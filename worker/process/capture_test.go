package process

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// progress has what ffmpeg, rsync, pip or tqdm print: a status that overwrites itself.
func progress() string {
	var bars strings.Builder
	for i := range 200 {
		fmt.Fprintf(&bars, "frame=%5d fps= 25 q=28.0 size=  1024kB time=00:00:%02d.00 bitrate=1000kbits/s speed=1x    \r", i, i%60)
	}
	return bars.String()
}

func TestTail(t *testing.T) {
	long := strings.Repeat("é", tailBytes)
	for _, test := range []struct {
		name, written, want string
		truncated           bool
	}{
		{"lines", "a\nb\n", "a\nb", false},
		{"a bar before the cause", progress() + "in.mov: Invalid data found\nConversion failed!\n", "in.mov: Invalid data found\nConversion failed!", false},
		{"a cause before the bar", "cannot read x\n" + progress() + "\ndone\n", "cannot read x\nframe=  199 fps= 25 q=28.0 size=  1024kB time=00:00:19.00 bitrate=1000kbits/s speed=1x    \ndone", false},
		{"a bar that begins with the return", "start\n\r 1%\r 50%\r 100%", "start\n 100%", false},
		{"a bar at the end", "start\n 1%\r 2%\r", "start\n 2%", false},
		{"line ends of Windows", "a\r\nb\r\n", "a\nb", false},
		{"returns twice", "a\r\r\nb", "a\nb", false},
		{"a bar after much output", strings.Repeat("line\n", 2000) + progress() + "last", strings.Repeat("line\n", 801) + "last", true},
		{"a long line", "x" + long, long[:tailBytes], true},
		{"a long line, cut in a character", long + "x", long[:tailBytes-2] + "x", true},
		{"a long line that is written over", long + "\rshort\n", "short", true},
		{"a long line, then short ones", long + "\nb\n", "b", true},
	} {
		for _, size := range []int{1, 7, 1000, len(test.written)} {
			tail := &Tail{}
			stream := tail.Stream()
			for rest := []byte(test.written); len(rest) > 0; {
				n := min(size, len(rest))
				_, _ = stream.Write(rest[:n])
				rest = rest[n:]
			}
			if got, truncated := tail.Lines(); got != test.want || truncated != test.truncated {
				t.Errorf("%s, %d bytes at a time: got %d bytes, %.200q, %v", test.name, size, len(got), got, truncated)
			}
		}
	}
}

// TestTailOfTwoStreams: what one stream writes does not fall into a character of the other, wherever a program's buffer or a KILL cuts it.
func TestTailOfTwoStreams(t *testing.T) {
	for _, test := range []struct {
		name          string
		out, err, end string // on standard output, then on standard error, then on standard output again
		want          string
		truncated     bool
	}{
		{"a buffer of 4,096 bytes", strings.Repeat("x", 95) + "\n" + strings.Repeat("é", 2000)[:3999], "no space left\n", "\xa9 fin\n", "", true},
		{"a character cut in two", "caf\xc3", "oops\n", "\xa9\n", "cafoops\né", false},
		{"ended within a character", "done: \xe2\x82", "", "", "done: ", true},
		{"ended within a character, after what is no UTF-8", "\xff: \xe2\x82", "", "", "\xff: \xe2\x82", false},
		{"Latin-1", "caf\xe9\n", "", "", "caf\xe9", false},
		{"a bar on one stream, the cause on the other", " 1%\r 2%\r", "cannot read x\n", "", "cannot read x", false},
	} {
		tail := &Tail{}
		stdout, stderr := tail.Stream(), tail.Stream()
		for _, part := range []struct {
			to   io.Writer
			text string
		}{{stdout, test.out}, {stderr, test.err}, {stdout, test.end}} {
			_, _ = io.WriteString(part.to, part.text)
		}
		got, truncated := tail.Lines()
		if test.want == "" {
			if !utf8.ValidString(got) || !strings.Contains(got, "no space left") {
				t.Errorf("%s: %d bytes, %.100q", test.name, len(got), got)
			}
		} else if got != test.want || truncated != test.truncated {
			t.Errorf("%s: %q, %v", test.name, got, truncated)
		}
	}
}

// TestHead: what fits is kept to the byte. Of what does not, the text that is written over goes first.
func TestHead(t *testing.T) {
	text, lastBar := "first\nsecond\n", progress()[199*91:]
	for _, test := range []struct {
		name, written string
		limit         int
		want          string
		truncated     bool
	}{
		{"all", "a\rb\r\n", 10, "a\rb\r\n", false},
		{"bars before the result", progress() + "\nresult\n", 200, lastBar + "\nresult\n", true},
		{"bars after it", text + progress(), 120, text + lastBar, true},
		{"bars, and too much", progress() + "\n" + strings.Repeat("x", 300), 100, lastBar + "\n" + strings.Repeat("x", 100-92), true},
		{"line ends of Windows", strings.Repeat("ab\r\n", 10), 10, "ab\r\nab\r\nab", true},
		{"no text", "\xff\x00a\rb\rc" + strings.Repeat("d", 10), 8, "\xff\x00a\rb\rcd", true},
		{"nothing to keep", "abc", 0, "", true},
	} {
		for _, size := range []int{1, 7, 1000, len(test.written)} {
			head := &Head{Limit: test.limit}
			for rest := []byte(test.written); len(rest) > 0; {
				n := min(size, len(rest))
				_, _ = head.Write(rest[:n])
				rest = rest[n:]
			}
			if got, truncated := head.Text(); got != test.want || truncated != test.truncated {
				t.Errorf("%s, %d bytes at a time: %q, %v, want %q", test.name, size, got, truncated, test.want)
			}
		}
	}
}

// TestNothingIsCutInACharacter: text that is UTF-8 stays so, wherever it is cut.
func TestNothingIsCutInACharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		written := strings.Repeat(rapid.StringN(1, 5, -1).Draw(t, "text"), rapid.SampledFrom([]int{1, 10, 2000}).Draw(t, "times"))
		tail, head := &Tail{}, &Head{Limit: rapid.IntRange(1, 100).Draw(t, "limit")}
		stream := tail.Stream()
		for rest := []byte(written); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "bytes")
			_, _ = stream.Write(rest[:n])
			_, _ = head.Write(rest[:n])
			rest = rest[n:]
		}
		last, _ := tail.Lines()
		first, truncated := head.Text()
		if !utf8.ValidString(last) || !utf8.ValidString(first) || !strings.Contains(written, "\r") && !strings.HasPrefix(written, first) || truncated != (len(written) > head.Limit) {
			t.Errorf("%q: %q … %q", written, first, last)
		}
	})
	for _, before := range []string{"", "x", "xx", "xxx"} {
		var out bytes.Buffer
		o := &Output{Format: "tagged", Out: &out, Err: &out}
		w, _, flush := o.Writers(Origin{Label: "l"})
		text := before + strings.Repeat("€😀", maxLine/3)
		for rest := []byte(text); len(rest) > 0; {
			n := min(1001, len(rest))
			_, _ = w.Write(rest[:n])
			rest = rest[n:]
		}
		flush()
		got := ""
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(strings.TrimPrefix(line, "l: "), "\n")
			if !utf8.ValidString(line) || len(line) > maxLine {
				t.Errorf("a line of %d bytes ends with %q", len(line), line[len(line)-4:])
			}
			got += line
		}
		if got != text {
			t.Errorf("got %d bytes of %d", len(got), len(text))
		}
	}
}
