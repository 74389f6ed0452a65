package fields

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Command is a program and its arguments with placeholders for parts of an item:
//
//	{}        the item
//	{#}       its ID
//	{.a}      its field a, also {.a.b}, {.First name} and {."any name/at all"}
//
// After a $ or another {, as in ${#} and {{.Names}}, {# and {. are no placeholders. After a \ nothing is: \{} becomes {}.
type Command []string

const (
	words     = `[\pL\pM\pN_-]+(?: +[\pL\pM\pN_-]+)*`
	quoted    = `"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"` // a JSON string
	reference = `\{\.(?:` + words + `|` + quoted + `)(?:\.(?:` + words + `|` + quoted + `))*\}`
	// likeReference matches what begins like a reference, up to a brace that ends it.
	likeReference = `\{\.(?:[^}\\]|\\.)*\}`
)

// placeholder also finds what precedes a placeholder, and what only looks like one.
var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)[\\${]?(?:\{#\}|` + reference + `|` + likeReference + `)|\\?\{\}`)
})

var wellFormed = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^` + reference + `$`) })

// Check returns an error for a placeholder that is no field, or in the text of a program.
func (c Command) Check() error {
	for _, arg := range c {
		for _, found := range placeholder().FindAllString(arg, -1) {
			if strings.HasPrefix(found, "{.") && !wellFormed().MatchString(found) {
				return fmt.Errorf(`%s is not a field: write {.name} or {.name.name}, with letters, digits, _, - and single spaces, another name as a JSON string, %s, or \%s for the text itself`,
					found, "{."+quote(found[2:len(found)-1])+"}", found)
			}
		}
	}
	return c.checkCode()
}

// quote returns a name as a JSON string.
func quote(name string) string {
	var line strings.Builder
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(name) // a string is always JSON
	return strings.TrimSuffix(line.String(), "\n")
}

// Placeholder returns the first placeholder of some arguments, "" if there is none.
func (c Command) Placeholder() string {
	for _, arg := range c {
		for _, found := range placeholder().FindAllString(arg, -1) {
			if found[0] == '{' && !strings.HasPrefix(found, "{{") {
				return found
			}
		}
	}
	return ""
}

// Literal returns the arguments of a command without placeholders as the program gets them.
func (c Command) Literal() []string {
	args, _ := c.Fill("", "")
	return args
}

// Fill returns the arguments for an item. The error says which of its fields cannot be had.
func (c Command) Fill(id, payload string) ([]string, error) {
	var object Object
	var parsed bool
	var failed error
	field := func(path string) string {
		if !parsed {
			var err error
			object, err = Parse(payload)
			failed = errors.Join(failed, err)
			parsed = true
		}
		if object == nil {
			if failed == nil {
				failed = fmt.Errorf("the item is not a JSON object, so it has no field %s", path)
			}
			return ""
		}
		value, err := object.Field(path)
		failed = errors.Join(failed, err)
		return value
	}
	args := make([]string, len(c))
	for i, arg := range c {
		args[i] = placeholder().ReplaceAllStringFunc(arg, func(found string) string {
			switch {
			case found == "{}":
				return payload
			case found == "{#}":
				return id
			case found[0] == '\\':
				return found[1:]
			case found[0] == '$', strings.HasPrefix(found, "{{"):
				return found
			}
			return field(found[2 : len(found)-1])
		})
		if failed != nil {
			return nil, failed
		}
	}
	return args, nil
}
