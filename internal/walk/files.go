package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	module = "github.com/turnstone-dev/turnstone"
	// own is this program's directory: its code is on the walk, and is not part of it.
	own = "internal/walk"
)

// filesHit counts a start of the module in root: the files that it hits, each with the number of its statements.
func filesHit(root string) (hit map[string]int, err error) {
	dir, err := os.MkdirTemp("", "turnstone-walk-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "walk")
	if err := command(root, nil, "go", "build", "-cover", "-covermode=atomic", "-coverpkg=./...", "-o", binary, "./"+own); err != nil {
		return nil, err
	}
	// A program with counters writes all of them when it ends, too: they are not read.
	if err := command(dir, []string{"GOCOVERDIR=" + dir}, binary, "-counters", dir); err != nil {
		return nil, err
	}
	var profiles []map[string]int
	for i := range counted {
		profile := countersOf(dir, i) + ".txt"
		if err := command(root, nil, "go", "tool", "covdata", "textfmt", "-i="+countersOf(dir, i), "-o="+profile); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(profile)
		if err != nil {
			return nil, err
		}
		p, err := readProfile(string(text))
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return inMost(profiles), nil
}

// command runs a program; what it printed is in the error.
func command(dir string, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// readProfile sums the statements that were hit in each file. A line is "file:from,to statements count".
func readProfile(text string) (map[string]int, error) {
	hit := map[string]int{}
	for line := range strings.Lines(text) {
		place, numbers, _ := strings.Cut(strings.TrimSpace(line), " ")
		if place == "mode:" {
			continue
		}
		file, _, _ := strings.Cut(place, ":")
		statements, count, _ := strings.Cut(numbers, " ")
		n, err := strconv.Atoi(statements)
		if err != nil {
			return nil, fmt.Errorf("a profile has the line %q: %w", line, err)
		}
		name := strings.TrimPrefix(file, module+"/")
		if n > 0 && count != "0" && path.Dir(name) != own {
			hit[name] += n
		}
	}
	return hit, nil
}

// inMost is the files that most of the profiles have, with the largest number of statements.
func inMost(profiles []map[string]int) map[string]int {
	times, hit := map[string]int{}, map[string]int{}
	for _, p := range profiles {
		for f, n := range p {
			times[f]++
			hit[f] = max(hit[f], n)
		}
	}
	maps.DeleteFunc(hit, func(f string, _ int) bool { return 2*times[f] <= len(profiles) })
	return hit
}

// room is a package and the files in it that are hit.
type room struct {
	dir   string
	files []string
}

// byRoom sorts files into their rooms.
func byRoom(hit map[string]int) []room {
	in := map[string][]string{}
	for _, f := range slices.Sorted(maps.Keys(hit)) {
		in[path.Dir(f)] = append(in[path.Dir(f)], f)
	}
	var rooms []room
	for _, dir := range slices.Sorted(maps.Keys(in)) {
		rooms = append(rooms, room{dir, in[dir]})
	}
	return rooms
}
