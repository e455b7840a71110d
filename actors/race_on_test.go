//go:build race

package actors

// underRace says that the race detector runs, which makes the tests many times slower.
const underRace = true
