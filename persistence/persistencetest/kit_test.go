package persistencetest

import "testing"

// TestModel runs the kit on the model: what every implementation is compared with must itself be right.
func TestModel(t *testing.T) { Run(t, MemoryHarness(Faults{})) }
