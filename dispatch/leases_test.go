package dispatch

import (
	"slices"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

func due(t *testing.T, b *Leases, now int64, renew, lost []persistence.Token) {
	t.Helper()
	gotRenew, gotLost := b.Due(now)
	if !slices.Equal(gotRenew, renew) || !slices.Equal(gotLost, lost) {
		t.Fatalf("at %d ms: renew %q, lost %q; want %q and %q", now, gotRenew, gotLost, renew, lost)
	}
}

func tokens(list ...persistence.Token) []persistence.Token { return list }

func TestALeaseIsRenewedOnSchedule(t *testing.T) {
	b := NewLeases(30_000, 5000)
	b.Hold("a", 0)
	if b.Wake() != 25_000 {
		t.Fatalf("wakes at %d", b.Wake())
	}
	due(t, b, 24_999, nil, nil)
	due(t, b, 25_000, tokens("a"), nil)
	due(t, b, 25_001, nil, nil) // it has been asked for
	b.Renewed("a", 25_000)
	due(t, b, 49_999, nil, nil)
	due(t, b, 50_000, tokens("a"), nil)
}

func TestALeaseThatIsNotRenewedInTimeIsLost(t *testing.T) {
	b := NewLeases(5000, 2000)
	b.Hold("a", 0)
	b.Hold("b", 1000)
	due(t, b, 3000, tokens("a"), nil)
	due(t, b, 5000, tokens("b"), tokens("a"))
	b.Renewed("a", 4999) // too late: it is gone
	due(t, b, 6000, nil, tokens("b"))
	if b.Len() != 0 || b.Wake() != Never {
		t.Errorf("%d are left, next at %d", b.Len(), b.Wake())
	}
}

func TestATransientFailureIsRetriedUntilTheEnd(t *testing.T) {
	b := NewLeases(5000, 2000)
	b.Hold("a", 0)
	due(t, b, 3000, tokens("a"), nil)
	now, tries := int64(3000), 0
	for {
		b.Retry("a", now)
		next := b.Wake()
		if next <= now {
			t.Fatalf("at %d the next try is at %d", now, next)
		}
		now = next
		renew, lost := b.Due(now)
		if len(lost) > 0 {
			break
		}
		if !slices.Equal(renew, tokens("a")) {
			t.Fatalf("at %d: renew %q", now, renew)
		}
		tries++
	}
	if now != 5000 || tries < 5 {
		t.Errorf("given up at %d after %d tries; want at the end of the lease, after several", now, tries)
	}
}

func TestADroppedLeaseIsForgotten(t *testing.T) {
	b := NewLeases(5000, 2000)
	b.Hold("a", 0)
	b.Hold("a", 100) // the same again: the newer counts
	b.Hold("b", 0)
	b.Drop("b")
	b.Drop("c")
	b.Retry("b", 10)
	b.Renewed("b", 10)
	due(t, b, 3099, nil, nil)
	due(t, b, 3100, tokens("a"), nil)
	b.Drop("a")
	due(t, b, 99_999, nil, nil)
}
