//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// benchScript is a short call: a menu, a key, a sentence, about 12 seconds.
const benchScript = `# A caller thinks for eight seconds, presses 2 and hears one more sentence.
0s   call /voice
8s   press 2
-- GET /voice --
<Response><Gather numDigits="1" timeout="10" action="/menu"><Say>Press 1 for sales, 2 for support.</Say></Gather></Response>
-- GET /menu --
<Response><Say>We will be with you in a moment.</Say><Hangup/></Response>
`

// scriptsRow measures how many call scripts hookswitch test runs a second, its
// start included.
func scriptsRow(ctx context.Context, program, data string, n int) (benchRow, error) {
	dir := filepath.Join(data, "scripts")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return benchRow{}, err
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.txtar", i)), []byte(benchScript), 0o600); err != nil {
			return benchRow{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	began := time.Now()
	if said, err := exec.CommandContext(ctx, program, "test", dir).CombinedOutput(); err != nil {
		return benchRow{}, fmt.Errorf("hookswitch test: %w\n%s", err, said[max(0, len(said)-2048):])
	}
	return benchRow{"call scripts", []figure{{"", float64(n) / time.Since(began).Seconds(), "/s"}}, fmt.Sprintf("%d of 12 virtual seconds each", n)}, nil
}
