//go:build race

package pebble

// underRace says that the race detector runs, which makes the tests many times slower.
const underRace = true
