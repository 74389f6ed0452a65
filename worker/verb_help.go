package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/workqueue/workqueue/worker/config"
)

func runHelp(context.Context, []string) error {
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprint(out, "worker [VARIABLE=VALUE…] VERB\n\nVerbs:\n")
	for _, v := range verbs {
		fmt.Fprintf(out, "  %-9s%s\n", v.name, v.summary)
	}
	for _, section := range []struct {
		title    string
		settings any
	}{
		{"every verb but install and help", &config.Common{}},
		{"the same verbs, to connect with Redis", &config.Redis{}},
		{"work, verify, watch, runs and monitor", &config.Success{}},
		{"work and verify", &config.Waiting{}},
		{"work and seed", &config.Leasing{}},
		{"work, seed and push", &config.Lists{}},
		{"seed and push", &config.Items{}},
		{"work and seed", &config.EarlierRuns{}},
		{"work and cancel", &config.History{}},
		{"work and try", &config.Work{}},
		{"seed", &config.Seed{}},
		{"verify", &config.Verify{}},
		{"results, dead, records, retry and cancel", &config.Records{}},
		{"results, dead and records", &config.List{}},
		{"monitor", &config.Monitor{}},
	} {
		fmt.Fprintf(out, "\nEnvironment variables of %s:\n%s", section.title, config.Help(section.settings))
	}
	return out.Flush()
}
