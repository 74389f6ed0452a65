package handler

import (
	"encoding/base64"
	"unicode/utf8"
)

// Text makes any bytes fit for a JSON string: as they are, with no encoding, or in base64 if they are not UTF-8.
func Text(raw string) (text, encoding string) {
	if utf8.ValidString(raw) {
		return raw, ""
	}
	return base64.StdEncoding.EncodeToString([]byte(raw)), "base64"
}

// Raw undoes Text. It fails if what is called base64 is none.
func Raw(text, encoding string) (string, error) {
	if encoding != "base64" {
		return text, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	return string(raw), err
}
