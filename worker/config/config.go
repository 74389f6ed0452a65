// Package config reads the worker's settings from WQ_… environment variables, one struct per verb. The struct tags are
// the only place where a variable's name, default and meaning stand; Help prints them from there.
package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// Validator is implemented by settings whose fields have limits that their types do not express.
type Validator interface {
	// Validate answers one error per wrong variable, each beginning with the variable's name.
	Validate() []error
}

// Load fills the struct that settings points to from the environment. The error names every variable that is missing
// or wrong, and what it should have been; it holds no value of a field tagged secret:"true".
func Load(settings any) error {
	var wrong []error
	for _, f := range fields(reflect.ValueOf(settings).Elem()) {
		if err := load(f); err != nil {
			wrong = append(wrong, err)
		}
	}
	if v, ok := settings.(Validator); ok && len(wrong) == 0 {
		wrong = append(wrong, v.Validate()...)
	}
	return errors.Join(wrong...)
}

// Unknown lists the WQ_… variables of the environment that no verb knows: probably misspelt.
func Unknown(allSettings ...any) []string {
	var known, unknown []string
	for _, settings := range allSettings {
		for _, f := range fields(reflect.ValueOf(settings).Elem()) {
			known = append(known, f.name())
		}
	}
	for _, assignment := range os.Environ() {
		name, _, _ := strings.Cut(assignment, "=")
		if strings.HasPrefix(name, "WQ_") && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// Help describes the variables of the settings, one paragraph each.
func Help(settings any) string {
	var text strings.Builder
	for _, f := range fields(reflect.ValueOf(settings).Elem()) {
		fmt.Fprintf(&text, "  %s", f.name())
		switch {
		case f.tag("required") != "":
			text.WriteString(" (required)")
		case f.tag("default") != "":
			fmt.Fprintf(&text, " (default %s)", f.tag("default"))
		}
		fmt.Fprintf(&text, "\n        %s\n", f.tag("desc"))
	}
	return text.String()
}

// field is one variable: a leaf of a settings struct.
type field struct {
	reflect.StructField
	value reflect.Value
}

func (f field) name() string          { return f.StructField.Tag.Get("envconfig") }
func (f field) tag(key string) string { return f.StructField.Tag.Get(key) }

func fields(settings reflect.Value) []field {
	var all []field
	for i := range settings.NumField() {
		f := field{settings.Type().Field(i), settings.Field(i)}
		if f.Anonymous {
			all = append(all, fields(f.value)...)
		} else {
			all = append(all, f)
		}
	}
	return all
}

// load lets envconfig fill one field. It gives up at the first wrong field of a struct, so each gets a struct of its own.
func load(f field) error {
	single := reflect.New(reflect.StructOf([]reflect.StructField{f.StructField}))
	err := envconfig.Process("", single.Interface())
	var parse *envconfig.ParseError
	switch {
	case errors.As(err, &parse) && f.tag("secret") != "":
		return fmt.Errorf("%s: its value (not shown) is not %s", f.name(), expected(f))
	case errors.As(err, &parse):
		return fmt.Errorf("%s: %q is not %s", f.name(), parse.Value, expected(f))
	case err != nil:
		return fmt.Errorf("%s is missing: %s", f.name(), f.tag("desc"))
	}
	f.value.Set(single.Elem().Field(0))
	if f.tag("required") != "" && f.value.IsZero() { // set, but empty
		return fmt.Errorf("%s is missing: %s", f.name(), f.tag("desc"))
	}
	return nil
}

func expected(f field) string {
	if e, ok := f.value.Addr().Interface().(interface{ Expected() string }); ok {
		return e.Expected()
	}
	if f.Type.String() == "time.Duration" {
		return "a duration, such as 30s or 5m"
	}
	switch f.Type.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a comma-separated list of whole numbers"
	}
	return "a " + f.Type.String()
}
