package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/text"
)

var helpVerb = verb{
	name:     "help",
	summary:  "print this, or all about a verb",
	operands: "[VERB]",
	examples: []string{"worker help results"},
	run:      runHelp,
}

// helpWidth limits a line of help, in columns.
const helpWidth = 80

func runHelp(_ context.Context, args []string) error {
	if len(args) == 0 {
		return printAll()
	}
	v := verbNamed(args[0])
	if v == nil {
		return usageError(fmt.Sprintf("there is no verb %q; worker help lists them", args[0]))
	}
	return v.printHelp()
}

// printVerbs prints the verbs, for whoever has given none.
func printVerbs(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "worker [VARIABLE=VALUE...] VERB [ARGUMENT]\n")
	for i, v := range verbs {
		switch i {
		case 0:
			fmt.Fprint(out, "\nVerbs for people:\n")
		case peopleVerbs:
			fmt.Fprint(out, "\nVerbs that the chart calls:\n")
		}
		fmt.Fprintf(out, "  %-18s%s\n", strings.TrimSpace(v.name+" "+v.operands), v.summary)
	}
	fmt.Fprint(out, "\nworker help VERB prints its variables, examples and exit codes.\n")
	return out.Flush()
}

// printAll prints the verbs and every variable, under the verbs that read it.
func printAll() error {
	if err := printVerbs(os.Stdout); err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	readers := map[string][]string{} // verbs, by variable
	for _, v := range verbs {
		if v.settings == nil {
			continue
		}
		for _, s := range config.Of(v.settings()) {
			readers[s.Name] = append(readers[s.Name], v.name)
		}
	}
	last := ""
	for _, s := range config.All() {
		if title := "Variables of " + strings.Join(readers[s.Name], ", ") + ":"; title != last {
			fmt.Fprintf(out, "\n%s\n", text.Wrap(title, "", helpWidth))
			last = title
		}
		printSetting(out, s)
	}
	return out.Flush()
}

// printHelp prints all that there is to know about a verb.
func (v *verb) printHelp() error {
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintf(out, "worker [VARIABLE=VALUE...] %s\n\n%s\n", strings.TrimPrefix(v.usage(), "worker "),
		text.Wrap(strings.ToUpper(v.summary[:1])+v.summary[1:]+". "+v.help, "", helpWidth))
	fmt.Fprint(out, "\nExamples:\n")
	for _, example := range v.examples {
		fmt.Fprintf(out, "  %s\n", example)
	}
	fmt.Fprint(out, "\nExit codes:\n")
	codes := append([]int{exitOK, 1, exitUsage}, v.codes...)
	slices.Sort(codes)
	for _, code := range codes {
		fmt.Fprintf(out, "  %-4d %s\n", code, exitMeanings[code])
	}
	if v.settings != nil {
		fmt.Fprint(out, "\nVariables:\n")
		for _, s := range config.Of(v.settings()) {
			printSetting(out, s)
		}
	}
	return out.Flush()
}

func printSetting(out io.Writer, s config.Setting) {
	remark := ""
	switch {
	case s.Required:
		remark = " (required)"
	case s.Default != "":
		remark = " (default " + s.Default + ")"
	}
	fmt.Fprintf(out, "  %s%s\n%s\n", s.Name, remark, text.Wrap(s.Help, "        ", helpWidth))
}

// printVersion prints which build this is.
func printVersion() error {
	version := "(unknown)"
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		version = build.Main.Version
	}
	_, err := fmt.Println("workqueue worker", version)
	return err
}
