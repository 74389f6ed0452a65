// Package message reads what a program says about its items: messages, one a line, on file descriptor 3. docs/programs.md is the
// contract. A line that is not exactly one message breaks it, so that nothing counts that merely looks like a message.
package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// goesWith names the fields that an object may have beside id and status.
var goesWith = map[Word][]string{
	Done:    {"result", "push", "encoding"},
	Push:    {"push", "encoding"},
	Failed:  {"reason"},
	Dead:    {"reason"},
	Snoozed: {"reason"},
	Alive:   nil,
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
	goesWith, known := goesWith[m.Word]
	switch {
	case !known:
		return m, unknownWord(*object.status)
	case m.Word == Push && object.push == nil:
		return m, errors.New("it has no push")
	case m.ID == "" && (m.Word != Alive || object.id != nil):
		return m, errors.New("it has no id")
	}
	for _, name := range object.names {
		if name != "id" && name != "status" && !slices.Contains(goesWith, name) {
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
