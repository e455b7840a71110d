package pebble

import "time"

// witnessEvery is how often the witness is renewed. A disk that loses synced writes is not noticed for those of the last
// interval.
const witnessEvery = time.Second

// arm sets the timer that renews the witness again and again, until disarm.
func (s *Store) arm() {
	s.ticks.Lock()
	defer s.ticks.Unlock()
	if !s.ticks.stopped {
		s.tick = s.o.Clock.AfterFunc(witnessEvery, s.onTick)
	}
}

func (s *Store) onTick() {
	s.ticks.Lock()
	if s.ticks.stopped {
		s.ticks.Unlock()
		return
	}
	s.running.Add(1)
	s.ticks.Unlock()
	_ = s.core.writeWitness() // the next tick tries again, or the store has stopped
	s.running.Done()
	s.arm()
}

func (s *Store) disarm() {
	s.ticks.Lock()
	defer s.ticks.Unlock()
	s.ticks.stopped = true
	if s.tick != nil {
		s.tick.Stop()
	}
}
