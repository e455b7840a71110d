// Package clienttest is what every port of package api must do, as tests that each of them runs: a client asks through the
// port, a journal in memory answers, and the test commits the turns.
//
// It owns the cases and the world they run in. It must not know which port it tests.
//
// Start reading at [Run].
package clienttest
