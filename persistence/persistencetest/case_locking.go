package persistencetest

import (
	"fmt"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/persistence"
)

func lockingCases() []Case {
	return []Case{
		{"PV_014 a fetched instance is not fetched again until its timeout; then with another token", func(s *story) {
			s.start("a")
			first := s.mustFetch()
			s.noFetch("it is held")
			s.later(lockMs)
			if second := s.mustFetch(); second.token == first.token {
				s.Errorf("two leases have one token")
			}
		}},
		{"PV_015 five fetched instances have five tokens", func(s *story) {
			tokens := map[persistence.Token]bool{}
			for i := range 5 {
				s.start(fmt.Sprintf("i%d", i))
			}
			for range 5 {
				tokens[s.mustFetch().token] = true
			}
			if len(tokens) != 5 {
				s.Errorf("%d distinct tokens, want 5", len(tokens))
			}
		}},
		{"PV_016 a turn and an abandon with a wrong token are refused; the true lease stays good", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			wrong := *f
			wrong.token = "wrong"
			s.refused(wrong.ack(wrong.plan()), persistence.ErrLeaseLost, "ack with a wrong token")
			s.refused(wrong.abandon(0, true), persistence.ErrLeaseLost, "abandon with a wrong token")
			s.noFetch("it is held")
			f.mustAck("A")
		}},
		{"PV_017 ten instances and ten fetchers at once: each is fetched exactly once", func(s *story) {
			everyOneOnce(s, 10, 10)
		}},
		{"PV_019 a lease on one instance does not hold up another, before or after that one's turn", func(s *story) {
			s.start("a")
			s.start("b")
			s.mustFetch()
			b := s.mustFetch()
			b.mustAck()
			s.send(b.head.ID, "x", 0)
			if again := s.mustFetch(); again.head.ID != b.head.ID {
				s.Errorf("fetched %s, want %s", again.head.ID, b.head.ID)
			}
		}},
		{"PV_020 a message that comes under the lease is what the next fetch finds, and nothing else", func(s *story) {
			f := running(s, "a", "1", "2")
			s.send("a", "3", 0)
			f.mustAck()
			wantTexts(s, s.mustFetch(), "3")
		}},
		{"PV_021 two messages that come under the lease are found in order", func(s *story) {
			f := running(s, "a", "1")
			s.send("a", "2", 0)
			s.send("a", "3", 0)
			f.mustAck()
			wantTexts(s, s.mustFetch(), "2, 3")
		}},
		{"PV_022 ten race for one instance: exactly one wins, and later there is nothing", func(s *story) {
			s.start("a")
			c := s.candidates()[0]
			var won atomic.Int64
			s.Together(10, func(int) {
				if _, err := s.lease(c, lockMs); err == nil {
					won.Add(1)
				}
			})
			if won.Load() != 1 {
				s.Errorf("%d won, want 1", won.Load())
			}
			s.noFetch("one holds it")
		}},
		{"PV_023 forty race for twenty instances: none is fetched twice", func(s *story) {
			everyOneOnce(s, 20, 40)
		}},
		{"PV_024 a holder that never acks keeps a contender out until the timeout", func(s *story) {
			s.start("a")
			holder := s.mustFetch()
			s.later(200)
			s.noFetch("it is held")
			s.later(lockMs - 200 + 100)
			if f := s.mustFetch(); f.token == holder.token {
				s.Errorf("the contender has the holder's token")
			}
		}},
	}
}

// running is an instance that has had its first turn, and a fetched turn of it with these messages.
func running(s *story, id string, texts ...string) *fetched {
	s.Helper()
	s.start(id)
	s.mustFetch().mustAck()
	for _, text := range texts {
		s.send(id, text, 0)
	}
	f := s.mustFetch()
	return f
}

func wantTexts(s *story, f *fetched, want string) {
	s.Helper()
	if got := f.texts(); got != want {
		s.Errorf("fetched %q, want %q", got, want)
	}
}

// everyOneOnce lets fetchers race for all instances at once.
func everyOneOnce(s *story, instances, fetchers int) {
	s.Helper()
	for i := range instances {
		s.start(fmt.Sprintf("i%d", i))
	}
	all := s.candidates()
	taken := make([]atomic.Int64, instances)
	s.Together(fetchers, func(i int) {
		// Each begins elsewhere and takes one; a lost race is tried at the next.
		for n := range all {
			k := (i + n) % len(all)
			if _, err := s.lease(all[k], lockMs); err == nil {
				taken[k].Add(1)
				return
			}
		}
	})
	for k := range taken {
		if n := taken[k].Load(); n != 1 {
			s.Errorf("%s was fetched %d times", all[k].head.ID, n)
		}
	}
	s.noFetch("all are held")
}

func expiryCases() []Case {
	return []Case{
		{"PV_025 after a lease has expired and another has begun, the old token opens nothing", func(s *story) {
			s.start("a")
			old := s.mustFetch()
			s.later(lockMs)
			fresh := s.mustFetch()
			s.refused(old.ack(old.plan()), persistence.ErrLeaseLost, "ack with the old token")
			fresh.mustAck()
		}},
		{"PV_026 an abandoned instance is fetched at once", func(s *story) {
			s.start("a")
			if err := s.mustFetch().abandon(0, true); err != nil {
				s.Fatalf("abandon: %v", err)
			}
			s.mustFetch()
		}},
		{"PV_027 a message that came under the lease is fetched right after the turn", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			s.send("a", "second", 0)
			f.mustAck()
			wantTexts(s, s.mustFetch(), "second")
		}},
		{"PV_028 fetchers find nothing all through a lease, and one succeeds after it", func(s *story) {
			s.start("a")
			s.mustFetch()
			for range 5 {
				s.later(lockMs/5 - 1)
				s.noFetch("it is held")
			}
			s.later(5)
			s.mustFetch()
			s.noFetch("the fifth holds it")
		}},
		{"PV_029 a renewed activity stays invisible", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			s.later(lockMs - 1)
			if !j.renew(lockMs) {
				s.Fatalf("a live lease was not renewed")
			}
			s.later(lockMs - 1)
			s.noWork("the lease was renewed")
		}},
		{"PV_030 a token that was never given renews nothing", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			for _, token := range []persistence.Token{"never given", "", persistence.NewWorkToken(0, j.item.Key, 7, 7)} {
				if fake := (&job{s: s, p: j.p, token: token}); fake.renew(lockMs) {
					s.Errorf("token %v was renewed", token)
				}
			}
		}},
		{"PV_031 an activity that was fetched for 1 s and left cannot be renewed once another has fetched it", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", 1000)
			s.later(1000)
			fresh := s.mustFetchWork("w", lockMs)
			if j.renew(lockMs) {
				s.Errorf("a lease was renewed that another has taken over")
			}
			s.refused(j.complete("late"), persistence.ErrLeaseLost, "the result of who has lost it")
			fresh.mustComplete("ok")
		}},
		{"F_19_activity an activity whose lease has expired is its holder's until another fetches it", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", 1000)
			s.later(tenYearsMs)
			if !j.renew(lockMs) {
				s.Errorf("an expired lease that no other holder has taken over was not renewed")
			}
			s.noWork("the lease was renewed")
			s.later(lockMs)
			j.mustComplete("ok")
			s.withWork("b", "w")
			s.mustFetchWork("w", 1000)
			s.later(1000)
			s.mustFetchWork("w", lockMs).mustComplete("ok")
		}},
		{"PV_032 renewed at 60 % of the timeout for a whole one, it is still held at 100 %", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			s.later(lockMs * 6 / 10)
			if !j.renew(lockMs) {
				s.Fatalf("a live lease was not renewed")
			}
			s.later(lockMs * 4 / 10)
			s.noWork("renewed")
		}},
		{"PV_033 an activity that was answered cannot be renewed", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			j.mustComplete("ok")
			if j.renew(lockMs) {
				s.Errorf("the lease of an answered activity was renewed")
			}
		}},
		{"PV_034 an abandoned activity is fetched at once, with a new token", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			j.mustAbandon(0, true)
			if again := s.mustFetchWork("w", lockMs); again.token == j.token {
				s.Errorf("the token is the old one")
			}
		}},
		{"PV_035 an activity abandoned with a delay is invisible until it has passed", func(s *story) {
			s.withWork("a", "w")
			s.mustFetchWork("w", lockMs).mustAbandon(500, true)
			s.later(499)
			s.noWork("the delay has not passed")
			s.later(1)
			s.mustFetchWork("w", lockMs)
		}},
		{"PV_037 a turn lease cannot be renewed once another has taken the turn after its end", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			s.later(lockMs - 1)
			if err := f.renew(lockMs); err != nil {
				s.Errorf("renewing a live lease: %v", err)
			}
			s.later(lockMs)
			fresh := s.mustFetch()
			s.refused(f.renew(lockMs), persistence.ErrLeaseLost, "renewing a lease that another has taken over")
			fresh.mustAck()
		}},
		{"F_19_turn a turn whose lease has expired is its holder's until another takes it", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			s.later(tenYearsMs)
			if err := f.renew(lockMs); err != nil {
				s.Errorf("renewing an expired lease that no other holder has taken over: %v", err)
			}
			s.noFetch("the lease was renewed")
			s.later(tenYearsMs)
			f.mustAck()
		}},
	}
}
