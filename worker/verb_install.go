package main

import (
	"context"

	"github.com/workqueue/workqueue/worker/handler"
)

func runInstall(_ context.Context, args []string) error {
	if len(args) != 1 {
		return usageError("install takes one folder: worker install /workqueue")
	}
	return handler.Install(args[0])
}
