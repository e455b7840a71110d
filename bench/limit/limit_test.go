package limit

import "testing"

func TestRunFinishesEveryOrchestration(t *testing.T) {
	r, err := Run(t.TempDir(), 300, 16, DefaultRows)
	if err != nil {
		t.Fatal(err)
	}
	if r.Orchestrations != 300 || r.Syncs == 0 || r.Syncs > 600 || r.PerSec <= 0 {
		t.Fatalf("got %+v", r)
	}
	if ms, err := BareSync(t.TempDir(), 20); err != nil || ms <= 0 {
		t.Fatalf("bare sync %v ms, %v", ms, err)
	}
}
