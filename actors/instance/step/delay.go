package step

// delayed reports whether the first turn of the instance must wait for the time that its start gives. Until then it takes
// messages, and a cancel ends it.
func (in *Machine) delayed() bool {
	return in.view.StartsAtMs != 0 && in.view.StartsAtMs > in.facts.NowMs()
}
