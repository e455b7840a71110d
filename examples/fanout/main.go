// Command fanout counts the words of texts in parallel: one child orchestration for each shelf, one activity for each
// text, and a sum over all.
//
// It must not know more of Turnstone than an author does. Start reading at Library.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// CountWords is the work: any number of these run at once.
var CountWords = turnstone.NewActivity("CountWords", func(_ turnstone.ActivityContext, text string) (int, error) {
	return len(strings.Fields(text)), nil
})

// Shelf counts the words of its texts at once and sums them up.
var Shelf = turnstone.NewOrchestration("Shelf", func(ctx *turnstone.Context, texts []string) (int, error) {
	var all []*turnstone.Future[int]
	for _, text := range texts {
		all = append(all, CountWords.Start(ctx, text))
	}
	return sum(turnstone.Results(ctx, all...))
})

// Library runs a child for each shelf, all at once.
var Library = turnstone.NewOrchestration("Library", func(ctx *turnstone.Context, shelves [][]string) (int, error) {
	var all []*turnstone.Future[int]
	for _, texts := range shelves {
		all = append(all, Shelf.Start(ctx, texts))
	}
	return sum(turnstone.Results(ctx, all...))
})

func sum(counts []int, err error) (int, error) {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, err
}

func main() {
	dir := flag.String("store", "fanout.store", "the directory of the store")
	flag.Parse()
	out, err := run(context.Background(), *dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(out)
}

func run(ctx context.Context, dir string) (string, error) {
	registry := turnstone.NewRegistry()
	if err := registry.Register(CountWords, Shelf, Library); err != nil {
		return "", err
	}
	n, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry, ActivitySlots: 16})
	if err != nil {
		return "", err
	}
	defer n.Kill()
	shelves := make([][]string, 8)
	for i := range shelves {
		for j := range 25 {
			shelves[i] = append(shelves[i], strings.Repeat("word ", j+1))
		}
	}
	instance, err := client.Start(ctx, n.Client(), "library", Library, shelves)
	if err != nil && !errors.Is(err, turnstone.ErrAlreadyExists) {
		return "", err
	}
	words, err := instance.Wait(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d words in %d texts\n", words, 8*25), n.Shutdown(ctx)
}
