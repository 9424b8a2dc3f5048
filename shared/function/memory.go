package function

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// collectPercent is how much a function allocates between two collections,
	// in percent of what it holds. It holds little, a few MiB, and answers much:
	// by Go's default of 100 a fifth of its time would go into collecting.
	collectPercent = 400
	// memoryShare is how much of its container's memory a function may use
	// before it collects more often.
	memoryShare = 0.9
)

// fitMemory fits the garbage collector to a function in its container. GOGC
// and GOMEMLIMIT go before where they are set.
func fitMemory(logger *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	limit, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(memoryShare), memlimit.WithProvider(memlimit.FromCgroup))
	logger.Debug("memory", slog.Int64("limit", limit), slog.Any("error", err)) // an error where there is none
}
