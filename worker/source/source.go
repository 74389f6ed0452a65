// Package source reads the items of a queue from where they are: files, folders, ranges, the output of a command.
package source

import "context"

// Error is items that could not be read. It wraps nothing: an error of this machine's files must not be taken for one of
// Redis, which may pass.
type Error struct {
	Err   error
	Wrong bool // the setting is wrong, so that trying again is of no use
}

func (e *Error) Error() string { return e.Err.Error() }

// from calls read and makes an Error of its errors, except of those that each has returned, and of ctx's.
func from(ctx context.Context, each func(string) error, read func(each func(string) error) error) error {
	var others error
	err := read(func(payload string) error {
		others = each(payload)
		return others
	})
	switch {
	case others != nil:
		return others
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &Error{err, true}
	}
	return nil
}
