package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// Line is one workload's figures. Fields that a workload does not have are 0.
type Line struct {
	Engine    string  `json:"engine"`
	Workload  string  `json:"workload"`
	N         int     `json:"n"`
	InFlight  int     `json:"in_flight"`
	Seconds   float64 `json:"seconds"`
	PerSec    float64 `json:"per_sec"`
	P50Ms     float64 `json:"p50_ms,omitempty"`
	P99Ms     float64 `json:"p99_ms,omitempty"`
	RSSMB     float64 `json:"rss_mb"`
	DiskBytes int64   `json:"disk_bytes"`
	Syncs     int64   `json:"fsyncs"`
	GOGC      int     `json:"gogc"`
	Commits   int64   `json:"commits"`
	// Accepted are messages that waited longer for their turn than 10 ms and were made durable before it: commits
	// beyond those of turns, when the machine is slow.
	Accepted  int64   `json:"accepted,omitempty"`
	CPUMicros float64 `json:"cpu_us_each"`

	// w5: the time of a step of an execution that has 500 to 1,500 steps behind it, and of one of the last thousand of
	// n, measured in turns of 50 steps: the medians of the turns. Their ratio is the median of what each of the 20 pairs
	// of turns gave; the mean ratio is that of all the time of the two, so it has every pause of the machine. Per_sec,
	// seconds and cpu_us_each are of the n steps alone, commits and fsyncs of both executions.
	StepUs1000    float64 `json:"step_us_1000,omitempty"`
	StepUsLast    float64 `json:"step_us_last,omitempty"`
	StepRatio     float64 `json:"step_ratio,omitempty"`
	StepMeanRatio float64 `json:"step_mean_ratio,omitempty"`
	// w6: until all were started and waited, and from the first raised event to the last end.
	WaitingS float64 `json:"waiting_s,omitempty"`
	FinishS  float64 `json:"finish_s,omitempty"`
	// w7: a round beside a hundred waiting events and beside n, medians, and the median of the ratios of the pairs.
	RoundUsFew  float64 `json:"round_us_few,omitempty"`
	RoundUsMany float64 `json:"round_us_many,omitempty"`
	RoundRatio  float64 `json:"round_ratio,omitempty"`
	// w8: n pending activities before a restart and after one, medians, and the median of the ratios of the pairs.
	PendingS      float64 `json:"pending_s,omitempty"`
	PendingAgainS float64 `json:"pending_again_s,omitempty"`
	PendingRatio  float64 `json:"pending_ratio,omitempty"`
	// w9: n messages of 20 KiB put into an inbox that nothing reads, and taken after a restart, and the most memory that the
	// latter took above what there was before.
	FillS  float64 `json:"fill_s,omitempty"`
	DrainS float64 `json:"drain_s,omitempty"`
	PeakMB float64 `json:"peak_mb,omitempty"`

	// The limit of the same run: orchestrations per second of bare commits (w1), or the median of one bare sync (w4).
	LimitPerSec float64 `json:"limit_per_sec,omitempty"`
	LimitRatio  float64 `json:"limit_ratio,omitempty"`
	// The ratios of the single rounds lie between these.
	LimitRatioMin float64 `json:"limit_ratio_min,omitempty"`
	LimitRatioMax float64 `json:"limit_ratio_max,omitempty"`
	SyncMs        float64 `json:"bare_sync_ms,omitempty"`
	SyncRatio     float64 `json:"p50_over_two_syncs,omitempty"`
}

// String is the line for people.
func (l Line) String() string {
	s := fmt.Sprintf("%-4s n=%-7d c=%-5d %8.2f s %10.0f/s", l.Workload, l.N, l.InFlight, l.Seconds, l.PerSec)
	if l.P50Ms > 0 {
		s += fmt.Sprintf("  p50 %.2f ms p99 %.2f ms", l.P50Ms, l.P99Ms)
	}
	s += fmt.Sprintf("  rss %.0f MB  cpu %.0f us each  %d commits %d syncs", l.RSSMB, l.CPUMicros, l.Commits, l.Syncs)
	if l.StepRatio > 0 {
		s += fmt.Sprintf("  step %.0f us at 1,000, %.0f us at the end: x%.2f (mean x%.2f)", l.StepUs1000, l.StepUsLast, l.StepRatio, l.StepMeanRatio)
	}
	if l.WaitingS > 0 {
		s += fmt.Sprintf("  all waiting after %.2f s, finished in %.2f s", l.WaitingS, l.FinishS)
	}
	if l.RoundRatio > 0 {
		s += fmt.Sprintf("  round %.0f us beside 100, %.0f us beside n: x%.2f", l.RoundUsFew, l.RoundUsMany, l.RoundRatio)
	}
	if l.PendingRatio > 0 {
		s += fmt.Sprintf("  %.2f s before a restart, %.2f s after: x%.2f", l.PendingS, l.PendingAgainS, l.PendingRatio)
	}
	if l.DrainS > 0 {
		s += fmt.Sprintf("  filled in %.2f s, drained in %.2f s with at most %.0f MB more", l.FillS, l.DrainS, l.PeakMB)
	}
	if l.LimitRatio > 0 {
		s += fmt.Sprintf("  limit %.0f/s: %.0f %% (rounds %.0f to %.0f %%)", l.LimitPerSec, 100*l.LimitRatio,
			100*l.LimitRatioMin, 100*l.LimitRatioMax)
	}
	if l.SyncRatio > 0 {
		s += fmt.Sprintf("  bare sync %.3f ms: p50 is %.2f x two", l.SyncMs, l.SyncRatio)
	}
	return s
}

func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

func (l *Line) latencies(ms []float64) {
	sort.Float64s(ms)
	l.P50Ms, l.P99Ms = percentile(ms, .50), percentile(ms, .99)
}

// rssMB is what this process holds in memory now.
func rssMB() float64 { return statusMB("VmRSS") }

// statusMB is a figure of the status of this process.
func statusMB(name string) float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				return 0
			}
			return kb / 1024
		}
	}
	return 0
}

// cpuSeconds is the processor time of this process.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func diskBytes(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, err := e.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}
