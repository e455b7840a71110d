package persistencetest

// dice is a small seeded generator (splitmix64): the same seed gives the same throws on every build.
type dice struct{ state uint64 }

func newDice(seed uint64) *dice { return &dice{state: seed} }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// upTo is a number from 0 to n-1; n must be above 0.
func (d *dice) upTo(n int) int { return int(d.next() % uint64(n)) }

// percent is true in so many of a hundred cases.
func (d *dice) percent(n int) bool { return d.upTo(100) < n }

// pick takes one of the choices; the zero value if there are none.
func pick[V any](d *dice, choices []V) (v V) {
	if len(choices) == 0 {
		return v
	}
	return choices[d.upTo(len(choices))]
}

// some takes each of the choices with this chance, in order.
func some[V any](d *dice, choices []V, percent int) (taken []V) {
	for _, c := range choices {
		if d.percent(percent) {
			taken = append(taken, c)
		}
	}
	return taken
}
