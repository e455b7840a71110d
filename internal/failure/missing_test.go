package failure

import "testing"

func TestMissingHandlersAreToldFromOtherReasons(t *testing.T) {
	for reason, want := range map[string]bool{
		NotRegistered("orchestration A 1.2.0"):                                  true,
		"cancel waits for its handler: " + NotRegistered("orchestration A"):     true,
		NotReplayable("orchestration A 1.2.0", "0.9.0"):                         false,
		"nondeterministic: history has A at a.go:1; the code asked for nothing": false,
		"": false,
	} {
		if got := IsMissing(reason); got != want {
			t.Errorf("IsMissing(%q) = %v", reason, got)
		}
	}
	if !IsNotReplayable(NotReplayable("orchestration A 1.2.0", "0.9.0")) || IsNotReplayable(NotRegistered("orchestration A")) {
		t.Error("an engine of another version is not told from a missing handler")
	}
	if got := NotRegistered("orchestration A 1.2.0"); got != "orchestration A 1.2.0 is not registered" {
		t.Error(got)
	}
	if got, want := NotReplayable("orchestration A", "0.9.0"), "orchestration A was begun by engine version 0.9.0, which no attached runtime can replay"; got != want {
		t.Error(got)
	}
}
