package source

import "fmt"

// Error says that items could not be read. It wraps nothing: an error of this machine's files is none of Redis, which
// would go away by trying again.
type Error struct {
	Variable string
	Err      error
	Wrong    bool // what the variable says cannot be right, so that trying again is of no use
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Variable, e.Err) }

// from calls read and makes an Error of its errors, but not of those that each has answered.
func from(variable, prefix string, each func(string) error, read func(each func(string) error) error) error {
	var others error
	err := read(func(payload string) error {
		others = each(payload)
		return others
	})
	switch {
	case others != nil:
		return others
	case err != nil:
		return &Error{variable, fmt.Errorf("%s%w", prefix, err), true}
	}
	return nil
}
