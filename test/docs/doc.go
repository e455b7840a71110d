// Package docs runs the programs in README.md, docs/guide.md and the pages under docs/guide, each built as it stands
// there in a module of its own outside of the repository, and compares what they print. It is all tests.
//
// It must not know the engine: it reads documents, and runs what a reader would run. Start reading at programs_test.go.
package docs
