package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// verb is one thing that the worker can do, with all that its help says. Its file declares it, and verbs lists it.
type verb struct {
	name     string
	summary  string     // one line
	operands string     // what it takes: "" for nothing, [PATTERN] for an argument that may be left out, DIR for one that must be there
	help     string     // what the summary leaves out
	settings func() any // a new struct of its variables, nil for none
	examples []string
	codes    []int // exit codes besides 0 and those of every verb
	run      func(ctx context.Context, args []string) error
}

// verbs are those of people, then those that the chart calls.
var verbs []*verb

// peopleVerbs counts the verbs for people, which come first; the chart calls the rest.
var peopleVerbs int

func init() { // not in the declaration: help lists the verbs, and is one
	people := []*verb{&statusVerb, &watchVerb, &resultsVerb, &deadVerb, &retryVerb, &recordsVerb, &cancelVerb, &pauseVerb, &resumeVerb, &pushVerb, &sealVerb, &runsVerb,
		&tryVerb, &purgeVerb, &helpVerb}
	verbs, peopleVerbs = append(people, &workVerb, &seedVerb, &verifyVerb, &monitorVerb, &installVerb), len(people)
}

// verbNamed returns the verb of a name, nil if there is none.
func verbNamed(name string) *verb {
	for _, v := range verbs {
		if v.name == name {
			return v
		}
	}
	return nil
}

// usage returns how the verb is written.
func (v *verb) usage() string { return strings.TrimSpace("worker " + v.name + " " + v.operands) }

// assignment is a variable before the verb, as in worker WQ_FORMAT=csv results: kubectl exec can set none, and the image has no env.
var assignment = regexp.MustCompile(`^(WQ_\w+)=(?s:(.*))$`)

// operandsOf returns the verb's operands, or that help is asked for. After -- everything is an operand.
func (v *verb) operandsOf(args []string) (operands []string, help bool, err error) {
	for i, arg := range args {
		switch {
		case arg == "--":
			return v.counted(append(operands, args[i+1:]...))
		case arg == "-h", arg == "--help":
			return nil, true, nil
		case strings.HasPrefix(arg, "-") && arg != "-":
			err = usageError(fmt.Sprintf("%s has no option %s; put -- before an argument that begins with -: %s", v.name, arg, v.usage()))
		case assignment.MatchString(arg):
			err = usageError(fmt.Sprintf("write the variable before the verb: worker %s %s", arg, v.name))
		}
		operands = append(operands, arg)
	}
	if err != nil {
		return nil, false, err
	}
	return v.counted(operands)
}

// counted refuses an operand too many, and one too few.
func (v *verb) counted(operands []string) ([]string, bool, error) {
	required := v.operands != "" && v.operands[0] != '['
	switch {
	case v.operands == "" && len(operands) > 0:
		return nil, false, usageError(fmt.Sprintf("%s takes no argument, and %q is one: %s", v.name, operands[0], v.usage()))
	case len(operands) > 1:
		return nil, false, usageError(fmt.Sprintf("%s takes one argument, and %q is one too many; put one with spaces in quotes: %s", v.name, operands[1], v.usage()))
	case required && len(operands) == 0:
		return nil, false, usageError(fmt.Sprintf("%s needs an argument: %s", v.name, v.usage()))
	}
	return operands, false, nil
}
