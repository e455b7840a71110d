package turnstone

import (
	"fmt"

	"github.com/Masterminds/semver/v3"

	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/replay"
)

// VersionError says that a text given as a version is none. It is an [ErrInvalidInput].
type VersionError struct {
	// Text is what was given.
	Text string
}

// Error shows the text.
func (e *VersionError) Error() string {
	return fmt.Sprintf("the version %q is not a semantic version such as 1.2.0", e.Text)
}

// Unwrap is [ErrInvalidInput].
func (e *VersionError) Unwrap() error { return ErrInvalidInput }

// checkVersion refuses a text that is not a strict semantic version, with a [VersionError], and one that is longer than a
// name may be.
func checkVersion(text string) error {
	_, err := parseVersion(text)
	return err
}

func parseVersion(text string) (*semver.Version, error) {
	if most := limits.Default().NameBytes; len(text) > most {
		return nil, &LimitError{Limit: "version bytes", Size: len(text), Max: most}
	}
	number, err := semver.StrictNewVersion(text)
	if err != nil {
		return nil, &VersionError{Text: text}
	}
	return number, nil
}

// versionChoice is a version, or that none was chosen: no text stands for that.
type versionChoice struct {
	text string
	made bool
}

// check refuses a choice that is no version.
func (c versionChoice) check() error {
	if !c.made {
		return nil
	}
	return checkVersion(c.text)
}

// refused is a future of what cannot be asked for: it fails with err and leaves no event.
func (c *Context) refused(err error) *replay.Future {
	return c.rc.Go(func(*replay.Context) (any, error) { return nil, err })
}
