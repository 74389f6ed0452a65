package config

import "errors"

// Monitor is what the verb monitor needs to know.
type Monitor struct {
	Common
	Listen  string `envconfig:"WQ_MONITOR_ADDR" default:":8080" desc:"address that the monitor's page is served on"`
	Actions bool   `envconfig:"WQ_MONITOR_ACTIONS" default:"false" desc:"whether the page may retry, pause and resume; needs WQ_MONITOR_TOKEN"`
	Token   string `envconfig:"WQ_MONITOR_TOKEN" secret:"true" desc:"what a person must know to do any of that"`
	MaxDead int    `envconfig:"WQ_MAX_DEAD" default:"0" desc:"dead items with which a run still counts as a success"`
}

// Validate implements Validator.
func (m *Monitor) Validate() (wrong []error) {
	if m.Actions && len(m.Token) < 16 {
		wrong = append(wrong, errors.New("WQ_MONITOR_TOKEN: actions need a token of 16 characters or more"))
	}
	return wrong
}
