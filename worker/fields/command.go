package fields

import (
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
//	{.a}      its field a, also {.a.b}, {.First name}
//
// After a $ or another {, as in ${#} and {{.Names}}, {# and {. are no placeholders. After a \ nothing is: \{} becomes {}.
type Command []string

// placeholder also finds what precedes a placeholder, and what only looks like one.
var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[\\${]?(?:\{#\}|\{\.[\pL\pM\pN_. -]*\})|\\?\{\}`)
})

var name = sync.OnceValue(func() *regexp.Regexp {
	const word = `[\pL\pM\pN_-]+`
	const words = word + `(?: +` + word + `)*`
	return regexp.MustCompile(`^` + words + `(?:\.` + words + `)*$`)
})

// Check returns an error for a placeholder that is not complete, or in the text of a program.
func (c Command) Check() error {
	for _, arg := range c {
		for _, found := range placeholder().FindAllString(arg, -1) {
			path, isField := strings.CutPrefix(found, "{.")
			if isField && !name().MatchString(strings.TrimSuffix(path, "}")) {
				return fmt.Errorf(`%s is not a field: write {.name} or {.name.name}, with letters, digits, _, - and single spaces, or \%s for the text itself`, found, found)
			}
		}
	}
	return c.checkCode()
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

// Fill returns the arguments for an item. The error says which of its fields is missing.
func (c Command) Fill(id, payload string) ([]string, error) {
	var object Object
	var parsed, isObject bool
	var failed error
	field := func(path string) string {
		if !parsed {
			object, isObject = Parse(payload)
			parsed = true
		}
		if !isObject {
			failed = errors.Join(failed, fmt.Errorf("the item is not a JSON object, so it has no field %s", path))
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
