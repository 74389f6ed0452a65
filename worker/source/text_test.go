package source

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	archive "archive/zip"
)

func gzipped(t *testing.T, text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.String()
}

func zipped(t *testing.T, text string) string {
	var out bytes.Buffer
	w := archive.NewWriter(&out)
	file, err := w.Create("list.txt")
	if err == nil {
		_, err = file.Write([]byte(text))
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.String()
}

func inUTF16(order binary.AppendByteOrder, text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// TestWhatIsNoText: in every format, what is no text is refused in the line where that shows, with the way out, and nothing of it is an item.
func TestWhatIsNoText(t *testing.T) {
	t.Parallel()
	texts := map[Format]string{Lines: "a\nb\n", CSV: "a,b\n1,2\n", TSV: "a\tb\n1\t2\n", JSONL: "1\n2\n", "json": "[1,2]\n"}
	const json = Format("json")
	for format, text := range texts {
		lists := map[string]struct {
			list string
			want []string
		}{
			"gzip":            {gzipped(t, text), []string{"line 1, column 1: ", "gzip", "gunzip"}},
			"zip":             {zipped(t, text), []string{"line 1, column 1: ", "zip archive", "unpack"}},
			"empty zip":       {"PK\x05\x06" + strings.Repeat("\x00", 18), []string{"line 1, column 1: ", "zip archive"}}, // no file is in it
			"zip in parts":    {"PK\x07\x08" + zipped(t, text), []string{"line 1, column 1: ", "zip archive"}},
			"7z":              {"7z\xbc\xaf\x27\x1c\x00\x04" + text, []string{"line 1, column 1: ", "7z archive", "unpack"}},
			"lz4":             {"\x04\x22\x4d\x18\x64\x40" + text, []string{"line 1, column 1: ", "lz4", "unlz4"}},
			"compress":        {"\x1f\x9d\x90" + text, []string{"line 1, column 1: ", "uncompress"}},
			"zstd":            {"\x28\xb5\x2f\xfd\x04\x00" + text, []string{"zstd", "unzstd"}},
			"xz":              {"\xfd7zXZ\x00\x00" + text, []string{"xz", "unxz"}},
			"bzip2":           {"BZh91AY&SY" + text, []string{"bzip2", "bunzip2"}},
			"UTF-16, LE":      {"\xff\xfe" + inUTF16(binary.LittleEndian, text), []string{"line 1, column 1: ", "UTF-16", "save it as UTF-8"}},
			"UTF-16, BE":      {"\xfe\xff" + inUTF16(binary.BigEndian, text), []string{"line 1, column 1: ", "UTF-16", "save it as UTF-8"}},
			"UTF-16, LE bare": {inUTF16(binary.LittleEndian, text), []string{"line 1, column ", "UTF-16", "save it as UTF-8"}},
			"UTF-16, BE bare": {inUTF16(binary.BigEndian, text), []string{"line 1, column ", "UTF-16", "save it as UTF-8"}},
		}
		if format != json {
			lists["carriage returns"] = struct {
				list string
				want []string
			}{strings.ReplaceAll(text, "\n", "\r"), []string{"line 1, column ", "carriage return", "save the text with line feeds"}}
			lists["a NUL"] = struct {
				list string
				want []string
			}{strings.Replace(text, "\n", "\n\x00", 1), []string{"line 2, column 1: a NUL byte"}}
			lists["far away"] = struct {
				list string
				want []string
			}{"a" + strings.Repeat("x", 3*bufferSize) + "\x00\n", []string{fmt.Sprintf("line 1, column %d: a NUL byte", 3*bufferSize+2)}}
		}
		for name, test := range lists {
			items, err := read(test.list, Layout{format, '\n'})
			if format == json {
				items = nil
				err = readJSON(strings.NewReader(test.list), func(payload string) error {
					items = append(items, payload)
					return nil
				})
			}
			if name == "a NUL" {
				items = nil // the line before it
			}
			if line := (*LineError)(nil); !errors.As(err, &line) || len(items) > 0 {
				t.Errorf("%s, %s: %v, with %q", format, name, err, items)
				continue
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s, %s: %v; want %q", format, name, err, part)
				}
			}
		}
		marked, plain := "\ufeff"+text, text
		if format != json {
			got, err := read(marked, Layout{format, '\n'})
			want, wantErr := read(plain, Layout{format, '\n'})
			if strings.Join(got, "\n") != strings.Join(want, "\n") || err != nil || wantErr != nil {
				t.Errorf("%s: with a byte order mark: %q, %v; without: %q, %v", format, got, err, want, wantErr)
			}
		}
	}
}

// TestNULsDelimit: between NULs a list has items of any bytes, unless it is compressed as a whole.
func TestNULsDelimit(t *testing.T) {
	t.Parallel()
	want := []string{"\ufeffa\r", "\xff\xfe\n", "", "b\rc\r\n", "\x1f\x8b"}
	items, err := read(strings.Join(want, "\x00")+"\x00", Layout{Lines, 0})
	if err != nil || strings.Join(items, "\x00") != strings.Join(want, "\x00") {
		t.Errorf("got %q, %v", items, err)
	}
	if items, err = read(gzipped(t, "a\x00b\x00"), Layout{Lines, 0}); err == nil || len(items) > 0 {
		t.Errorf("%q of a compressed list", items)
	}
}
