package process

import (
	"fmt"
	"os"
	"syscall"
)

// Exit codes to which shells and timeout(1) have given a meaning.
const (
	ExitTimeout   = 124
	ExitCannotRun = 126
	ExitNotFound  = 127
	exitSignal    = 128 // plus the signal's number
)

// Ending is how a process ended.
type Ending struct {
	Err      error  // why it could not be started; nothing else is set then
	ExitCode int    // 128+n for signal n
	Reason   string // the exit code or the signal in words
	CutOff   bool   // TERM was sent before it had ended, so that its exit code proves nothing
	TimedOut bool   // it was cut off because the timeout was over
}

func newEnding(state *os.ProcessState) Ending {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		signal := status.Signal()
		return Ending{ExitCode: exitSignal + int(signal), Reason: fmt.Sprintf("killed by signal %d (%v)", int(signal), signal)}
	}
	return Ending{ExitCode: state.ExitCode(), Reason: fmt.Sprintf("exit code %d", state.ExitCode())}
}
