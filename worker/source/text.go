package source

import (
	"bufio"
	"bytes"
)

const (
	notUTF8    = "the text is not UTF-8; save it as UTF-8"
	isUTF16    = "the text is UTF-16; save it as UTF-8"
	loneReturn = "a carriage return that no line feed follows; save the text with line feeds, or with both, as line ends"
)

// nulByte returns what is wrong with a NUL in a text.
func (l *List) nulByte() string {
	problem := "a NUL byte, which no text has; if this is UTF-16, save it as UTF-8"
	if l.layout.Format == Lines {
		problem += ", and if NULs separate the items, set WQ_DELIMITER (itemsFrom.delimiter) to nul"
	}
	return problem
}

// foreign has the beginnings of files that are no lists.
var foreign = []struct{ start, problem string }{
	{"\x1f\x8b\x08", "the list is compressed with gzip; decompress it first: gunzip"},
	{"\x28\xb5\x2f\xfd", "the list is compressed with zstd; decompress it first: unzstd"},
	{"\xfd7zXZ\x00", "the list is compressed with xz; decompress it first: unxz"},
	{"BZh11AY&SY", bzip2}, {"BZh21AY&SY", bzip2}, {"BZh31AY&SY", bzip2}, {"BZh41AY&SY", bzip2}, {"BZh51AY&SY", bzip2},
	{"BZh61AY&SY", bzip2}, {"BZh71AY&SY", bzip2}, {"BZh81AY&SY", bzip2}, {"BZh91AY&SY", bzip2},
	{"\x04\x22\x4d\x18", "the list is compressed with lz4; decompress it first: unlz4"},
	{"\x1f\x9d\x90", "the list is compressed with compress; decompress it first: uncompress"},
	{"7z\xbc\xaf\x27\x1c", "this is a 7z archive and no list; unpack it first"},
	{"PK\x03\x04", zip}, {"PK\x05\x06", zip}, {"PK\x07\x08", zip},
}

const (
	bzip2 = "the list is compressed with bzip2; decompress it first: bunzip2"
	zip   = "this is a zip archive, or a spreadsheet in one, and no list; unpack it first, or save the sheet as CSV in UTF-8"
)

// checkStart refuses what begins as no list does, and skips the byte order mark of a text. It waits for no more of the list than it takes
// to know.
func checkStart(r *bufio.Reader, text bool) error {
	for _, f := range foreign {
		if startsWith(r, f.start) {
			return &LineError{1, 1, f.problem}
		}
	}
	const utf8Mark, utf16Mark, utf16SwappedMark = "\ufeff", "\xfe\xff", "\xff\xfe"
	switch {
	case !text:
	case startsWith(r, utf16Mark), startsWith(r, utf16SwappedMark):
		return &LineError{1, 1, isUTF16}
	case startsWith(r, utf8Mark):
		_, err := r.Discard(len(utf8Mark))
		return err
	}
	return nil
}

func startsWith(r *bufio.Reader, text string) bool {
	for n := 1; n <= len(text); n++ {
		if start, _ := r.Peek(n); string(start) != text[:n] {
			return false
		}
	}
	return true
}

// checkJSON refuses what begins as no JSON does, and skips a byte order mark.
func checkJSON(r *bufio.Reader) error {
	if err := checkStart(r, true); err != nil {
		return err
	}
	if start, _ := r.Peek(2); bytes.IndexByte(start, 0) >= 0 {
		return &LineError{1, 1, isUTF16}
	}
	return nil
}
