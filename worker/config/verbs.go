package config

// Push is what the verb push needs to know.
type Push struct {
	Common
	Delimiter Delimiter `envconfig:"WQ_DELIMITER" default:"newline" desc:"what ends an item on standard input: newline, or nul for items of any bytes"`
}

// Seal is what the verb seal needs to know.
type Seal struct{ Common }

// Results is what the verb results needs to know.
type Results struct {
	Common
	Match Pattern `envconfig:"WQ_MATCH" desc:"regular expression, in place of the argument: only items in which it is found"`
}

// Dead is what the verb dead needs to know.
type Dead struct{ Results }

// Retry is what the verb retry needs to know.
type Retry struct{ Results }

// Purge is what the verb purge needs to know.
type Purge struct{ Common }

// Watch is what the verb watch needs to know.
type Watch struct{ Common }
