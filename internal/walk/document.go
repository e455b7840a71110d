package main

import (
	"fmt"
	"go/build"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	heading   = "\n## One start, file by file\n"
	openedMax = 25
	roomMax   = 8
)

// told is what the document says about the walk: the files that a reader opens, in their order, and those that are hit
// for a reason that the walk does not need.
type told struct {
	opened, aside []string
}

var named = regexp.MustCompile("`([a-z0-9_./]+\\.go)`")

// readDocument reads the section of the walk. Files in its text are opened; a row of its table has a room, the names of
// files there, and the reason why they are not.
func readDocument(text string) (told, error) {
	_, section, found := strings.Cut(text, heading)
	if !found {
		return told{}, fmt.Errorf("%s has no section %q", document, strings.TrimSpace(heading))
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var t told
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		for _, m := range named.FindAllStringSubmatch(line, -1) {
			switch {
			case len(cells) == 5:
				t.aside = append(t.aside, path.Join(strings.Trim(cells[1], " `"), m[1]))
			case !slices.Contains(t.opened, m[1]):
				t.opened = append(t.opened, m[1])
			}
		}
	}
	return t, nil
}

// most is the largest number of opened files in a room.
func (t told) most() (n int) {
	for _, c := range t.perRoom() {
		n = max(n, c)
	}
	return n
}

func (t told) perRoom() map[string]int {
	n := map[string]int{}
	for _, f := range t.opened {
		n[path.Dir(f)]++
	}
	return n
}

// problems says what does not fit: the document and the files that are hit.
func (t told) problems(root string, hit map[string]int) (all []string) {
	wrong := func(format string, args ...any) { all = append(all, document+": "+fmt.Sprintf(format, args...)) }
	if len(t.opened) > openedMax {
		wrong("the walk opens %d files, the most is %d", len(t.opened), openedMax)
	}
	rooms := t.perRoom()
	for _, dir := range slices.Sorted(maps.Keys(rooms)) {
		if rooms[dir] > roomMax {
			wrong("the walk opens %d files in %s, the most is %d", rooms[dir], dir, roomMax)
		}
	}
	names, differs := map[string]bool{}, difference{}
	for _, f := range slices.Concat(t.opened, t.aside) {
		switch {
		case names[f]:
			differs.add(f, "named twice, in the walk and beside it or twice beside it")
		case hit[f] > 0:
		case !exists(root, f):
			differs.add(f, "named, and there is no such file")
		case builtHere(root, f):
			differs.add(f, "named, and a start does not hit it")
		}
		names[f] = true
	}
	for f := range hit {
		if !names[f] {
			differs.add(f, "hit by a start, and not named: tell what it does, or say in the table why not")
		}
	}
	for _, line := range differs.lines() {
		wrong("%s", line)
	}
	return all
}

// difference is the files that do not fit, by their room and what is wrong with them.
type difference map[string][]string

func (d difference) add(file, wrong string) {
	key := "`" + path.Dir(file) + "`, " + wrong
	d[key] = append(d[key], "`"+path.Base(file)+"`")
}

// lines has one for each room and each thing that is wrong, with the names as the document writes them.
func (d difference) lines() (all []string) {
	for _, key := range slices.Sorted(maps.Keys(d)) {
		slices.Sort(d[key])
		all = append(all, key+": "+strings.Join(d[key], ", "))
	}
	return all
}

func exists(root, file string) bool {
	_, err := os.Stat(filepath.Join(root, file))
	return err == nil
}

// builtHere says whether a file is compiled on this platform. A file of another one is not hit here.
func builtHere(root, file string) bool {
	match, err := build.Default.MatchFile(filepath.Join(root, path.Dir(file)), path.Base(file))
	return match || err != nil
}
