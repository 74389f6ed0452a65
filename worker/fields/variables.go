package fields

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// VariablePrefix begins the names of the variables of fields, and of no other variable.
const VariablePrefix = "WQ_FIELD_"

// Variable is an environment variable that holds a field.
type Variable struct{ Field, Name, Text string }

// Variables returns a variable for each field, sorted by the fields' names. A field that is null has none. The error is for fields that cannot all be
// variables.
func (o Object) Variables() ([]Variable, error) {
	names := slices.Sorted(maps.Keys(o))
	if err := CheckNames(names); err != nil {
		return nil, fmt.Errorf("%w, or set WQ_INPUT=stdin, with which fields are no variables", err)
	}
	var all []Variable
	for _, field := range names {
		if string(o[field]) == "null" {
			continue
		}
		text, err := Text(o[field])
		if err != nil {
			return nil, fmt.Errorf("the item's field %s is %w", field, err)
		}
		all = append(all, Variable{field, VariableName(field), text})
	}
	return all, nil
}

// CheckNames returns an error for two fields that would be the same variable.
func CheckNames(fields []string) error {
	byName := make(map[string]string, len(fields))
	for _, field := range fields {
		name := VariableName(field)
		if other, again := byName[name]; again {
			return fmt.Errorf("the fields %s and %s would be the same variable, %s: rename one of them", quote(other), quote(field), name)
		}
		byName[name] = field
	}
	return nil
}

// VariableName returns the name of the variable of a field: WQ_FIELD_FIRST_NAME for First name. Letters are upper case, other ASCII characters than
// letters and digits become _, and a character beyond ASCII becomes U and its number: WQ_FIELD_U540D for 名.
func VariableName(field string) string {
	var name strings.Builder
	name.WriteString(VariablePrefix)
	for _, r := range field {
		switch {
		case r >= 'a' && r <= 'z':
			name.WriteRune(r - 'a' + 'A')
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			name.WriteRune(r)
		case r < 0x80:
			name.WriteByte('_')
		default:
			fmt.Fprintf(&name, "U%04X", r)
		}
	}
	return name.String()
}
