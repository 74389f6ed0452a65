// Package message reads what a program says about its items: messages, one a line, on file descriptor 3. docs/programs.md is the
// contract. A line that is not exactly one message breaks it, so that nothing counts that merely looks like a message.
package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/source"
	"github.com/workqueue/workqueue/worker/text"
)

// Word says what a message is about.
type Word string

// The words. Done, Failed, Dead and Snoozed settle an item.
const (
	Done    Word = "done"
	Failed  Word = "failed"
	Dead    Word = "dead"
	Snoozed Word = "snoozed"
	Alive   Word = "alive" // the program still works
	Push    Word = "push"  // new items, which count once the item is done
)

// Message is one line from a program.
type Message struct {
	ID     string // the item that it is about, "" only if it is about none, which only Alive may be
	Word   Word
	Reason string   // one line, of Failed, Dead and Snoozed
	Result *string  // of Done, nil without one
	Push   []string // payloads of new items, of Done and Push
}

// Settles reports whether a message ends its item's attempt.
func (m *Message) Settles() bool { return m.Word != Alive && m.Word != Push }

// Parse reads a line, without its newline. The error says what is wrong with it.
func Parse(line []byte) (Message, error) {
	if len(line) > 0 && line[0] == '{' {
		return parseObject(line)
	}
	return parseWords(string(line))
}

// parseWords reads the short form: ITEM WORD TEXT, or alive.
func parseWords(line string) (Message, error) {
	if line == string(Alive) {
		return Message{Word: Alive}, nil
	}
	id, rest, _ := strings.Cut(line, " ")
	word, argument, hasArgument := strings.Cut(rest, " ")
	m := Message{ID: id, Word: Word(word)}
	if id == "" || word == "" {
		return m, errors.New("a message is ITEM WORD TEXT or a JSON object")
	}
	switch m.Word {
	case Done, Alive:
		if hasArgument {
			return m, fmt.Errorf("nothing may follow %s", m.Word)
		}
	case Failed, Dead, Snoozed:
		m.Reason = argument
	case Push:
		if !hasArgument {
			return m, errors.New("push needs an item")
		}
		m.Push = []string{argument}
	default:
		return m, unknownWord(word)
	}
	return m, nil
}

func unknownWord(word string) error {
	return fmt.Errorf("%q is not done, failed, dead, snoozed, alive or push", text.Shorten(word, 40))
}

// parseObject reads a JSON object. Each field may occur once, with the type and the word that it belongs to.
func parseObject(line []byte) (Message, error) {
	object, err := readFields(line)
	if err != nil {
		return Message{}, err
	}
	var m Message
	if object.status == nil {
		return m, errors.New("it has no status")
	}
	m.Word = Word(*object.status)
	if object.id != nil {
		m.ID = *object.id
	}
	var needs []string // fields that are missing
	allowed := map[string]bool{"id": true, "status": true}
	switch m.Word {
	case Done:
		allowed["result"], allowed["push"], allowed["encoding"] = true, true, true
	case Push:
		allowed["push"], allowed["encoding"] = true, true
		if object.push == nil {
			needs = append(needs, "push")
		}
	case Failed, Dead, Snoozed:
		allowed["reason"] = true
	case Alive:
	default:
		return m, unknownWord(*object.status)
	}
	if m.ID == "" && (m.Word != Alive || object.id != nil) {
		needs = append(needs, "id")
	}
	if len(needs) > 0 {
		return m, fmt.Errorf("it has no %s", needs[0])
	}
	for _, name := range object.names {
		if !allowed[name] {
			return m, fmt.Errorf("%s does not go with the status %s", name, m.Word)
		}
	}
	if object.reason != nil {
		m.Reason = *object.reason
	}
	return m, m.decode(object)
}

// decode sets the payloads of a message, which may be in base64.
func (m *Message) decode(object fields) error {
	encoding := ""
	if object.encoding != nil {
		if encoding = *object.encoding; encoding != text.Base64 {
			return fmt.Errorf("its encoding is %q: leave it out or write base64", text.Shorten(encoding, 40))
		}
	}
	if object.result != nil {
		result, isString := string(object.result), object.result[0] == '"'
		if isString {
			var err error
			if result, err = source.Payload(object.result); err != nil {
				return errors.New("its result is a string that is not all text")
			}
			if result, err = text.Decode(result, encoding); err != nil {
				return fmt.Errorf("its result is not base64: %w", err)
			}
		}
		m.Result = &result
	}
	for i, raw := range object.push {
		payload, err := source.Payload(raw)
		if err == nil && raw[0] == '"' {
			payload, err = text.Decode(payload, encoding)
		}
		if err != nil {
			return fmt.Errorf("push[%d] is %w", i, err)
		}
		m.Push = append(m.Push, payload)
	}
	return nil
}

// fields are those of an object, nil where it has none.
type fields struct {
	names                        []string
	id, status, reason, encoding *string
	result                       json.RawMessage
	push                         []json.RawMessage
}

// readFields reads an object that is the whole line.
func readFields(line []byte) (f fields, err error) {
	if !utf8.Valid(line) {
		return f, errors.New("it is not UTF-8: send other bytes in base64")
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	_, _ = decoder.Token() // the brace
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return f, notJSON(err)
		}
		name := token.(string) // JSON has nothing else here, or else that was an error
		if seen[name] {
			return f, fmt.Errorf("it has the field %s twice", text.Shorten(name, 40))
		}
		seen[name] = true
		f.names = append(f.names, name)
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return f, notJSON(err)
		}
		if err := f.set(name, raw); err != nil {
			return f, err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return f, notJSON(err)
	}
	if rest := line[decoder.InputOffset():]; len(bytes.Trim(rest, " \t\r")) > 0 {
		return f, errors.New("something follows the JSON object: write each message as one line at once")
	}
	return f, nil
}

// notJSON does not wrap err: an io.EOF within a line is not the end of what the program says.
func notJSON(err error) error { return fmt.Errorf("it is not a whole JSON object: %v", err) }

func (f *fields) set(name string, raw json.RawMessage) error {
	switch name {
	case "id":
		if raw[0] >= '0' && raw[0] <= '9' && !bytes.ContainsAny(raw, ".eE") {
			id := string(raw)
			f.id = &id
			return nil
		}
		return f.text(&f.id, name, raw)
	case "status":
		return f.text(&f.status, name, raw)
	case "reason":
		return f.text(&f.reason, name, raw)
	case "encoding":
		return f.text(&f.encoding, name, raw)
	case "result":
		f.result = raw
		return nil
	case "push":
		if raw[0] != '[' || json.Unmarshal(raw, &f.push) != nil {
			return fmt.Errorf("its push is %s: it must be a list of items", text.Shorten(string(raw), 100))
		}
		return nil
	}
	return fmt.Errorf("%q is not a field of a message", text.Shorten(name, 40))
}

func (f *fields) text(field **string, name string, raw json.RawMessage) error {
	var value string
	if raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
		return fmt.Errorf("its %s is %s: it must be a string", name, text.Shorten(string(raw), 100))
	}
	*field = &value
	return nil
}
