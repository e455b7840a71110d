module peers/turnstone

go 1.26.0

require (
	github.com/turnstone-dev/turnstone v0.0.0
	peers/harness v0.0.0
)

replace peers/harness => ../harness

replace github.com/turnstone-dev/turnstone => ../../..
