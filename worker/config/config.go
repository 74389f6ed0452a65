// Package config reads the worker's settings from WQ_… environment variables, one struct per verb. A setting is one struct field, and
// its tags are the only place where it is declared:
//
//	envconfig  the variable's name
//	default    its value if it is not set
//	required   whether it must be set
//	min, max   limits of a number or a duration
//	oneof      the words it may be, separated by spaces
//	secret     whether its value must never be printed
//	desc       what it means, for worker help
//	value      the chart's values that set it, separated by spaces
//	internal   why the chart has no value for it
package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Validator is implemented by settings that can contradict each other.
type Validator interface {
	// Validate returns one error per contradiction, each beginning with a variable's name.
	Validate() []error
}

// Setting is one variable of the worker.
type Setting struct {
	Name     string
	Required bool
	Default  string   // "" for none
	Help     string   // what it means
	Values   []string // the chart's values that set it, such as worker.lease
	Internal string   // why there is no such value
}

// All returns the variables of all verbs, each once.
func All() []Setting {
	var all []Setting
	for _, settings := range everyVerb() {
		for _, one := range Of(settings) {
			if !has(all, one.Name) {
				all = append(all, one)
			}
		}
	}
	return all
}

// Of returns the variables of a verb's settings.
func Of(settings any) []Setting {
	var all []Setting
	for _, f := range fieldsOf(reflect.ValueOf(settings).Elem()) {
		all = append(all, Setting{f.name(), f.tag("required") != "", f.tag("default"), f.tag("desc"), strings.Fields(f.tag("value")), f.tag("internal")})
	}
	return all
}

func has(all []Setting, name string) bool {
	return slices.ContainsFunc(all, func(s Setting) bool { return s.Name == name })
}

// perCall begins the tag internal of a variable that a person sets for one call. A verb that does not read it would do something
// else than the person wants.
const perCall = "a person "

// Foreign returns the variables that the settings of a verb, which may be nil, do not have: of those given by name, and of those
// that are set for one call.
func Foreign(settings any, given []string) []string {
	names := slices.Clone(given)
	for _, s := range All() {
		if strings.HasPrefix(s.Internal, perCall) && os.Getenv(s.Name) != "" && os.Getenv(s.Name) != s.Default && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	var own []Setting
	if settings != nil {
		own = Of(settings)
	}
	return slices.DeleteFunc(names, func(name string) bool { return has(own, name) })
}

// Shown is a setting that somebody has set, as people see it.
type Shown struct {
	Name  string `json:"name"` // of the chart's value, or else of the variable
	Value string `json:"value"`
}

// Describe returns the settings that are not the default, without those of the connection and without secrets.
func Describe(settings any) []Shown {
	shown := []Shown{}
	for _, f := range fieldsOf(reflect.ValueOf(settings).Elem()) {
		_, common := reflect.TypeFor[Common]().FieldByName(f.Name)
		value := os.Getenv(f.name())
		if common || f.tag("secret") != "" || f.tag("internal") != "" || value == "" || value == f.tag("default") {
			continue
		}
		name, _, _ := strings.Cut(f.tag("value"), " ")
		shown = append(shown, Shown{name, value})
	}
	return shown
}

// Load fills the struct that settings points to from the environment. The error names every variable that is missing or
// wrong, and what it should be; it does not contain the value of a secret.
func Load(settings any) error {
	var wrong []error
	for _, f := range fieldsOf(reflect.ValueOf(settings).Elem()) {
		if err := load(f); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", f.name(), err))
		}
	}
	if v, ok := settings.(Validator); ok && len(wrong) == 0 {
		wrong = append(wrong, v.Validate()...)
	}
	return errors.Join(wrong...)
}

// Unknown returns the names of WQ_… variables in the environment that no verb has: probably misspelt.
func Unknown() []string {
	all := All()
	var unknown []string
	for _, assignment := range os.Environ() {
		name, _, _ := strings.Cut(assignment, "=")
		if strings.HasPrefix(name, "WQ_") && !has(all, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// field is one variable: a leaf of a settings struct.
type field struct {
	reflect.StructField
	value reflect.Value
}

func (f field) name() string          { return f.StructField.Tag.Get("envconfig") }
func (f field) tag(key string) string { return f.StructField.Tag.Get(key) }

func fieldsOf(settings reflect.Value) []field {
	var all []field
	for i := range settings.NumField() {
		f := field{settings.Type().Field(i), settings.Field(i)}
		if f.Anonymous {
			all = append(all, fieldsOf(f.value)...)
		} else {
			all = append(all, f)
		}
	}
	return all
}

// load fills one field, and returns what is wrong with its value. Package envconfig stops at the first wrong field of a struct, so
// each field gets a struct of its own.
func load(f field) error {
	single := reflect.New(reflect.StructOf([]reflect.StructField{f.StructField}))
	err := envconfig.Process("", single.Interface())
	var parse *envconfig.ParseError
	switch {
	case errors.As(err, &parse) && f.tag("secret") != "":
		return fmt.Errorf("its value (not shown) is not %s", expected(f))
	case errors.As(err, &parse):
		return fmt.Errorf("%q is not %s", parse.Value, expected(f))
	case err != nil:
		return fmt.Errorf("missing: %s", f.tag("desc"))
	}
	f.value.Set(single.Elem().Field(0))
	if f.tag("required") != "" && f.value.IsZero() { // set, but empty
		return fmt.Errorf("missing: %s", f.tag("desc"))
	}
	return f.limit()
}

// limit returns what is wrong with a value of the right type.
func (f field) limit() error {
	if f.tag("secret") != "" && f.value.Kind() == reflect.String && strings.TrimSpace(f.value.String()) != f.value.String() {
		return errors.New("its value (not shown) begins or ends with a space or a newline, which echo adds to a Secret: make it with kubectl create secret generic --from-literal, or with printf")
	}
	if words := f.words(); len(words) > 0 && !slices.Contains(words, f.value.String()) {
		return fmt.Errorf("%q is not %s", f.value, list(words))
	}
	for _, limit := range []struct {
		tag, wrong string
		sign       int64
	}{{"min", "less", 1}, {"max", "more", -1}} {
		bound := f.tag(limit.tag)
		if bound == "" {
			continue
		}
		n, shown := f.number(bound)
		if is := f.value.Int(); limit.sign*is < limit.sign*n {
			return fmt.Errorf("%v is %s than %s", f.value, limit.wrong, shown)
		}
	}
	return nil
}

// number returns a limit in a tag as a number, and as people write it.
func (f field) number(bound string) (n int64, shown string) {
	if f.value.Type() == reflect.TypeFor[time.Duration]() {
		duration, err := time.ParseDuration(bound)
		if err != nil {
			panic(err) // the tag is part of the program
		}
		return int64(duration), duration.String()
	}
	n, err := strconv.ParseInt(bound, 10, 64)
	if err != nil {
		panic(err)
	}
	return n, bound
}

func (f field) words() []string { return strings.Fields(f.tag("oneof")) }

// list joins words: a, b or c.
func list(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func expected(f field) string {
	if e, ok := f.value.Addr().Interface().(interface{ Expected() string }); ok {
		return e.Expected()
	}
	if f.value.Type() == reflect.TypeFor[time.Duration]() {
		return "a duration, such as 30s or 5m"
	}
	switch f.Type.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	}
	return "a " + f.Type.String()
}
