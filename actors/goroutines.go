package actors

import "github.com/turnstone-dev/turnstone/actors/internal/mailbox"

// Goroutines runs functions on goroutines that it reuses, as a real node does. It is for simulators, which run user code on
// them. The caller must close it.
type Goroutines struct{ pool *mailbox.ElasticExecutor }

// NewGoroutines keeps at most keep idle goroutines; 0 or less means 64.
func NewGoroutines(keep int) Goroutines { return Goroutines{mailbox.NewElasticExecutor(keep)} }

// Go runs f once, on another goroutine. It never blocks.
func (g Goroutines) Go(f func()) { g.pool.Go(f) }

// Close ends the goroutines that wait, and waits until no function runs.
func (g Goroutines) Close() { g.pool.Close() }

// Discard frees the coroutines of an engine that is never run again, as the end of its process would. It is for
// simulators, which end processes and go on themselves: no code may be running, and the engine is not used afterwards.
func (e *Engine) Discard() { e.instances.DiscardMachines() }
